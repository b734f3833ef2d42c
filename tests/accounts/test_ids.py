"""Ids tell the order in which they were made, also within a millisecond, and by the server's clock."""

import time

import pytest
import time_machine

from accounts.ids import uuid7
from config import clock
from config.clock import Clock


def test_ids_are_of_version_7_and_in_the_order_in_which_they_were_made() -> None:
    before = clock.timestamp_ns() // 1_000_000
    made = [uuid7() for _ in range(10_000)]
    after = clock.timestamp_ns() // 1_000_000
    assert made == sorted(set(made))
    assert {each.version for each in made} == {7}
    assert all(before <= each.int >> 80 <= after for each in made)


@pytest.mark.parametrize("ahead_s", [3600.0, -3600.0])
def test_a_machine_that_is_wrong_makes_them_of_the_right_time(
    monkeypatch: pytest.MonkeyPatch, ahead_s: float
) -> None:
    with time_machine.travel(time.time() - ahead_s, tick=True):
        monkeypatch.setattr(clock, "_clock", Clock())
    assert time.time() - clock.timestamp() == pytest.approx(ahead_s, abs=0.5)
    assert (uuid7().int >> 80) / 1000 == pytest.approx(clock.timestamp(), abs=0.5)
