"""Liveness, readiness that names what is broken, and metrics."""

import asyncio
import time
from collections.abc import Callable
from datetime import timedelta
from importlib.metadata import version
from pathlib import Path
from typing import Any

import pytest
from django.db import connection
from django.utils import timezone
from redis import Redis
from rest_framework.test import APIClient
from rq import Queue
from rq.worker import SimpleWorker
from rq_scheduler import Scheduler

from accounts.models import User
from config import clock, embedded
from notifications import metrics
from notifications.brokers import health
from notifications.engine import lane_news
from notifications.engine.lane_news import LaneNews
from notifications.engine.peers import Peers
from notifications.models import Delivery, Outgoing
from notifications.selectors import due_backlog
from notifications.standstill import LOST_S, UNTAKEN_S
from tests.factories import NotificationFactory, UserFactory
from tests.queued import stored

Machine = Callable[..., APIClient]
LogIn = Callable[[User], APIClient]


@pytest.fixture
def monitor(transactional_db: None, as_machine: Machine) -> APIClient:
    return as_machine("metrics:read")


@pytest.fixture
def worker(redis: Redis) -> SimpleWorker:
    worker = SimpleWorker([Queue("default", connection=redis)], connection=redis)
    worker.register_birth()
    return worker


@pytest.fixture
def scheduler(redis: Redis) -> Scheduler:
    scheduler = Scheduler(connection=redis, interval=1)
    scheduler.register_birth()
    return scheduler


def gauge(monitor: APIClient, name: str) -> float:
    lines = monitor.get("/metrics").content.decode().splitlines()
    return next(float(line.split()[1]) for line in lines if line.startswith(f"{name} "))


def due_since(age: timedelta, *, lane: str = "x", revocable: bool = False) -> Delivery:
    at = timezone.now() - age
    delivery = Delivery(
        notification=NotificationFactory(),
        user=UserFactory(),
        channel="webhook",
        revocable=revocable,
        due_at=at,
        expires_at=at,
    )
    return stored([delivery], lane=lane)[0]


@pytest.mark.parametrize("path", ["/health/live", "/health/live/"])
def test_it_says_that_it_lives_to_anyone_and_touches_nothing(
    anonymous: APIClient, settings: Any, path: str
) -> None:
    settings.REDIS_URL = "redis://127.0.0.1:1"
    assert anonymous.get(path, HTTP_AUTHORIZATION="Bearer tsn_x").json() == {"status": "ok"}


@pytest.mark.parametrize("path", ["/health/ready", "/health/ready/"])
def test_it_is_ready_when_everything_is_there(
    monitor: APIClient, worker: SimpleWorker, scheduler: Scheduler, path: str
) -> None:
    response = monitor.get(path)
    assert (response.status_code, response.json()["broken"]) == (200, [])
    assert set(response.json()["components"]) == {
        "postgresql",
        "redis",
        "migrations",
        "workers",
        "scheduler",
        "backlog",
        "brokers",
        "clocks",
        "channels",
        "evenings",
    }


def test_missing_workers_and_schedulers_are_named(monitor: APIClient) -> None:
    response = monitor.get("/health/ready")
    assert response.status_code == 503
    assert response.json()["broken"] == ["scheduler", "workers"]
    assert response["Retry-After"]


def test_a_worker_that_fell_silent_does_not_count(
    monitor: APIClient, worker: SimpleWorker, scheduler: Scheduler, redis: Redis
) -> None:
    redis.hset(worker.key, "last_heartbeat", "2026-01-01T00:00:00.000000Z")
    assert monitor.get("/health/ready").json()["broken"] == ["workers"]


def test_a_scheduler_that_left_does_not_count(
    monitor: APIClient, worker: SimpleWorker, scheduler: Scheduler
) -> None:
    scheduler.register_death()
    assert monitor.get("/health/ready").json()["broken"] == ["scheduler"]


def test_a_redis_that_is_away_is_named(monitor: APIClient, settings: Any) -> None:
    settings.REDIS_URL = "redis://127.0.0.1:1"
    began = time.monotonic()
    response = monitor.get("/health/ready")
    assert time.monotonic() - began < 10
    assert (response.status_code, response.json()["components"]["redis"]["ok"]) == (503, False)
    assert response.json()["components"]["postgresql"]["ok"]


@pytest.mark.slow
def test_a_redis_that_takes_no_writes_is_named(monitor: APIClient, settings: Any, tmp_path: Path) -> None:
    embedded.start_redis(at=tmp_path)
    settings.REDIS_URL = embedded.redis_url(at=tmp_path)
    try:
        with Redis.from_url(settings.REDIS_URL) as full:
            full.config_set("maxmemory", 1)
        found = monitor.get("/health/ready").json()["components"]["redis"]
    finally:
        embedded.destroy(at=tmp_path)
    assert not found["ok"]
    assert found["detail"].startswith("answers, but takes no writes: ")


def test_what_a_check_does_not_understand_is_said_and_hides_no_other(
    monitor: APIClient, worker: SimpleWorker, scheduler: Scheduler, redis: Redis
) -> None:
    due_since(timedelta(seconds=1))
    redis.hset(metrics.LOOKED_KEY, metrics.ORDINARY, "soon")
    answer = monitor.get("/health/ready")
    assert (answer.status_code, answer.json()["broken"]) == (503, ["backlog"])
    assert answer.json()["components"]["backlog"]["detail"].startswith("This can't be checked: ValueError")


def test_what_another_version_has_written_breaks_neither_readiness_nor_metrics(
    monitor: APIClient, worker: SimpleWorker, scheduler: Scheduler, redis: Redis
) -> None:
    redis.hset(lane_news.CLOSED, mapping={"a": "[1]", "b": "{", "c": '["a", "sms", 1, 0, "me", 7]'})
    redis.hset(health.KEY, "a|b|1", "[1]")
    redis.hset(metrics.SKEWS_KEY, "fast:1", f"61.5 {clock.timestamp()} ntp")
    answer = monitor.get("/health/ready")
    assert (answer.status_code, answer.json()["warnings"]) == (200, ["clocks"])
    assert monitor.get("/metrics").status_code == 200


def test_a_postgresql_that_is_away_is_named_to_anyone(
    monkeypatch: pytest.MonkeyPatch, anonymous: APIClient
) -> None:
    away = {**connection.get_connection_params(), "host": "127.0.0.1", "port": 1}
    monkeypatch.setattr(connection, "get_connection_params", lambda: away)
    response = anonymous.get("/health/ready")
    assert (response.status_code, response.json()) == (503, {"detail": "PostgreSQL can't be reached."})


def test_a_migration_that_is_not_applied_is_named(
    monitor: APIClient, worker: SimpleWorker, scheduler: Scheduler
) -> None:
    with connection.cursor() as cursor:
        cursor.execute(
            "UPDATE django_migrations SET name = 'gone' WHERE app = 'notifications' AND name LIKE '0001%%'",
            [],
        )
        try:
            response = monitor.get("/health/ready")
        finally:
            cursor.execute("UPDATE django_migrations SET name = '0001_initial' WHERE name = 'gone'")
    assert response.json()["broken"] == ["migrations"]
    assert "notifications.0001_initial" in response.json()["components"]["migrations"]["detail"]


def test_an_old_backlog_is_broken_only_where_nothing_is_being_sent(
    monitor: APIClient, worker: SimpleWorker, scheduler: Scheduler
) -> None:
    due_since(timedelta(minutes=10))
    response = monitor.get("/health/ready").json()
    assert response["broken"] == ["backlog"]
    assert response["components"]["backlog"]["detail"].startswith("1 due, the oldest for 60")
    metrics.looked(metrics.ORDINARY)
    metrics.flush()
    assert monitor.get("/health/ready").json()["broken"] == ["backlog"]
    metrics.add("attempts", "webhook", "unavailable")
    metrics.flush()
    assert monitor.get("/health/ready").json()["broken"] == []


def test_a_young_backlog_is_fine(monitor: APIClient, worker: SimpleWorker, scheduler: Scheduler) -> None:
    due_since(timedelta(seconds=10))
    assert monitor.get("/health/ready").json()["broken"] == []


@pytest.mark.slow
@pytest.mark.parametrize("revocable", [False, True], ids=["ordinary", "revocable"])
def test_what_is_due_and_nobody_looks_for_is_broken_within_seconds(
    monitor: APIClient, worker: SimpleWorker, scheduler: Scheduler, revocable: bool
) -> None:
    """Whatever else is attempted meanwhile."""
    kinds = [metrics.ORDINARY, metrics.REVOCABLE]
    due_since(timedelta(seconds=UNTAKEN_S + 1), revocable=revocable)
    metrics.add("attempts", "webhook", "sent")
    metrics.looked(kinds[not revocable])
    metrics.flush()
    response = monitor.get("/health/ready").json()
    assert response["broken"] == ["backlog"]
    assert response["components"]["backlog"]["detail"].endswith("and no sender looks for 1 of them")
    assert gauge(monitor, "tocsin_due_untaken") == 1
    metrics.looked(kinds[revocable])
    metrics.flush()
    assert monitor.get("/health/ready").json()["broken"] == []
    assert gauge(monitor, "tocsin_due_untaken") == 0


def test_leases_that_are_lost_and_not_made_due_again_are_broken_within_seconds(
    monitor: APIClient, worker: SimpleWorker, scheduler: Scheduler
) -> None:
    delivery = due_since(timedelta(seconds=1))
    for age_s, lost in ((LOST_S - 5, 0), (LOST_S + 1, 1)):
        over = timezone.now() - timedelta(seconds=age_s)
        Outgoing.objects.filter(pk=delivery.pk).update(lease_until=over)
        assert monitor.get("/health/ready").json()["broken"] == ["backlog"] * lost
        assert gauge(monitor, "tocsin_leases_lost") == lost


def test_a_server_that_takes_no_writes_is_broken(
    monitor: APIClient, worker: SimpleWorker, scheduler: Scheduler
) -> None:
    name = connection.settings_dict["NAME"]
    with connection.cursor() as cursor:
        cursor.execute(f'ALTER DATABASE "{name}" SET default_transaction_read_only = on')
        try:
            response = monitor.get("/health/ready")
        finally:
            cursor.execute(f'ALTER DATABASE "{name}" RESET default_transaction_read_only')
    assert (response.status_code, response.json()["broken"]) == (503, ["postgresql"])


def test_a_machine_whose_clock_is_off_is_named_and_breaks_nothing(
    monitor: APIClient, worker: SimpleWorker, scheduler: Scheduler, redis: Redis
) -> None:
    heard_at = clock.timestamp()
    told = {"fast:1": f"61.5 {heard_at}", "well:1": f"0.2 {heard_at}", "gone:1": f"-90 {heard_at - 3600}"}
    redis.hset(metrics.SKEWS_KEY, mapping=told)
    ready = monitor.get("/health/ready")
    assert (ready.status_code, ready.json()["components"]["clocks"]) == (
        200,
        {"ok": True, "detail": "warning: off are fast:1 by +61.5 s; PostgreSQL's is used"},
    )
    lines = monitor.get("/metrics").content.decode().splitlines()
    assert {'tocsin_clock_skew_seconds{process="fast:1"} 61.5'} <= set(lines)
    assert any(line.startswith(f'tocsin_clock_skew_seconds{{process="{clock.PROCESS}"}} ') for line in lines)
    assert not any("gone:1" in line for line in lines)
    assert not redis.hexists(metrics.SKEWS_KEY, "gone:1")


def test_the_backlog_is_counted_lane_by_lane_and_within_bounds(
    monitor: APIClient,
) -> None:
    for lane in ("a", "b"):
        for age_s in (5, 50, -50):
            due_since(timedelta(seconds=age_s), lane=lane)
            due_since(timedelta(seconds=age_s + 1), lane=lane, revocable=True)
    backlog = due_backlog(now=timezone.now())
    assert (backlog.ordinary.count, backlog.revocable.count, backlog.count) == (4, 4, 8)
    assert 50 <= backlog.ordinary.oldest_age_s < backlog.revocable.oldest_age_s < 60


@pytest.mark.slow
@pytest.mark.parametrize("path", ["/health/ready", "/metrics", "/metrics/"])
def test_only_staff_and_monitors_look_inside(
    as_user: LogIn, as_machine: Machine, owner: User, operator: User, path: str
) -> None:
    assert as_user(owner).get(path).status_code == 403
    assert as_machine("alerts:write").get(path).status_code == 403
    assert as_user(operator).get(path).status_code in (200, 503)
    assert as_machine("metrics:read").get(path).status_code in (200, 503)


def test_metrics_show_what_was_counted(monitor: APIClient, worker: SimpleWorker, redis: Redis) -> None:
    due_since(timedelta(seconds=90))
    metrics.flush()
    redis.flushdb()  # the events of the people just made are not what is counted here
    worker.register_birth()
    Queue("default", connection=redis).enqueue("os.getpid")
    metrics.add("accepted")
    metrics.add("deliveries", "webhook", "sent", amount=3)
    metrics.add_many([(("attempts", "email", "unavailable"), 2), (("attempts", "webhook", "sent"), 3)])
    metrics.add("provider_reports", "sms", "undelivered")
    for seconds in (0.004, 0.02, 7200.0):
        metrics.observe_lateness(seconds)
    metrics.flush()
    response = monitor.get("/metrics")
    assert response["Content-Type"].startswith("text/plain; version=")
    lines = response.content.decode().splitlines()
    for line in (
        "tocsin_alerts_accepted_total 1.0",
        'tocsin_deliveries_total{channel="webhook",outcome="sent"} 3.0',
        'tocsin_attempts_total{channel="email",outcome="unavailable"} 2.0',
        'tocsin_provider_reports_total{channel="sms",outcome="undelivered"} 1.0',
        "tocsin_due_backlog 1.0",
        'tocsin_queue_length{queue="default"} 1.0',
        "tocsin_workers 1.0",
        f'tocsin_tzdata_info{{version="{version("tzdata")}"}} 1.0',
        'tocsin_delivery_lateness_seconds_bucket{le="0.01"} 1.0',
        'tocsin_delivery_lateness_seconds_bucket{le="0.025"} 2.0',
        'tocsin_delivery_lateness_seconds_bucket{le="3600.0"} 2.0',
        'tocsin_delivery_lateness_seconds_bucket{le="+Inf"} 3.0',
        "tocsin_delivery_lateness_seconds_count 3.0",
    ):
        assert line in lines
    age = next(float(line.split()[1]) for line in lines if line.startswith("tocsin_oldest_due_age_seconds "))
    assert 90 <= age < 120


# --- What does not get through -----------------------------------------------------------------------------


def fail(channel: str, times: int) -> None:
    metrics.add("attempts", channel, "unavailable", amount=times)
    metrics.flush()


@pytest.mark.slow
def test_a_channel_that_does_not_get_through_is_named_and_breaks_nothing(
    monitor: APIClient, worker: SimpleWorker, scheduler: Scheduler
) -> None:
    fail("sms", 3)
    answer = monitor.get("/health/ready")
    assert (answer.status_code, answer.json()["broken"], answer.json()["warnings"]) == (200, [], ["channels"])
    detail = answer.json()["components"]["channels"]["detail"]
    assert "sms has been failing since" in detail
    assert "(3 attempts failed)" in detail
    assert 'tocsin_channel_failing_seconds{channel="sms"}' in monitor.get("/metrics").content.decode()
    # One that gets through ends it.
    metrics.add("attempts", "sms", "sent")
    metrics.flush()
    answer = monitor.get("/health/ready")
    assert (answer.json()["warnings"], answer.json()["components"]["channels"]["detail"]) == (
        [],
        "all get through",
    )
    assert "tocsin_channel_failing_seconds{" not in monitor.get("/metrics").content.decode()


@pytest.mark.slow
@pytest.mark.parametrize(("outcome", "times"), [("rejected", 2), ("lost", 10)])
def test_a_wrong_number_or_a_lost_worker_is_no_trouble_of_a_channel(
    monitor: APIClient, outcome: str, times: int
) -> None:
    metrics.add("attempts", "sms", outcome, amount=times)
    metrics.flush()
    assert monitor.get("/health/ready").json()["warnings"] == []


def tell_of(lane: str, *, until: float, probe_s: float) -> None:
    """Tell the workers of a lane, as one of them does."""

    async def tell() -> None:
        peers = Peers()
        news = LaneNews(peers, clock.now, on_news=lambda _: None)
        await news.tell(lane, "sms", until=until, probe_s=probe_s)
        await peers.close()

    asyncio.run(tell())


def test_a_closed_lane_is_named_until_it_is_open(monitor: APIClient) -> None:
    tell_of("https://api.twilio.com", until=clock.timestamp() + 60, probe_s=5.0)
    detail = monitor.get("/health/ready").json()["components"]["channels"]["detail"]
    assert "https://api.twilio.com (sms) is closed after lasting failure, since" in detail
    exposed = monitor.get("/metrics").content.decode()
    assert 'tocsin_lane_closed_seconds{channel="sms",lane="https://api.twilio.com"}' in exposed
    tell_of("https://api.twilio.com", until=0.0, probe_s=0.0)
    assert monitor.get("/health/ready").json()["warnings"] == []


def test_staff_see_it_where_they_start_and_others_do_not(as_user: LogIn, operator: User, owner: User) -> None:
    fail("sms", 3)
    for path in ("/", "/admin/"):
        assert "sms has been failing since" in as_user(operator).get(path).content.decode()
    assert "sms" not in as_user(owner).get("/").content.decode()
