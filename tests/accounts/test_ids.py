"""Ids tell the order in which they were made, also within a millisecond."""

import time

from accounts.ids import uuid7


def test_ids_are_of_version_7_and_in_the_order_in_which_they_were_made() -> None:
    before = time.time_ns() // 1_000_000
    made = [uuid7() for _ in range(10_000)]
    after = time.time_ns() // 1_000_000
    assert made == sorted(set(made))
    assert {each.version for each in made} == {7}
    assert all(before <= each.int >> 80 <= after for each in made)
