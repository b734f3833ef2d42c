"""When to try a handler again. Pure: the time comes in, a decision goes out."""

from datetime import datetime, timedelta
from typing import Final

from tenacity import RetryCallState, wait_exponential_jitter

MAX_WAIT_S: Final = 600.0


def next_due_at(*, attempts: int, budget: int, wait_s: float, now: datetime) -> datetime | None:
    """Return when to try again after a failure, or None when the budget is used up.

    Args:
        attempts: how often it has been tried, the failed one included.
        budget: how often it may be tried in all.
        wait_s: the first wait; each one after it is four times as long, up to ten minutes, and up to
            ``wait_s`` is added by chance, so that what failed together is not tried again together.
    """
    if attempts >= budget:
        return None
    wait = wait_exponential_jitter(multiplier=wait_s, exp_base=4, max=MAX_WAIT_S, jitter=wait_s)
    state = RetryCallState(retry_object=None, fn=None, args=(), kwargs={})  # type: ignore[arg-type]
    state.attempt_number = attempts
    return now + timedelta(seconds=wait(state))
