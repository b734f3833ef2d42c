"""What Tocsin was away for isn't held against heartbeats; what is dead is told all the same."""

import uuid
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from itertools import cycle

import pytest
from django.db import transaction
from django.db.models import F
from django.test import Client
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from config import clock
from escalation.heartbeats import missing
from escalation.heartbeats.changing import heartbeat_update
from escalation.heartbeats.pinging import Ping, heartbeat_ping
from escalation.models import AlertGroup, Heartbeat, HeartbeatPing, HeartbeatWatch
from notifications.jobs import sweep
from tests.escalation.heartbeats.conftest import pass_by

pytestmark = pytest.mark.django_db

HALF_AN_HOUR = 1_800
NOW = datetime(2026, 1, 31, 10, tzinfo=UTC)


def ping(heartbeat: Heartbeat) -> None:
    assert Client().get(f"/ping/{heartbeat.ping_uuid}").status_code == 200


def be_away(seconds: float, *heartbeats: Heartbeat) -> None:
    """Let so much time have passed in which Tocsin did nothing."""
    HeartbeatWatch.objects.update(looked_at=F("looked_at") - timedelta(seconds=seconds))
    for each in heartbeats:
        pass_by(each, seconds)


def told() -> list[str]:
    return list(AlertGroup.objects.order_by("title").values_list("title", flat=True))


@pytest.fixture
def pinged(heartbeat: Heartbeat) -> Heartbeat:
    """One that came in while Tocsin was at work: every minute, with ten seconds of grace."""
    ping(heartbeat)
    sweep()
    return heartbeat


def test_one_that_pings_again_after_the_return_is_not_told(pinged: Heartbeat) -> None:
    be_away(HALF_AN_HOUR, pinged)
    sweep()
    pass_by(pinged, 65)
    sweep()
    ping(pinged)
    sweep()
    assert told() == []
    pinged.refresh_from_db()
    assert pinged.due_at is not None
    assert pinged.due_at <= clock.now() + timedelta(seconds=70)  # as ever from here on


def test_one_that_is_dead_is_told_a_period_and_the_grace_after_the_return(pinged: Heartbeat) -> None:
    be_away(HALF_AN_HOUR, pinged)
    sweep()
    pass_by(pinged, 68)
    sweep()
    assert told() == []
    pass_by(pinged, 3)
    sweep(), sweep()
    assert told() == ["Back-up has not reported"]


def test_one_that_would_be_due_just_after_the_return_has_the_same_time(pinged: Heartbeat) -> None:
    pass_by(pinged, 40)
    be_away(25, pinged)
    sweep()
    pass_by(pinged, 10)
    sweep()
    assert told() == []


def test_a_run_that_may_have_ended_meanwhile_is_waited_for(heartbeat: Heartbeat) -> None:
    sweep()
    Client().get(f"/ping/{heartbeat.ping_uuid}/start")
    be_away(HALF_AN_HOUR, heartbeat)
    sweep()
    assert told() == []
    pass_by(heartbeat, 71)
    sweep()
    assert told() == ["Back-up has started and not ended"]


def test_what_was_due_before_is_told_on_the_return(pinged: Heartbeat) -> None:
    pass_by(pinged, 71)
    be_away(HALF_AN_HOUR, pinged)
    sweep()
    assert told() == ["Back-up has not reported"]


def test_a_pause_of_seconds_changes_nothing(pinged: Heartbeat) -> None:
    pass_by(pinged, 65)
    be_away(10, pinged)
    sweep()
    assert told() == ["Back-up has not reported"]


@pytest.mark.parametrize(
    ("fields", "waits_s"),
    [
        ({"period_s": 600, "grace_s": 60}, 660),
        ({"period_s": 3_600, "grace_s": 3_600}, 7_200),
        ({"period_s": 86_400, "grace_s": 300}, 3_900),
        ({"cron": "* * * * *", "grace_s": 30}, 3_630),
    ],
)
def test_a_period_counts_for_an_hour_at_most(
    make: Callable[..., Heartbeat], fields: dict[str, object], waits_s: int
) -> None:
    heartbeat = make(**fields)
    ping(heartbeat)
    sweep()
    be_away(2 * 86_400, heartbeat)
    sweep()
    heartbeat.refresh_from_db()
    assert heartbeat.due_at is not None
    waits = heartbeat.due_at - clock.now()
    assert timedelta(seconds=waits_s - 5) < waits <= timedelta(seconds=waits_s)


def test_what_is_due_later_anyway_keeps_its_time(make: Callable[..., Heartbeat]) -> None:
    heartbeat = make(period_s=86_400)
    ping(heartbeat)
    sweep()
    be_away(HALF_AN_HOUR, heartbeat)
    due_at = heartbeat.due_at
    sweep()
    heartbeat.refresh_from_db()
    assert heartbeat.due_at == due_at


def test_a_new_name_does_not_take_the_time_away(pinged: Heartbeat) -> None:
    be_away(HALF_AN_HOUR, pinged)
    sweep()
    heartbeat_update(heartbeat=pinged, name="Nightly back-up")
    sweep()
    assert told() == []
    heartbeat_update(heartbeat=pinged, grace_s=20)  # counts from the last ping on
    sweep()
    assert told() == ["Nightly back-up has not reported"]


def look_until(now: datetime) -> None:
    """Have Tocsin at work until then, and look."""
    HeartbeatWatch.objects.update(looked_at=now)
    missing.look(now)


def ping_at(heartbeat: Heartbeat, now: datetime) -> None:
    heartbeat_ping(ping_uuid=heartbeat.ping_uuid, ping=Ping(HeartbeatPing.Kind.SUCCESS, "GET"), now=now)


SECONDS = st.integers(16, 7_200)


@pytest.mark.slow
@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.integers(1, 3_600), st.integers(1, 900), SECONDS, st.integers(0, 3_599))
@example(3_600, 1, 1_800, 3_599)
@example(60, 10, 16, 50)
def test_whatever_pings_as_before_rides_out_an_absence(
    make: Callable[..., Heartbeat], period_s: int, grace_s: int, away_s: int, after_s: int
) -> None:
    """Tocsin is away so long, and goes so long after a ping."""
    period = timedelta(seconds=period_s)
    with transaction.atomic():
        heartbeat = make(slug=f"a{uuid.uuid4().hex}", period_s=period_s, grace_s=grace_s)
        missing.look(NOW)
        ping_at(heartbeat, NOW)
        gone_at = NOW + timedelta(seconds=after_s % period_s)
        look_until(gone_at)
        back_at = gone_at + timedelta(seconds=away_s)
        missing.look(back_at)
        first = NOW + -((NOW - back_at) // period) * period
        for at in (first, first + period):
            look_until(at)
            ping_at(heartbeat, at)
        assert told() == []
        transaction.set_rollback(True)


@pytest.mark.slow
@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(st.tuples(SECONDS, SECONDS), min_size=1, max_size=12))
@example([(16, 60)])
def test_what_is_dead_is_told_however_often_tocsin_is_away(
    make: Callable[..., Heartbeat], spans: list[tuple[int, int]]
) -> None:
    """Each span is how long Tocsin is away, and how long it is at work afterwards."""
    with transaction.atomic():
        heartbeat, now, work_s = make(slug=f"a{uuid.uuid4().hex}", period_s=600), NOW, 0
        missing.look(now)
        ping_at(heartbeat, now)
        for away_s, at_work_s in cycle(spans):
            now += timedelta(seconds=away_s)
            missing.look(now)
            now += timedelta(seconds=at_work_s)
            look_until(now)
            work_s += at_work_s
            if work_s >= 600 + 10:
                break
        assert told() == ["Back-up has not reported"]
        transaction.set_rollback(True)
