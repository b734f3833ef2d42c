"""What ``/health/ready`` says of workers, scheduler, backlog, brokers, clocks and channels."""

from typing import Final

from config import clock, findings
from config.findings import WARNING, Finding, Servers
from notifications import troubles
from notifications.brokers import health
from notifications.exposition import schedulers_alive, workers_alive
from notifications.metrics import LAST_ATTEMPT_KEY, clock_skews
from notifications.selectors import DUE_SQL, Backlog
from notifications.standstill import standstill

#: Due for longer than this, with no attempt at anything for as long: nobody is sending.
STUCK_S: Final = 120.0


def workers(servers: Servers) -> Finding:
    alive = workers_alive(servers.redis, now=clock.now())
    return Finding(alive > 0, f"{alive} heard from in the last two minutes")


def scheduler(servers: Servers) -> Finding:
    alive = schedulers_alive(servers.redis)
    return Finding(alive > 0, f"{alive} running")


def backlog(servers: Servers) -> Finding:
    now = clock.now()
    with servers.postgres() as postgres:
        due = Backlog.of(postgres.execute(DUE_SQL, {"now": now}).fetchall()[0], now=now)
    detail = f"{due.count} due, the oldest for {due.oldest_age_s:.0f} s"
    still = standstill(due, servers.redis)
    if still.lost:
        why = f"{still.lost} have lost their lease, and no sweep takes care of them"
        return Finding(False, f"{detail}; {why}")
    if still.untaken:
        return Finding(False, f"{detail}, and no sender looks for {still.untaken} of them")
    # An old backlog alone is no fault of ours: a destination that is away makes one. But then it is probed.
    last_attempt_at = float(servers.redis.get(LAST_ATTEMPT_KEY) or 0)
    stuck = due.oldest_age_s > STUCK_S and clock.timestamp() - last_attempt_at > STUCK_S
    return Finding(not stuck, f"{detail}, and nothing is being sent" if stuck else detail)


def brokers(servers: Servers) -> Finding:
    """Ask nobody but what the consumers and the publisher themselves have said lately."""
    return health.finding(servers.redis)


def channels(servers: Servers) -> Finding:
    """Name what does not get through. That breaks nothing here: another process would fare no better."""
    found = [str(each) for each in troubles.all_troubles(servers.redis)]
    return Finding(True, f"{WARNING}{'; '.join(found)}" if found else "all get through")


def clocks(servers: Servers) -> Finding:
    """Name the machines whose clocks are off. They break nothing: PostgreSQL's decides."""
    skews = sorted(clock_skews(servers.redis).items())
    off = [f"{process} by {skew_s:+.1f} s" for process, skew_s in skews if abs(skew_s) > clock.SKEWED_S]
    return Finding(True, f"{WARNING}off are {', '.join(off)}; PostgreSQL's is used" if off else "right")


def register() -> None:
    for check in (workers, scheduler, backlog, brokers, clocks, channels):
        findings.register(check.__name__, check)
