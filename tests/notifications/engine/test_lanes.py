"""A destination's share of a worker, and its circuit breaker."""

import pytest

from notifications.engine.lanes import MIN_CLAIM, START_WIDTH, Breaker, Lane


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
        it.failed(now=now)
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


def test_a_lane_never_starts_wider_than_its_channel_allows() -> None:
    assert Lane("smtp://mail:25", 2, breaker()).width == 2
