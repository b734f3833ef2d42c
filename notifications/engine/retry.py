"""When to try again. Pure: the time comes in, a decision goes out."""

from datetime import datetime, timedelta

from tenacity import RetryCallState

from notifications.channels.base import RetryPolicy

# Longest wait of what is put back again and again, in seconds, unless its destination asks for more.
CONGESTED_MAX_S = 300.0
# The same of what goes through something that is away: soon after that is back it has to be told.
AWAY_MAX_S = 10.0


def congested_due_at(
    *, attempt: int, now: datetime, retry_after_s: float | None, retry_after_max_s: float
) -> datetime:
    """Return when to try again what came too fast. It ends by its age alone, so each wait is twice as long.

    Args:
        attempt: its number, from 1.
        retry_after_s: the destination's own wish; it can lengthen the wait, never shorten it.
        retry_after_max_s: the longest such wish that is honoured.
    """
    wait_s = min(2.0 ** min(attempt - 1, 16), CONGESTED_MAX_S)
    return now + timedelta(seconds=max(wait_s, min(retry_after_s or 0.0, retry_after_max_s)))


def away_due_at(*, attempt: int, now: datetime) -> datetime:
    """Return when to try again what could not even be said; ``attempt`` is its number, from 1."""
    return now + timedelta(seconds=min(2.0 ** min(attempt - 1, 16), AWAY_MAX_S))


def next_due_at(
    policy: RetryPolicy,
    *,
    failures: int,
    now: datetime,
    retry_after_s: float | None,
    retry_after_max_s: float,
) -> datetime | None:
    """Return when to try again after a failure that may pass, or None when the budget is used up.

    Args:
        failures: how often it has failed since the (re)start, this failure included.
        retry_after_s: the destination's own wish; it can lengthen the policy's wait, never shorten it.
        retry_after_max_s: the longest such wish that is honoured.
    """
    if failures >= policy.attempts:
        return None
    state = RetryCallState(retry_object=None, fn=None, args=(), kwargs={})  # type: ignore[arg-type]
    state.attempt_number = failures
    wait_s = policy.wait(state)
    if retry_after_s is not None:
        wait_s = max(wait_s, min(retry_after_s, retry_after_max_s))
    return now + timedelta(seconds=wait_s)
