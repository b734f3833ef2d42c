"""What consumers say of themselves, as readiness and metrics have it."""

import subprocess
import time
from dataclasses import asdict, replace
from typing import Any

import orjson
import pytest
from pytest_django import Settings
from redis import Redis

from config import readiness
from config.findings import Finding
from notifications import metrics
from notifications.brokers import health
from notifications.brokers.health import Beat
from notifications.brokers.metrics import families as families_of_brokers
from notifications.exposition import exposition
from notifications.models import OutgoingMessage


def other(redis: Redis, beat: Beat, name: str, **changes: Any) -> None:
    """Write what another process would have said."""
    state = replace(beat.state, **changes)
    redis.hset(health.KEY, f"{state.source}|elsewhere|{name}", orjson.dumps(asdict(state)))


def test_nobody_is_missed_where_no_consumer_runs(redis: Redis) -> None:
    assert health.finding(redis) == Finding(True, "no consumer is running")


def test_a_connected_one_is_well_and_one_whose_broker_is_away_says_which_and_why(redis: Redis) -> None:
    Beat("events").say(connected=True)
    beat = Beat("dating")
    beat.say(connected=False, detail="ConnectionRefusedError")
    beat.say(connected=True)
    assert health.finding(redis) == Finding(True, "dating: connected; events: connected")
    beat.say(connected=False, detail="ConnectionRefusedError")
    said = "dating: away for 0 s (ConnectionRefusedError); events: connected"
    assert health.finding(redis) == Finding(False, said)


def test_one_that_left_in_good_order_is_not_missed_and_a_lost_one_is(redis: Redis) -> None:
    beat = Beat("events")
    beat.say(connected=True)
    beat.leave()
    assert health.finding(redis).ok
    other(redis, beat, "1", at=time.time() - 60)
    assert health.finding(redis) == Finding(False, "events: not heard from for 60 s")


def test_who_leaves_takes_with_it_those_that_were_killed_on_the_same_machine(redis: Redis) -> None:
    beat = Beat("events")
    beat.say(connected=True)
    with subprocess.Popen(["true"]) as killed:
        killed.wait()
    here = beat.field.rpartition("|")[0]
    redis.hset(health.KEY, f"{here}|{killed.pid}", orjson.dumps(asdict(beat.state)))
    beat.leave()
    assert health.finding(redis) == Finding(True, "no consumer is running")


def test_a_lost_one_is_forgotten_when_another_has_taken_its_place_or_after_a_day(redis: Redis) -> None:
    beat = Beat("events")
    beat.say(connected=True)
    other(redis, beat, "1", at=time.time() - 60)
    other(redis, Beat("dating"), "2", at=time.time() - 100_000)
    assert health.finding(redis) == Finding(True, "events: connected")
    assert redis.hlen(health.KEY) == 1


@pytest.fixture
def read(settings: Settings) -> None:
    """Two sources are configured, of which one answers what it reads."""
    url = {"url": "amqp://localhost"}
    given = settings.SOURCES
    settings.SOURCES = {"dating": given["dating"] | url, "tracing": given["tracing"] | url}


def connected() -> dict[str, float]:
    families = {family.name: family for family in families_of_brokers({})}
    samples = families["tocsin_consumers_connected"].samples
    return {sample.labels["source"]: sample.value for sample in samples}


@pytest.mark.django_db
def test_a_source_that_is_to_be_read_and_of_which_nobody_is_heard_is_named(redis: Redis, read: None) -> None:
    nobody = "warning: dating: not heard from; publisher: not heard from; tracing: not heard from"
    assert health.finding(redis) == Finding(True, nobody)
    assert connected() == {"dating": 0, "publisher": 0, "tracing": 0}
    beat = Beat("dating")
    beat.say(connected=True)
    Beat("publisher").say(connected=True)
    said = "warning: dating: connected; publisher: connected; tracing: not heard from"
    assert health.finding(redis) == Finding(True, said)
    assert connected() == {"dating": 1, "publisher": 1, "tracing": 0}


def test_one_that_is_lost_is_missed_until_another_has_taken_its_place(redis: Redis, read: None) -> None:
    other(redis, Beat("tracing"), "1", at=time.time() - 100_000)
    Beat("dating").say(connected=True)
    Beat("publisher").say(connected=True)
    found = health.finding(redis)
    assert not found.ok
    assert found.detail.endswith("tracing: not heard from for 100000 s")
    Beat("tracing").say(connected=True)
    assert health.finding(redis).ok
    assert redis.hlen(health.KEY) == 3


def test_what_another_version_says_is_read_as_far_as_it_is_understood(redis: Redis) -> None:
    beat = Beat("events")
    beat.say(connected=True)
    later = asdict(beat.state) | {"source": "dating", "mood": "well"}
    said = {"dating|elsewhere|1": orjson.dumps(later), "x|elsewhere|1": b"[1]", "x|elsewhere|2": b"{"}
    redis.hset(health.KEY, mapping=said)
    assert health.finding(redis) == Finding(True, "dating: connected; events: connected")


@pytest.mark.django_db
def test_readiness_and_metrics_tell_of_them(redis: Redis) -> None:
    Beat("events").say(connected=True, lag_s=1.5, held=3)
    OutgoingMessage.objects.create(broker="events", body={})
    metrics.add("messages", "events", "done", amount=7)
    metrics.observe("message_age", 0.2)
    metrics.flush()
    assert readiness.findings()["brokers"] == {"ok": True, "detail": "events: connected"}
    text = exposition().decode()
    for line in (
        'tocsin_messages_total{outcome="done",source="events"} 7.0',
        'tocsin_consumers_connected{source="events"} 1.0',
        'tocsin_message_lag_seconds{source="events"} 1.5',
        'tocsin_messages_held{source="events"} 3.0',
        "tocsin_outgoing_messages 1.0",
        "tocsin_message_age_seconds_count 1.0",
    ):
        assert line in text
