"""What ``/health/ready`` says of evenings."""

from typing import Final

from config import clock
from config.findings import WARNING, Finding, Servers
from dating.selectors import OLDEST_OVERDUE

#: A step that has been due for longer does not just wait for its turn: it fails, or nobody takes it.
LATE_S: Final = 60.0


def evenings(servers: Servers) -> Finding:
    """Warn of steps that are late. Another process would fare no better."""
    with servers.postgres() as postgres:
        ((late_s,),) = postgres.execute(OLDEST_OVERDUE, {"now": clock.now()}).fetchall()
    assert isinstance(late_s, float)
    if late_s <= LATE_S:
        return Finding(True, "all on time")
    return Finding(True, f"{WARNING}a step of an evening has been due for {late_s:.0f} s")
