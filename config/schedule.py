"""The scheduler that `manage.py rqscheduler` runs: it keeps what runs by the clock registered with RQ."""

import contextlib
import json
import time
from datetime import UTC, datetime
from typing import Final

import django_rq
import structlog
from django_rq.queues import DjangoScheduler
from redis.exceptions import RedisError
from rq.exceptions import DeserializationError
from rq.job import JobStatus

from config import periodic, retention
from config.cron import turn_after
from config.jobs import Job, Queue
from config.periodic import Entry
from notifications import queue

log = structlog.get_logger(__name__)


ENTRIES = (*periodic.entries(), Entry("retention", retention.expire, cron="35 * * * *"))

#: Of the ids of the entries' jobs.
PREFIX: Final = "tocsin-"


def _job_id(entry: Entry) -> str:
    return f"{PREFIX}{entry.name}"


BY_ID: Final = {_job_id(entry): entry for entry in ENTRIES}

# A periodic job that still waits in the queue is not put there again, for this long; past it, whoever
# took it is taken for dead.
STILL_QUEUED_S = 5.0
# A turn that is further ahead than the next one and this comes from a clock that was: of an interval, and of
# a cron line, whose turns are looked up by the minute.
AHEAD_S, CRON_AHEAD_S = 5.0, 60.0
REDIS_RETRY_S = 1.0


class Scheduler(DjangoScheduler):
    """rq-scheduler that registers what is missing, and outlives Redis. Two at once take turns, by a lock."""

    def acquire_lock(self) -> bool:
        # The stock lock outlives its owner by ten seconds, in which nothing due would be looked at.
        self._lock_acquired = bool(
            self.connection.set(self.scheduler_lock_key, self.name, ex=int(self._interval) + 2, nx=True)
        )
        return self._lock_acquired

    def enqueue_jobs(self) -> object:
        self.register_missing()
        return super().enqueue_jobs()

    def register_missing(self) -> None:
        """Put back entries that are not there or run at other times; take away those of other versions."""
        with self.connection.pipeline() as pipe:
            for entry in ENTRIES:
                pipe.zscore(self.scheduled_jobs_key, _job_id(entry))
                pipe.hget(Job.key_for(_job_id(entry)), "meta")
            pipe.zrange(self.scheduled_jobs_key, 0, -1)
            *found, registered = pipe.execute()
        for job_id in {each.decode(errors="replace") for each in registered} - set(BY_ID):
            if job_id.startswith(PREFIX):
                self.cancel(job_id)
                log.info("schedule_forgotten", entry=job_id.removeprefix(PREFIX))
        for entry, score, meta in zip(ENTRIES, found[::2], found[1::2], strict=True):
            if score is None or meta is None or _is_far(entry, score) or not _is_as_registered(entry, meta):
                self._register(entry)
                if score is not None:  # a turn that is due, or comes sooner, is not lost
                    self.connection.zadd(self.scheduled_jobs_key, {_job_id(entry): score}, lt=True)
                log.info("schedule_registered", entry=entry.name)

    def _register(self, entry: Entry) -> Job:
        # A repeating job with result_ttl=0 deletes itself after its first run (seen with rq 3.0).
        options = {
            "id": _job_id(entry),
            "queue_name": queue.of(entry.job),
            "result_ttl": 86_400,
            "timeout": 300,
        }
        if entry.cron:
            return self.cron(entry.cron, entry.job, **options)
        return self.schedule(datetime.now(UTC), entry.job, interval=entry.every_s, **options)

    def get_queue_for_job(self, job: Job) -> Queue:
        return django_rq.get_queue(queue.of(BY_ID[job.id].job), connection=self.connection)

    def enqueue_job(self, job: Job) -> None:
        """Queue a periodic job, unless it waits there already."""
        entry = BY_ID.get(job.id)
        if entry is None:  # none of ours
            return
        try:
            is_readable = isinstance(job.func_name, str)
        except DeserializationError:  # older versions pickled it
            is_readable = False
        if not is_readable:
            job = self._register(entry)
        at = job.enqueued_at
        if job.get_status() == JobStatus.QUEUED and at is not None:
            at = at if at.tzinfo else at.replace(tzinfo=UTC)
            # By a clock that was ahead, it may have been put there in the future.
            if abs((datetime.now(UTC) - at).total_seconds()) < STILL_QUEUED_S:
                return
        job.origin = queue.of(entry.job)  # it may have been registered by an older version
        super().enqueue_job(job)

    def run(self, burst: bool = False) -> None:
        """Run until told to stop; Redis being away only interrupts it."""
        while True:
            try:
                super().run(burst)
                return
            except RedisError as error:
                log.warning("redis_away", error=str(error))
                time.sleep(REDIS_RETRY_S)

    def register_birth(self) -> None:
        # After Redis was away the old registration may still be there: it is ours.
        self.connection.delete(self.key)
        super().register_birth()

    def register_death(self) -> None:
        # Told to stop while Redis is away, it stops.
        with contextlib.suppress(RedisError):
            super().register_death()

    def heartbeat(self) -> None:
        """Beat, and register again where Redis came back empty and has forgotten this scheduler."""
        super().heartbeat()
        if not self.connection.exists(self.key):
            self.register_birth()


def _is_far(entry: Entry, score: float) -> bool:
    """Whether a turn is too far ahead: whoever had the lock before may have gone by a clock that was."""
    now = time.time()
    if entry.cron is None:
        return score > now + (entry.every_s or 0) + AHEAD_S
    turn = turn_after(entry.cron, int(now // 60))
    return turn is not None and score > turn + CRON_AHEAD_S


def _is_as_registered(entry: Entry, meta: bytes) -> bool:
    """Whether a job says of its times what its entry does; one that can't be read, ``enqueue_job`` mends."""
    try:
        known = json.loads(meta)
    except ValueError:
        return True
    told = known if isinstance(known, dict) else {}
    return (told.get("cron_string"), told.get("interval")) == (entry.cron, entry.every_s)
