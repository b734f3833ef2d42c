"""RQ's worker as `manage.py rqworker` runs it: jobs in this process, and beside them the sender."""

import contextlib
import time
from typing import Any

import structlog
from django.db import DatabaseError, close_old_connections, connection
from redis import Redis
from redis.exceptions import RedisError
from rq import worker_registration
from rq.job import Job
from rq.queue import Queue
from rq.utils import utcformat
from rq.worker import SimpleWorker

from config import clock
from config.garbage import spare_the_loaded
from config.limits import allow_many_connections
from notifications.engine import wake
from notifications.engine.arrivals import Arrivals
from notifications.engine.sender import Sender
from notifications.messages import catalogue

log = structlog.get_logger(__name__)

# Between two heartbeats, and between two tries to reach Redis, in seconds.
BEAT_S = 5.0
REDIS_RETRY_S = 1.0


class Worker(SimpleWorker):
    """Runs jobs without forking, and keeps a sender with its event loop, session and connections.

    It outlives Redis: where that is away it comes back to work when Redis does, empty or not.
    """

    max_connection_wait_time = 2.0
    log_result_lifespan = False
    _beat_at = 0.0

    def __init__(self, *args: Any, connection: Redis, **kwargs: Any) -> None:
        while True:
            try:
                connection.ping()
                break
            except RedisError as error:  # at which RQ's own worker would end at once
                log.warning("redis_away", error=str(error))
                time.sleep(REDIS_RETRY_S)
        super().__init__(*args, connection=connection, **kwargs)

    def work(self, *args: Any, **kwargs: Any) -> bool:
        if kwargs.get("logging_level") == "INFO":  # the command's default: three lines for each job
            kwargs["logging_level"] = "WARNING"
        burst = bool(kwargs.get("burst") or (args and args[0]))
        allow_many_connections()
        catalogue.kinds()  # reads and compiles every text, which the first alert should not wait for
        if not burst:
            spare_the_loaded()
        with contextlib.suppress(DatabaseError):
            connection.ensure_connection()  # which says what time it is
        sender = Sender()
        sender.start()
        wake.local, wake.sender = sender.wake, sender
        arrivals = Arrivals()
        if not burst:
            arrivals.start()
        try:
            worked = self._work(*args, **kwargs)
            if burst:
                sender.drain()
            return worked
        finally:
            if not burst:
                arrivals.stop()
            wake.local = wake.sender = None
            sender.stop()

    def _work(self, *args: Any, **kwargs: Any) -> bool:
        """Work until asked to stop; RQ's own loop ends at the first command that Redis doesn't answer."""
        once = any(kwargs.get(name) for name in ("burst", "max_jobs", "max_idle_time"))
        while True:
            try:
                worked = super().work(*args, **kwargs)
                if once or self._shutdown_requested_date is not None:
                    return worked
            except RedisError as error:
                log.warning("redis_away", error=str(error))
                if once:
                    raise
            time.sleep(REDIS_RETRY_S)

    def execute_job(self, job: Job, queue: Queue) -> None:
        close_old_connections()
        try:
            super().execute_job(job, queue)
        finally:
            close_old_connections()

    def register_birth(self) -> None:
        """Register; a worker that lost Redis could not say that it was gone, and may take its name again."""
        if self.birth_date is not None:
            self.connection.delete(self.key)
        super().register_birth()

    def heartbeat(self, *args: Any, **kwargs: Any) -> None:
        """Beat, and register again where Redis came back empty and has forgotten this worker.

        RQ beats twice a job, with three commands each time: a third of what a short job costs.
        """
        now = time.monotonic()
        if now - self._beat_at > BEAT_S:
            self._beat_at = now
            super().heartbeat(*args, **kwargs)
            # By the clock that readiness goes by, and not this machine's own.
            self.connection.hset(self.key, "last_heartbeat", utcformat(clock.now()))
            if not self.connection.sismember(self.redis_workers_keys, self.key):
                self.connection.hset(self.key, mapping=self.serialize())
                worker_registration.register(self)
