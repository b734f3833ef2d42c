"""Counts by the minute and by the quarter of an hour, which end by themselves."""

import pytest
from redis import Redis

from notifications import metrics, series
from notifications.series import MINUTES, QUARTERS, Grain

#: 2026-03-02 12:00:00 UTC.
NOON = 1772452800.0
SENT = ("deliveries", "webhook", "sent")


def noted(redis: Redis, at: float, **counts: float) -> None:
    pipeline = redis.pipeline(transaction=False)
    series.note(pipeline, {tuple(name.split("_")): count for name, count in counts.items()}, at=at)
    pipeline.execute()


@pytest.mark.parametrize(("grain", "shown"), [(MINUTES, [2, 0, 8]), (QUARTERS, [0, 0, 10])])
def test_what_happened_in_one_time_is_added_up(redis: Redis, grain: Grain, shown: list[float]) -> None:
    noted(redis, NOON + 1, deliveries_webhook_sent=2)
    noted(redis, NOON + 121, deliveries_webhook_sent=5)
    noted(redis, NOON + 179.9, deliveries_webhook_sent=3, attempts_webhook_sent=9)
    counts = series.read(redis, grain, at=NOON + 179.9)
    assert len(counts) == grain.kept
    assert [each.get(SENT, 0) for each in counts[-3:]] == shown
    assert sum(each.get(SENT, 0) for each in counts) == 10
    assert not any(("attempts", "webhook", "sent") in each for each in counts)


@pytest.mark.parametrize("grain", [MINUTES, QUARTERS])
def test_what_is_older_is_not_read_and_ends(redis: Redis, grain: Grain) -> None:
    noted(redis, NOON, accepted=1)
    whole = grain.seconds * grain.kept
    assert sum(each.get(("accepted",), 0) for each in series.read(redis, grain, at=NOON + whole - 1)) == 1
    assert sum(each.get(("accepted",), 0) for each in series.read(redis, grain, at=NOON + whole)) == 0
    lives = sorted(redis.ttl(key) for key in redis.scan_iter("tocsin:series:*"))
    assert lives == pytest.approx([61 * 60, 97 * 900], abs=5)


def test_what_is_counted_is_in_them(redis: Redis) -> None:
    metrics.flush()
    redis.flushdb()
    metrics.add("accepted", amount=3)
    metrics.add("events", "known")
    metrics.flush()
    (key, _) = sorted(redis.scan_iter("tocsin:series:*"))
    assert redis.hgetall(key) == {b"accepted": b"3"}
