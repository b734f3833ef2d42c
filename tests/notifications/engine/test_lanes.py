"""A destination's share of a worker, and its circuit breaker."""

from types import SimpleNamespace

import pytest

from notifications.engine.breaker import Breaker
from notifications.engine.lanes import (
    FORGET_AFTER_S,
    FORGET_FAILED_AFTER_S,
    HOLD_JITTER,
    MIN_CLAIM,
    START_WIDTH,
    Lane,
)
from notifications.engine.rate import Rate
from notifications.models import BEHIND


def breaker() -> Breaker:
    return Breaker(failures_to_open=3, open_after_s=30, probe_s=5, probe_max_s=15)


@pytest.fixture
def lane() -> Lane:
    return Lane("https://example.com:443", 64, breaker())


def test_a_short_outage_never_opens_the_breaker() -> None:
    it = breaker()
    for second in range(29):
        it.failed(now=second)
    assert not it.is_open
    assert it.probes(29) is None


def test_a_few_failures_far_apart_never_open_the_breaker() -> None:
    it = breaker()
    it.failed(now=0)
    it.failed(now=1000)
    assert not it.is_open


def test_lasting_failure_opens_it_and_single_probes_pass() -> None:
    it = breaker()
    for second in (0, 15, 30):
        it.failed(now=second)
    assert it.is_open
    assert it.probes(34.9) == 0
    assert it.probes(35) == 1


def test_failed_probes_double_the_wait_up_to_the_maximum() -> None:
    it = breaker()
    for second in (0, 15, 30):
        it.failed(now=second)
    waits = []
    for now in (100, 200, 300):
        it.failed(now=now, was_probe=True)
        assert it.open_until is not None
        waits.append(it.open_until - now)
    assert waits == [10, 15, 15]


def test_one_success_closes_it_and_forgets_the_failures() -> None:
    it = breaker()
    for second in (0, 15, 30):
        it.failed(now=second)
    it.succeeded()
    assert it.probes(30) is None
    it.failed(now=31)
    assert not it.is_open


def test_an_open_lane_has_room_for_one_probe_at_a_time(lane: Lane) -> None:
    for second in (0, 15, 30):
        lane.failed(second, stalled=False)
    assert lane.room(31) == 0
    assert lane.room(36) == 1
    lane.in_flight = 1
    assert lane.room(36) == 0


def opened(lane: Lane, now: float) -> None:
    """Sixteen sends are under way when the breaker opens, and all of them fail."""
    for _ in range(16):
        lane.begin(now)
    lane.breaker.failures, lane.breaker.failing_since = 100, now - 100
    for _ in range(16):
        lane.in_flight -= 1
        lane.failed(now, stalled=False)


def test_sends_under_way_when_it_opens_are_no_probes(lane: Lane) -> None:
    opened(lane, now=100)
    assert lane.breaker.open_until == 105
    lane.begin(105)
    lane.in_flight -= 1
    lane.failed(106, stalled=False)
    assert lane.breaker.open_until == 116


def test_nothing_begins_in_an_open_lane_but_one_probe(lane: Lane) -> None:
    opened(lane, now=100)
    assert not lane.may_begin(104, front=True)
    assert lane.may_begin(105, front=False)
    lane.begin(105)
    assert not lane.may_begin(105, front=True)
    assert lane.closed_until(104) == 105


def test_a_lane_that_is_too_fast_is_held_for_as_long_as_it_is_asked_to(lane: Lane) -> None:
    lane.congested(0, retry_after_s=40)
    assert (lane.room(39.9), lane.room_at_the_front(39.9)) == (0, 0)
    assert not lane.may_begin(39.9, front=True)
    end = lane.closed_until(0)
    assert end is not None
    assert 40 <= end <= 40 * (1 + HOLD_JITTER)
    assert lane.may_begin(end, front=False)


def test_a_hold_is_never_longer_than_the_channel_allows(lane: Lane) -> None:
    lane.hold_max_s = 60
    lane.congested(0, retry_after_s=86_400)
    assert lane.may_begin(60 * (1 + HOLD_JITTER), front=False)


def test_a_hold_halves_the_width_once_whatever_was_under_way(lane: Lane) -> None:
    for _ in range(16):
        lane.congested(0, retry_after_s=1)
    assert lane.width == START_WIDTH // 2
    lane.congested(10, retry_after_s=1)
    assert lane.width == START_WIDTH // 4


def test_a_lane_that_is_told_no_time_waits_longer_each_time(lane: Lane) -> None:
    now, waits, leasts = 0.0, [], (1, 2, 4, 8, 16, 32, 60, 60)
    for _ in leasts:
        lane.congested(now, retry_after_s=None)
        waits.append(lane.held_until - now)
        now = lane.held_until
    assert all(least <= wait <= least * 1.25 for least, wait in zip(leasts, waits, strict=True))
    lane.succeeded()
    lane.congested(now, retry_after_s=None)
    assert lane.held_until - now <= 1.25


def test_being_too_fast_never_opens_the_breaker_and_closes_it(lane: Lane) -> None:
    for second in range(100):
        lane.congested(second, retry_after_s=0)
    assert not lane.breaker.is_open
    opened(lane, now=100)
    lane.begin(105)
    lane.congested(106, retry_after_s=1)
    assert not lane.breaker.is_open


def test_a_lane_with_a_rate_claims_no_more_ahead_than_a_second_of_it(lane: Lane) -> None:
    lane.rate = Rate(5, lambda: None)
    for _ in range(200):
        lane.succeeded()
    lane.claimed()
    assert lane.room(0) == 64 + 5


def test_success_widens_a_lane_up_to_its_channels_concurrency(lane: Lane) -> None:
    assert lane.width == START_WIDTH
    for _ in range(100):
        lane.succeeded()
    assert lane.width == 64


def test_stalling_narrows_a_lane_to_one(lane: Lane) -> None:
    for _ in range(10):
        lane.failed(0, stalled=True)
    assert lane.width == 1
    assert lane.prefetch == 0


def test_a_lane_claims_ahead_what_it_lately_achieved_and_no_more(lane: Lane) -> None:
    for _ in range(200):
        lane.succeeded()
    lane.claimed()
    assert lane.room(0) == 64 + 200
    lane.claimed()
    assert lane.room(0) == 64 + 100


def test_a_hung_lane_claims_nothing_ahead(lane: Lane) -> None:
    lane.in_flight = lane.width
    lane.claimed()
    assert lane.room(0) == 0
    assert not lane.worth_a_claim(0)


def test_a_little_room_waits_for_more_while_sends_are_under_way(lane: Lane) -> None:
    lane.width, lane.in_flight = 64, 63
    assert lane.room(0) == 1 < MIN_CLAIM
    assert not lane.worth_a_claim(0)
    lane.in_flight = 0
    assert lane.worth_a_claim(0)


@pytest.mark.parametrize(
    ("width", "under_way", "is_worth_it"),
    [(64, 32, True), (64, 33, False), (1024, 768, True), (1024, 769, False), (3, 2, True), (1, 1, False)],
)
def test_a_lane_is_claimed_for_once_half_of_it_is_free_or_as_much_as_pays(
    lane: Lane, width: int, under_way: int, is_worth_it: bool
) -> None:
    lane.width, lane.in_flight = width, under_way
    assert lane.worth_a_claim(0) is is_worth_it


def test_a_lane_never_starts_wider_than_its_channel_allows() -> None:
    assert Lane("smtp://mail:25", 2, breaker()).width == 2


def test_an_idle_lane_is_forgotten_and_one_that_failed_a_while_later(lane: Lane) -> None:
    lane.last_used = 100
    assert not lane.may_be_forgotten(100 + FORGET_AFTER_S)
    assert lane.may_be_forgotten(101 + FORGET_AFTER_S)
    lane.failed(100, stalled=False)
    assert not lane.may_be_forgotten(101 + FORGET_AFTER_S)
    assert lane.may_be_forgotten(101 + FORGET_FAILED_AFTER_S)


def test_a_lane_with_something_to_do_or_to_wait_for_is_not_forgotten(lane: Lane) -> None:
    later = 1 + FORGET_FAILED_AFTER_S
    lane.in_flight = 1
    assert not lane.may_be_forgotten(later)
    lane.in_flight, lane.held_until = 0, later + 1
    assert not lane.may_be_forgotten(later)
    lane.held_until = 0
    lane.ready.append(object())
    assert not lane.may_be_forgotten(later)
    lane.ready.clear()
    assert lane.may_be_forgotten(later)


def test_what_is_behind_is_passed_by_whatever_comes(lane: Lane) -> None:
    for number, priority in enumerate((2, 2, 1, 0, 2, 1)):
        lane.add(SimpleNamespace(priority=priority, number=number), None, 0.0)
    assert [entry[0].number for entry in lane.ready] == [3, 2, 5, 0, 1, 4]
    assert lane.is_crowded


def test_what_is_behind_leaves_a_quarter_of_the_width_free(lane: Lane) -> None:
    lane.width = 8
    lane.in_flight = 6
    assert not lane.may_begin(0.0, front=False, priority=BEHIND)
    assert lane.may_begin(0.0, front=False, priority=1)
    lane.in_flight = 5
    assert lane.may_begin(0.0, front=False, priority=BEHIND)


def test_what_another_worker_has_found_out_is_not_told_again(lane: Lane) -> None:
    lane.told(100, 130, probe_s=0)
    assert lane.news(101) is None
    lane.congested(102, retry_after_s=60)
    assert lane.news(103) == 162


def test_a_lane_that_is_open_again_is_news_where_others_closed_it(lane: Lane) -> None:
    assert lane.news(100) is None
    lane.told(100, 130, probe_s=0)
    assert lane.news(200) == 0


def test_a_batch_is_taken_up_where_just_enough_room_is_left_at_the_front(lane: Lane) -> None:
    enough = max(1, lane.width // 8)
    while lane.room_at_the_front(0) > enough:
        lane.in_flight += 1
    assert lane.worth_a_batch(0)
    lane.in_flight += 1
    assert not lane.worth_a_batch(0)
