"""When to try again. Pure: the time comes in, a decision goes out."""

from datetime import datetime, timedelta

from tenacity import RetryCallState

from notifications.channels.base import RetryPolicy


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
