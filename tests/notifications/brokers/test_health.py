"""What consumers say of themselves, as readiness and metrics have it."""

import subprocess
import time
from dataclasses import asdict, replace
from typing import Any

import orjson
import pytest
from redis import Redis

from config import readiness
from notifications import metrics
from notifications.brokers import health
from notifications.brokers.health import Beat
from notifications.exposition import exposition
from notifications.models import OutgoingMessage


def other(redis: Redis, beat: Beat, name: str, **changes: Any) -> None:
    """Write what another process would have said."""
    state = replace(beat.state, **changes)
    redis.hset(health.KEY, f"{state.source}|elsewhere|{name}", orjson.dumps(asdict(state)))


def test_nobody_is_missed_where_no_consumer_runs(redis: Redis) -> None:
    assert health.finding(redis) == (True, "no consumer runs")


def test_a_connected_one_is_well_and_one_whose_broker_is_away_says_which_and_why(redis: Redis) -> None:
    Beat("events").say(connected=True)
    beat = Beat("dating")
    beat.say(connected=False, detail="ConnectionRefusedError")
    beat.say(connected=True)
    assert health.finding(redis) == (True, "dating: connected; events: connected")
    beat.say(connected=False, detail="ConnectionRefusedError")
    well, words = health.finding(redis)
    assert not well
    assert words == "dating: away for 0 s (ConnectionRefusedError); events: connected"


def test_one_that_left_in_good_order_is_not_missed_and_a_lost_one_is(redis: Redis) -> None:
    beat = Beat("events")
    beat.say(connected=True)
    beat.leave()
    assert health.finding(redis)[0]
    other(redis, beat, "1", at=time.time() - 60)
    assert health.finding(redis) == (False, "events: not heard of for 60 s")


def test_who_leaves_takes_with_it_those_that_were_killed_on_the_same_machine(redis: Redis) -> None:
    beat = Beat("events")
    beat.say(connected=True)
    with subprocess.Popen(["true"]) as killed:
        killed.wait()
    here = beat.field.rpartition("|")[0]
    redis.hset(health.KEY, f"{here}|{killed.pid}", orjson.dumps(asdict(beat.state)))
    beat.leave()
    assert health.finding(redis) == (True, "no consumer runs")


def test_a_lost_one_is_forgotten_when_another_has_taken_its_place_or_after_a_day(redis: Redis) -> None:
    beat = Beat("events")
    beat.say(connected=True)
    other(redis, beat, "1", at=time.time() - 60)
    other(redis, Beat("dating"), "2", at=time.time() - 100_000)
    assert health.finding(redis) == (True, "events: connected")
    assert redis.hlen(health.KEY) == 1


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
