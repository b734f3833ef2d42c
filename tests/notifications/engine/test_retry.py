"""When to try again: pure decisions."""

from datetime import UTC, datetime, timedelta

import pytest
from tenacity import wait_exponential, wait_fixed

from notifications.channels.base import RetryPolicy
from notifications.engine.retry import next_due_at

NOW = datetime(2026, 3, 1, 12, 0, tzinfo=UTC)
THREE = RetryPolicy(attempts=3, wait=wait_fixed(3))


def due_in(policy: RetryPolicy, failures: int, retry_after_s: float | None = None) -> float | None:
    due_at = next_due_at(
        policy, failures=failures, now=NOW, retry_after_s=retry_after_s, retry_after_max_s=3600
    )
    return None if due_at is None else (due_at - NOW) / timedelta(seconds=1)


def test_three_attempts_three_seconds_apart() -> None:
    assert [due_in(THREE, failures) for failures in (1, 2, 3)] == [3, 3, None]


@pytest.mark.parametrize(("wish_s", "waits_s"), [(10, 10), (1, 3), (0, 3), (3600, 3600), (7 * 86_400, 3600)])
def test_retry_after_lengthens_the_wait_within_bounds(wish_s: float, waits_s: float) -> None:
    assert due_in(THREE, 1, wish_s) == waits_s


def test_retry_after_does_not_add_attempts() -> None:
    assert due_in(THREE, 3, 10) is None


def test_any_wait_strategy_of_tenacity_describes_a_policy() -> None:
    growing = RetryPolicy(attempts=5, wait=wait_exponential(multiplier=2, max=10))
    assert [due_in(growing, failures) for failures in (1, 2, 3, 4, 5)] == [2, 4, 8, 10, None]
