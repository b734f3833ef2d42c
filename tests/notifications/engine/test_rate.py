"""A rate is kept by all workers together, whether Redis hands it out or each keeps to its own part."""

import asyncio
import time
from collections.abc import AsyncIterator
from itertools import pairwise

import pytest
from pytest_django import Settings
from redis import Redis

from notifications.engine.peers import Peers
from notifications.engine.rate import ALONE_S, LATE_S, SLICE_S, Rate, Slice
from notifications.engine.slices import Slices


def began(rate: Rate, seconds: float) -> list[float]:
    """Return when its sends begin, of a worker that has one ready at every time."""
    now, times = 0.0, []
    while now < seconds:
        if wait_s := rate.wait_s(now, front=False):
            now += wait_s
        else:
            rate.take(now)
            times.append(now)
    return times


def alone(per_s: float, *, workers: int) -> Rate:
    """Return the rate of a worker that gets no answer."""
    rate = Rate(per_s, lambda: rate.unanswered(0.0, workers=workers))
    return rate


@pytest.mark.parametrize(("per_s", "workers"), [(20, 1), (20, 2), (1, 4)])
def test_a_worker_that_is_alone_keeps_to_its_part_of_it_evenly(per_s: float, workers: int) -> None:
    times = began(alone(per_s, workers=workers), ALONE_S)
    pauses = [after - before for before, after in pairwise(times)]
    assert len(times) == pytest.approx(per_s / workers * ALONE_S, abs=1)
    assert pauses == [pytest.approx(workers / per_s, abs=0.001)] * len(pauses)


def test_it_asks_once_until_there_is_an_answer_and_again_after_that() -> None:
    asked: list[float] = []
    rate = Rate(10, lambda: asked.append(0.0))
    assert rate.wait_s(0.0, front=False) > 0
    assert rate.wait_s(0.01, front=False) > 0
    assert len(asked) == 1
    rate.granted(0.02, Slice(0, 0.3, 0.1))
    assert rate.wait_s(0.1, front=False) == pytest.approx(0.22)
    assert len(asked) == 1
    rate.wait_s(0.33, front=False)
    assert len(asked) == 2


def test_what_goes_first_begins_a_slice_before_its_time() -> None:
    rate = Rate(10, lambda: None)
    rate.wait_s(0.0, front=False)
    rate.granted(0.0, Slice(4, 0.1, 0.1))
    assert rate.wait_s(0.0, front=False) == pytest.approx(0.1)
    assert rate.wait_s(0.0, front=True) == 0
    assert rate.room_at_the_front(0.0) == sum(at <= SLICE_S for at in (0.1, 0.2, 0.3, 0.4))


def test_what_is_late_begins_no_closer_together() -> None:
    rate = Rate(10, lambda: None)
    rate.wait_s(0.0, front=False)
    rate.granted(0.0, Slice(3, 0.0, 0.1))
    assert rate.wait_s(0.5, front=False) == 0
    rate.take(0.5)
    assert rate.wait_s(0.5, front=False) == pytest.approx(0.1)


def test_what_is_much_too_late_is_given_up() -> None:
    asked: list[float] = []
    rate = Rate(10, lambda: asked.append(0.0))
    rate.wait_s(0.0, front=False)
    rate.granted(0.0, Slice(3, 0.0, 0.1))
    assert rate.wait_s(0.2 + LATE_S + 0.01, front=False) > 0
    assert len(asked) == 2


@pytest.fixture
async def peers(redis: Redis) -> AsyncIterator[list[Peers]]:
    made = [Peers() for _ in range(3)]
    yield made
    for each in made:
        await each.close()


async def send(peers: Peers, per_s: float, until: float) -> list[float]:
    """Send as fast as the rate allows; returns when each began."""
    slices, times = Slices(peers), []
    while time.monotonic() < until:
        part = await slices.take("lane", per_s, front=False)
        assert part is not None
        granted_at = time.monotonic()
        for number in range(part.count):
            at = granted_at + part.wait_s + number * part.interval_s
            await asyncio.sleep(max(0.0, at - time.monotonic()))
            times.append(at)
        if not part.count:
            await asyncio.sleep(part.wait_s + 0.01)
    return times


@pytest.mark.slow
@pytest.mark.parametrize("per_s", [40, 400])
async def test_workers_share_it_and_none_of_them_goes_without(peers: list[Peers], per_s: float) -> None:
    until = time.monotonic() + 2
    shares = await asyncio.gather(*(send(each, per_s, until) for each in peers))
    times = sorted(at for share in shares for at in share if at < until)
    assert 1.5 * per_s <= len(times) <= 2 * per_s + SLICE_S * per_s
    for first in times:
        assert sum(first <= at < first + 1 for at in times) <= per_s * 1.1 + 2
    assert min(map(len, shares)) >= 0.6 * len(times) / len(peers)


async def test_what_goes_first_gets_a_time_however_much_is_handed_out(peers: list[Peers]) -> None:
    one, two, urgent = map(Slices, peers)
    while (await one.take("lane", 10, front=False)).count:
        pass
    assert (await two.take("lane", 10, front=False)).count == 0
    part = await urgent.take("lane", 10, front=True)
    assert (part.count, part.wait_s <= SLICE_S + 0.1) == (1, True)


async def test_lanes_share_nothing(peers: list[Peers]) -> None:
    slices = Slices(peers[0])
    for lane in ("one", "two"):
        part = await slices.take(lane, 4, front=False)
        assert (part.count, part.wait_s) == (1, 0)


async def test_where_redis_is_away_it_says_so_at_once(settings: Settings) -> None:
    settings.REDIS_URL = "redis://127.0.0.1:1"
    away = Peers()
    started = time.monotonic()
    assert await Slices(away).take("lane", 10, front=False) is None
    assert time.monotonic() - started < 2
    await away.close()
