"""The worker and the scheduler, as `manage.py` runs them."""

import gc
import threading
from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any
from urllib.parse import urlsplit

import django_rq
import pytest
import time_machine
from django.conf import settings
from django.core.management import call_command
from pytest_django import Settings
from redis import Redis
from redis.backoff import NoBackoff
from redis.retry import Retry
from rq.job import Job, JobStatus
from structlog.testing import capture_logs

from accounts.models import Shop, User
from config import clock, retention, schedule
from config.periodic import Entry
from config.processes import Stack
from config.schedule import ENTRIES, Scheduler
from notifications import jobs, queue
from notifications.engine import jobs as engine_jobs
from notifications.engine.sender import Sender
from notifications.engine.worker import Worker
from notifications.events import jobs as event_jobs
from notifications.exposition import workers_alive
from notifications.models import Alert, Delivery
from tests.factories import AlertFactory, MembershipFactory
from tests.notifications.engine.conftest import statuses
from tests.servers.third_party import ThirdParty
from tracing import jobs as tracing_jobs


@pytest.fixture
def told(third_party: ThirdParty, settings: Settings) -> ThirdParty:
    settings.THIRD_PARTY_URL = third_party.url
    return third_party


def work_in_a_burst() -> None:
    call_command("rqworker", burst=True, verbosity=0)


def scheduler() -> Scheduler:
    return django_rq.get_scheduler("default", interval=1)


def test_the_configured_worker_is_ours_and_does_not_fork() -> None:
    assert isinstance(django_rq.get_worker("default"), Worker)


@pytest.mark.slow
def test_a_worker_that_starts_before_redis_waits_for_it(settings: Settings) -> None:
    with TemporaryDirectory() as directory:  # a path of pytest's would be too long for a socket
        socket = Path(directory) / "redis.sock"
        url = urlsplit(settings.REDIS_URL)
        later = threading.Timer(0.3, socket.symlink_to, [url.path])
        later.start()
        try:
            redis = Redis(unix_socket_path=str(socket), password=url.password, retry=Retry(NoBackoff(), 0))
            worker = Worker([], connection=redis)
        finally:
            later.join()
        assert worker.connection.ping()


def test_a_worker_whose_clock_is_slow_is_heard_of_all_the_same(redis: Redis) -> None:
    worker = Worker([queue.URGENT], connection=redis)
    worker.register_birth()
    with time_machine.travel(datetime.now(UTC) - timedelta(minutes=5)):
        worker.heartbeat()
    assert workers_alive(redis, now=clock.now()) == 1


def test_an_alert_goes_from_the_queue_to_the_third_party(
    transactional_db: None, shop: Shop, owner: User, teammate: User, told: ThirdParty
) -> None:
    alert = AlertFactory(shop=shop)
    work_in_a_burst()
    assert statuses() == {"sent": 2}
    bodies = [request.json for request in told.requests]
    assert {body["target_user_uuid"] for body in bodies} == {str(owner.pk), str(teammate.pk)}
    assert {body["alert_uuid"] for body in bodies} == {str(alert.pk)}


@pytest.fixture
def garbage() -> Iterator[Callable[[], tuple[int, bool]]]:
    """After how many objects garbage is looked for, and whether more is spared from that than before."""
    thresholds, spared = gc.get_threshold(), gc.get_freeze_count()
    gc.set_threshold(700, 10, 10)  # Python's own, whatever other tests have set in this process
    yield lambda: (gc.get_threshold()[0], gc.get_freeze_count() > spared)
    gc.set_threshold(*thresholds)


@pytest.mark.slow
def test_a_worker_that_stays_looks_for_garbage_less_often_and_one_that_works_in_a_burst_changes_nothing(
    transactional_db: None, garbage: Callable[[], tuple[int, bool]]
) -> None:
    before = garbage()
    work_in_a_burst()
    assert garbage() == before
    django_rq.get_queue().enqueue(engine_jobs.digests)
    call_command("rqworker", max_jobs=1, verbosity=0)
    seldom, is_spared = garbage()
    assert seldom > before[0]
    assert is_spared


@pytest.mark.slow
@pytest.mark.parametrize("options", [{"burst": True}, {"max_jobs": 1}])
def test_a_worker_that_ends_leaves_nothing_running(transactional_db: None, options: dict[str, Any]) -> None:
    before = set(threading.enumerate())
    django_rq.get_queue().enqueue(engine_jobs.digests)
    call_command("rqworker", verbosity=0, **options)
    assert {each.name for each in set(threading.enumerate()) - before}.isdisjoint({"sender", "arrivals"})


def test_a_sender_that_does_not_run_can_be_woken(transactional_db: None) -> None:
    sender = Sender()
    sender.wake()
    sender.start()
    sender.stop()
    sender.wake()


@pytest.mark.slow
def test_running_every_job_twice_changes_nothing(
    transactional_db: None, shop: Shop, owner: User, told: ThirdParty
) -> None:
    alert = AlertFactory(shop=shop)
    for job in (jobs.sweep, jobs.expire):
        django_rq.get_queue().enqueue(job)
        django_rq.get_queue().enqueue(job)
    django_rq.get_queue().enqueue(engine_jobs.alert_fan_out, str(alert.pk))
    work_in_a_burst()
    assert len(told.requests) == 1
    assert statuses() == {"sent": 1}


@pytest.mark.slow
def test_a_job_that_fails_does_not_end_the_worker(
    transactional_db: None, shop: Shop, owner: User, told: ThirdParty
) -> None:
    django_rq.get_queue().enqueue(engine_jobs.alert_fan_out)  # without its argument
    AlertFactory(shop=shop)
    work_in_a_burst()
    assert statuses() == {"sent": 1}
    assert django_rq.get_queue().failed_job_registry.count == 1


@pytest.mark.slow
def test_what_a_lost_queue_forgot_is_found_by_the_sweep(
    transactional_db: None, redis: Redis, shop: Shop, owner: User, told: ThirdParty
) -> None:
    AlertFactory(shop=shop)
    redis.flushdb()
    django_rq.get_queue().enqueue(jobs.sweep)
    work_in_a_burst()
    assert statuses() == {"sent": 1}


def test_a_worker_registers_again_after_redis_came_back_empty(transactional_db: None, redis: Redis) -> None:
    worker = django_rq.get_worker("default")
    worker.register_birth()
    redis.flushdb()
    worker._beat_at = 0.0
    worker.heartbeat()
    assert [each.name for each in Worker.all(connection=redis)] == [worker.name]


def test_the_scheduler_registers_every_entry_and_again_when_redis_forgot_them(redis: Redis) -> None:
    for _ in range(2):
        redis.flushdb()
        scheduler().register_missing()
        assert {job.id for job in scheduler().get_jobs()} == {f"tocsin-{entry.name}" for entry in ENTRIES}


def test_due_entries_are_queued_again_and_again(redis: Redis) -> None:
    it = scheduler()
    it.register_missing()
    it.enqueue_jobs()
    assert "tocsin-sweep" in django_rq.get_queue(queue.URGENT).job_ids
    assert "tocsin-sweep" in it


def test_what_a_scheduler_with_a_fast_clock_has_put_off_is_due_for_the_next_one(redis: Redis) -> None:
    with time_machine.travel(datetime.now(UTC) + timedelta(minutes=1)):
        scheduler().enqueue_jobs()
    redis.delete(django_rq.get_queue(queue.URGENT).key)
    later = datetime.now(UTC) + timedelta(seconds=10)
    with time_machine.travel(later):
        scheduler().enqueue_jobs()
    assert "tocsin-sweep" in django_rq.get_queue(queue.URGENT).job_ids


def test_a_scheduler_with_a_fast_clock_puts_off_no_cron_entry(redis: Redis) -> None:
    names = {f"tocsin-{entry.name}" for entry in ENTRIES if entry.cron}
    with time_machine.travel(datetime.now(UTC) + timedelta(days=400)):
        scheduler().enqueue_jobs()
    scheduler().enqueue_jobs()
    a_day_on = (datetime.now(UTC) + timedelta(days=1)).timestamp()
    put_off = redis.zrangebyscore(Scheduler.scheduled_jobs_key, a_day_on, "+inf")
    assert names & {each.decode() for each in put_off} == set()


def changed(monkeypatch: pytest.MonkeyPatch, name: str, **times: str | int | None) -> Entry:
    """Have another version's times for an entry."""
    entries = tuple(replace(each, **times) if each.name == name else each for each in ENTRIES)
    monkeypatch.setattr(schedule, "ENTRIES", entries)
    return next(each for each in entries if each.name == name)


def times_of(redis: Redis, name: str) -> tuple[str | None, int | None, datetime]:
    job = scheduler().job_class.fetch(f"tocsin-{name}", connection=redis)
    at = datetime.fromtimestamp(redis.zscore(Scheduler.scheduled_jobs_key, job.id), UTC)
    return job.meta.get("cron_string"), job.meta.get("interval"), at


@pytest.mark.parametrize(
    ("name", "times"),
    [
        ("tracing-check", {"cron": "* * * * *"}),
        ("sweep", {"every_s": 2}),
        ("expire", {"cron": None, "every_s": 9}),
    ],
)
def test_an_entry_that_is_to_run_at_other_times_does_so_from_the_next_start_on(
    redis: Redis, monkeypatch: pytest.MonkeyPatch, name: str, times: dict[str, Any]
) -> None:
    scheduler().enqueue_jobs()
    entry = changed(monkeypatch, name, **times)
    scheduler().enqueue_jobs()
    cron, every_s, at = times_of(redis, name)
    assert (cron, every_s) == (entry.cron, entry.every_s)
    assert at <= datetime.now(UTC) + timedelta(minutes=1)


def test_a_turn_that_is_due_is_taken_though_the_times_have_changed(
    redis: Redis, monkeypatch: pytest.MonkeyPatch
) -> None:
    scheduler().enqueue_jobs()
    redis.zadd(Scheduler.scheduled_jobs_key, {"tocsin-history-analyze": 1})
    changed(monkeypatch, "history-analyze", cron="0 0 1 1 *")
    scheduler().enqueue_jobs()
    name = queue.of(jobs.history_analyze)
    assert "tocsin-history-analyze" in django_rq.get_queue(name).job_ids


def test_entries_that_are_as_they_should_be_are_left_alone(redis: Redis) -> None:
    scheduler().register_missing()
    with capture_logs() as logs:
        scheduler().register_missing()
    assert logs == []


def test_an_entry_that_still_waits_is_not_queued_twice(redis: Redis) -> None:
    it = scheduler()
    it.register_missing()
    for _ in range(3):
        it.change_execution_time(Job.fetch("tocsin-sweep", connection=redis), datetime.now(UTC))
        it.enqueue_jobs()
    assert django_rq.get_queue(queue.URGENT).job_ids.count("tocsin-sweep") == 1


@pytest.mark.parametrize("queued", [timedelta(seconds=-10), timedelta(days=1)])
def test_an_entry_whose_worker_was_killed_is_queued_again(redis: Redis, queued: timedelta) -> None:
    it = scheduler()
    it.register_missing()
    it.enqueue_jobs()
    redis.delete(django_rq.get_queue(queue.URGENT).key)  # taken off the queue by a worker that died with it
    job = Job.fetch("tocsin-sweep", connection=redis)
    job.enqueued_at = datetime.now(UTC) + queued
    job.save()
    assert job.get_status() == JobStatus.QUEUED
    it.change_execution_time(job, datetime.now(UTC))
    it.enqueue_jobs()
    assert "tocsin-sweep" in django_rq.get_queue(queue.URGENT).job_ids


def test_an_entry_that_an_older_version_registered_goes_to_its_present_queue(redis: Redis) -> None:
    it = scheduler()
    now = datetime.now(UTC)
    it.schedule(now, jobs.sweep, interval=1, id="tocsin-sweep", queue_name=queue.DEFAULT)
    it.enqueue_jobs()
    assert django_rq.get_queue(queue.URGENT).job_ids == ["tocsin-sweep"]
    assert "tocsin-sweep" not in django_rq.get_queue(queue.DEFAULT).job_ids


@pytest.mark.parametrize(
    ("job", "name"),
    [
        (engine_jobs.alert_fan_out, "urgent"),
        (jobs.sweep, "urgent"),
        (event_jobs.event_handle, "default"),
        (engine_jobs.digests, "default"),
        (retention.expire, "slow"),
        (tracing_jobs.case_search, "slow"),
        (tracing_jobs.partitions_pack, "slow"),
    ],
)
def test_a_job_waits_on_the_queue_of_its_kind(redis: Redis, job: Callable[..., None], name: str) -> None:
    queue.enqueue(job)
    waiting = {each: django_rq.get_queue(each).count for each in settings.RQ_QUEUES}
    assert waiting == {"urgent": 0, "default": 0, "slow": 0} | {name: 1}


def test_a_worker_takes_what_is_urgent_first_and_what_is_slow_last(transactional_db: None) -> None:
    waiting = [
        django_rq.get_queue(name).enqueue(engine_jobs.digests)
        for name in ("slow", "default", "urgent", "slow")
    ]
    work_in_a_burst()
    for job in waiting:
        job.refresh()
    assert all(job.get_status() == JobStatus.FINISHED for job in waiting)
    by_start = sorted(waiting, key=lambda job: job.started_at)
    assert [job.origin for job in by_start] == ["urgent", "default", "slow", "slow"]


@pytest.mark.slow
def test_a_fan_out_that_an_older_version_has_queued_is_done(
    transactional_db: None, redis: Redis, shop: Shop, owner: User, told: ThirdParty
) -> None:
    alert = AlertFactory(shop=shop)
    redis.flushdb()
    django_rq.get_queue(queue.DEFAULT).enqueue("notifications.engine.jobs.alert_fan_out", str(alert.pk))
    work_in_a_burst()
    assert statuses() == {"sent": 1}


def test_one_of_several_workers_takes_nothing_slow(tmp_path: Path) -> None:
    def queues_of(workers: int) -> list[list[str]]:
        commands = Stack(tmp_path, web=False, workers=workers, scheduler=False)._commands
        return [command[command.index("rqworker") + 1 :] for command in commands.values()]

    assert queues_of(1) == [[]]
    assert queues_of(3) == [["urgent", "default"], [], []]


def test_of_two_schedulers_one_acts(redis: Redis) -> None:
    first, second = scheduler(), scheduler()
    assert first.acquire_lock()
    assert not second.acquire_lock()
    first.remove_lock()
    assert second.acquire_lock()


def test_a_killed_schedulers_lock_is_gone_within_seconds(redis: Redis) -> None:
    assert scheduler().acquire_lock()
    assert 0 < redis.ttl(Scheduler.scheduler_lock_key) <= 3


def test_a_wake_up_reaches_a_sender_in_another_process_at_once(
    transactional_db: None, redis: Redis, shop: Shop, owner: User, told: ThirdParty
) -> None:
    sender = Sender()
    sender.start()
    try:
        assert sender.drain(10)
        engine_jobs.alert_fan_out(str(AlertFactory(shop=shop).pk))  # publishes; nobody calls wake()
        told.wait_for(1, timeout=2)
    finally:
        sender.stop()


@pytest.mark.slow
def test_an_alert_of_a_large_shop_is_told_in_several_chunks(
    transactional_db: None, shop: Shop, told: ThirdParty, settings: Settings
) -> None:
    settings.FANOUT_CHUNK = 40
    MembershipFactory.create_batch(100, shop=shop)
    AlertFactory(shop=shop)
    work_in_a_burst()
    assert statuses() == {"sent": 100}
    assert Alert.objects.get().fanned_out_at is not None
    assert Delivery.objects.values("user").distinct().count() == 100
