"""What one worker finds out about a destination, all know; and all together keep to its rate."""

import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest
from pytest_django import Settings
from redis import Redis
from structlog.testing import capture_logs

from config import embedded
from notifications import queue
from notifications.engine import lane_news
from notifications.engine.rate import SLICE_S
from notifications.engine.sender import Sender
from notifications.models import Delivery
from tests.clock import Clock
from tests.notifications.engine.conftest import statuses
from tests.servers.third_party import ThirdParty

Make = Callable[..., list[Delivery]]
Start = Callable[[], Sender]
# A worker that has been told of something does it within this.
KNOWS_S = 1.0


@pytest.fixture
def own_redis(settings: Settings, tmp_path: Path) -> Iterator[Redis]:
    """A Redis of the test's own, of which it can see and change what concerns the whole server."""
    embedded.start_redis(at=tmp_path)
    settings.REDIS_URL = embedded.redis_url(at=tmp_path)
    yield Redis.from_url(settings.REDIS_URL)
    embedded.destroy(at=tmp_path)


@pytest.fixture
def start(transactional_db: None, clock: Clock, redis: Redis) -> Iterator[Start]:
    """Start another worker's sender."""
    with ExitStack() as running:

        def one_more() -> Sender:
            listeners = listening()
            sender = Sender(clock=clock)
            sender.start()
            running.callback(sender.stop)
            deadline = time.monotonic() + 10
            while listening() == listeners:
                assert time.monotonic() < deadline, "it listens to nobody"
                time.sleep(0.01)
            return sender

        yield one_more


def listening() -> int:
    ((_, count),) = queue.redis().pubsub_numsub(queue.channel(lane_news.CHANNEL))
    return int(count)


def most_in_a_second(third_party: ThirdParty) -> int:
    times = sorted(request.received_at for request in third_party.requests)
    return max(sum(first <= at < first + 1 for at in times) for first in times)


@pytest.mark.slow
def test_all_workers_together_keep_to_a_rate(
    start: Start, make_deliveries: Make, third_party: ThirdParty, settings: Settings
) -> None:
    settings.CHANNEL_POLICIES = {"webhook": {"rate": 20}}
    workers = [start() for _ in range(3)]
    made = make_deliveries(60, third_party.url)
    for each in workers:
        each.wake()
    third_party.wait_for(60, timeout=15)
    times = [request.received_at for request in third_party.requests]
    assert third_party.counts() == {str(each.pk): 1 for each in made}
    assert most_in_a_second(third_party) <= 20 * (1 + SLICE_S)
    assert max(times) - min(times) == pytest.approx(3, abs=0.7)


@pytest.mark.slow
def test_a_worker_that_is_alone_uses_all_of_a_rate(
    start: Start, make_deliveries: Make, third_party: ThirdParty, settings: Settings
) -> None:
    settings.CHANNEL_POLICIES = {"webhook": {"rate": 100}}
    busy, _ = start(), start()
    make_deliveries(200, third_party.url)
    busy.wake()
    third_party.wait_for(200, timeout=15)
    times = [request.received_at for request in third_party.requests]
    assert max(times) - min(times) == pytest.approx(2, abs=0.5)


@pytest.mark.slow
@pytest.mark.parametrize("fault", ["away", "full"])
def test_a_rate_is_kept_to_without_redis_too_and_nobody_is_held_up(
    transactional_db: None,
    make_deliveries: Make,
    third_party: ThirdParty,
    settings: Settings,
    own_redis: Redis,
    fault: str,
) -> None:
    settings.CHANNEL_POLICIES = {"webhook": {"rate": 20}}
    if fault == "full":
        own_redis.config_set("maxmemory", 1)
    else:
        settings.REDIS_URL = "redis://127.0.0.1:1"
    worker = Sender()
    worker.start()
    make_deliveries(40, third_party.url)
    worker.wake()
    third_party.wait_for(40, timeout=15)
    worker.stop()
    times = [request.received_at for request in third_party.requests]
    assert max(times) - min(times) == pytest.approx(2, abs=0.7)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("behaviour", "policy"),
    [("retry_after:40", {}), ("status:503", {"BREAKER_FAILURES": 3, "BREAKER_AFTER_S": 0.0})],
)
def test_what_one_finds_out_keeps_the_others_from_trying(
    start: Start,
    make_deliveries: Make,
    third_party: ThirdParty,
    settings: Settings,
    behaviour: str,
    policy: dict[str, Any],
) -> None:
    settings.CHANNEL_POLICIES = {"webhook": {"concurrency": 4}}
    settings.BREAKER_PROBE_S = 30.0
    for name, value in policy.items():
        setattr(settings, name, value)
    finder, other = start(), start()
    third_party.behave(behaviour)
    make_deliveries(100, third_party.url)
    finder.wake()
    assert finder.drain(20)
    tried = len(third_party.requests)
    assert 0 < tried <= 8
    time.sleep(KNOWS_S)
    other.wake()
    assert other.drain(20)
    later = start()  # which has heard nothing, but looks at what is known
    later.wake()
    assert later.drain(20)
    assert len(third_party.requests) == tried


@pytest.mark.slow
def test_all_go_on_as_soon_as_one_finds_it_well(
    start: Start, make_deliveries: Make, third_party: ThirdParty, settings: Settings
) -> None:
    settings.CHANNEL_POLICIES = {"webhook": {"concurrency": 4}}
    settings.BREAKER_FAILURES, settings.BREAKER_AFTER_S = 3, 0.0
    settings.BREAKER_PROBE_S = 2.0
    finder, other = start(), start()
    third_party.behave("status:503")
    make_deliveries(100, third_party.url)
    finder.wake()
    assert finder.drain(20)
    time.sleep(KNOWS_S)
    (lane,) = other._pump.lanes.values()
    assert lane.breaker.is_open
    third_party.behave("ok")
    finder.wake()  # and not the other: it hears of it
    deadline = time.monotonic() + 10
    while statuses() != {"sent": 100} or lane.breaker.is_open:
        assert time.monotonic() < deadline, statuses()
        finder.wake()
        time.sleep(0.05)


def test_news_that_a_worker_does_not_understand_keep_it_from_nothing(
    start: Start, make_deliveries: Make, third_party: ThirdParty, redis: Redis
) -> None:
    odd = [b"[1]", b"{", b"7", b'["lane", "webhook", "soon", 0, "me"]', b'["lane", "webhook", 1, 0, "me", 7]']
    redis.hset(lane_news.CLOSED, mapping=dict(enumerate(odd)))
    with capture_logs() as logs:
        worker = start()
        for each in odd:
            redis.publish(queue.channel(lane_news.CHANNEL), each)
        make_deliveries(5, third_party.url)
        worker.wake()
        third_party.wait_for(5, timeout=15)
    assert {each["event"] for each in logs if each["log_level"] in ("warning", "error")} == {
        "lane_news_not_understood"
    }


@pytest.mark.slow
def test_a_lane_without_a_rate_and_failures_asks_redis_for_nothing(
    own_redis: Redis, start: Start, make_deliveries: Make, third_party: ThirdParty
) -> None:
    worker = start()
    asked = calls(own_redis)
    made = make_deliveries(200, third_party.url)
    worker.wake()
    assert worker.drain(20)
    assert third_party.counts() == {str(each.pk): 1 for each in made}
    assert calls(own_redis) == asked


def calls(redis: Redis) -> dict[str, int]:
    stats = redis.info("commandstats")
    names = ("cmdstat_evalsha", "cmdstat_publish")
    return {name: stats[name]["calls"] for name in names if name in stats}
