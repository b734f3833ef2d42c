"""The time is the server's, whatever the machine's own clock says."""

import time
from collections.abc import Callable

import pytest
import time_machine
from django.db import connection

from config import clock
from config.clock import Clock


def answered(asked: Clock, server_time: float, *, round_trip_s: float = 0.002) -> None:
    """Have a clock measured, with an answer that has just come."""
    at = clock.elapsed()
    asked.measured(server_time, asked_at=at - round_trip_s, answered_at=at)


def server_time() -> float:
    with connection.cursor() as cursor:
        cursor.execute(f"SELECT {clock.SERVER_TIME}")
        return float(cursor.fetchone()[0])


@pytest.mark.parametrize("ahead_s", [60.0, -60.0])
def test_it_goes_by_the_server_where_the_machine_is_wrong(ahead_s: float) -> None:
    right = time.time()
    with time_machine.travel(right + ahead_s, tick=True):
        ours = Clock()
        assert ours.timestamp() == pytest.approx(right + ahead_s, abs=0.5)
        assert ours.is_stale
        answered(ours, right)
        assert ours.timestamp() == pytest.approx(right, abs=0.5)
        assert ours.timestamp_ns() / 1e9 == pytest.approx(ours.timestamp(), abs=0.01)
        assert ours.skew_s() == pytest.approx(ahead_s, abs=0.5)
        assert not ours.is_stale


def test_setting_the_machines_clock_moves_it_by_nothing() -> None:
    right = time.time()
    with time_machine.travel(right - 60, tick=True):
        ours = Clock()
        answered(ours, right)
    # Its machine is put right, by a minute at once.
    assert ours.timestamp() == pytest.approx(time.time(), abs=0.5)
    assert ours.skew_s() == pytest.approx(0, abs=0.5)


def test_an_answer_that_says_little_moves_it_by_nothing() -> None:
    ours = Clock()
    before = ours.skew_s()
    answered(ours, time.time() - 1.5, round_trip_s=3.0)
    assert ours.skew_s() == pytest.approx(before, abs=0.001)
    answered(ours, time.time() - 1.0, round_trip_s=0.5)
    assert ours.skew_s() == pytest.approx(0.75, abs=0.05)


@pytest.fixture
def machine_is_wrong(monkeypatch: pytest.MonkeyPatch) -> Callable[[float], None]:
    """Start the process' clock anew on a machine that is so many seconds ahead."""

    def start(ahead_s: float) -> None:
        with time_machine.travel(time.time() + ahead_s, tick=True):
            monkeypatch.setattr(clock, "_clock", Clock())

    return start


@pytest.mark.django_db(transaction=True)
def test_every_new_connection_measures_it(machine_is_wrong: Callable[[float], None]) -> None:
    machine_is_wrong(60)
    assert clock.timestamp() > server_time() + 55
    connection.close()
    assert server_time() == pytest.approx(clock.timestamp(), abs=0.5)


@pytest.mark.django_db(transaction=True)
def test_a_connection_that_is_kept_measures_it_now_and_then(
    machine_is_wrong: Callable[[float], None],
) -> None:
    connection.ensure_connection()
    machine_is_wrong(-60)
    assert connection.is_usable()
    assert server_time() == pytest.approx(clock.timestamp(), abs=0.5)
    assert not clock.is_stale()
    assert connection.is_usable()
