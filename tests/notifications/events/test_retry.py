"""When a handler that failed is tried again; no database, and no clock."""

from datetime import UTC, datetime

from notifications.events.retry import MAX_WAIT_S, next_due_at

NOW = datetime(2026, 3, 29, 1, 30, tzinfo=UTC)


def wait_s(attempts: int, *, budget: int = 99, first: float = 2.0) -> float:
    due_at = next_due_at(attempts=attempts, budget=budget, wait_s=first, now=NOW)
    assert due_at is not None
    return (due_at - NOW).total_seconds()


def test_each_wait_is_four_times_the_last_and_a_little_more_by_chance() -> None:
    for attempts, least in ((1, 2.0), (2, 8.0), (3, 32.0), (4, 128.0), (5, 512.0)):
        for _ in range(200):
            assert least <= wait_s(attempts) <= least + 2.0


def test_what_failed_together_is_not_tried_again_together() -> None:
    assert len({wait_s(1) for _ in range(50)}) > 40


def test_no_wait_is_longer_than_ten_minutes() -> None:
    assert wait_s(6) == wait_s(98) == MAX_WAIT_S == 600
    assert wait_s(98, first=1e9) == MAX_WAIT_S


def test_the_budget_is_of_attempts_in_all() -> None:
    assert next_due_at(attempts=5, budget=5, wait_s=2, now=NOW) is None
    assert next_due_at(attempts=6, budget=5, wait_s=2, now=NOW) is None
    assert next_due_at(attempts=4, budget=5, wait_s=2, now=NOW) is not None
    assert next_due_at(attempts=1, budget=1, wait_s=2, now=NOW) is None
