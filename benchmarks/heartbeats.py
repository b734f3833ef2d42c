"""`make bench-heartbeats`: what do 100,000 heartbeats with a period of a minute cost, and when is one missed?

Counted is the processor time of workers, scheduler and PostgreSQL's sessions for them, from /proc, over the
same number of seconds: before there are any, and while all of them are pinged. What the pings cost themselves
is not: their session, and what PostgreSQL writes in the background. Then some are not pinged, and another
session looks twenty times a second which of them are down.
"""

import argparse
import sys
import time

import psutil
import psycopg

from benchmarks import machine, product, report
from benchmarks.children import ask, python, running
from benchmarks.product import Product
from benchmarks.report import Report, say
from benchmarks.waiting import PERCENT, SETTLE_S, seconds

MOST_PERCENT = 5.0
MOST_LATE_S = 2.0
SESSIONS = """
SELECT pid FROM pg_stat_activity
 WHERE backend_type = 'client backend' AND pid NOT IN (pg_backend_pid(), %(pinging)s)
"""


def spent(tocsin: Product, pinging: int) -> dict[str, float]:
    """Processor seconds so far, by part."""
    parts = {name: process.pid for name, process in tocsin.stack.processes.items() if name != "web"}
    found = {name: seconds(psutil.Process(pid)) for name, pid in parts.items()}
    with psycopg.connect(tocsin.database_url) as connection:
        sessions = [pid for (pid,) in connection.execute(SESSIONS, {"pinging": pinging})]
    found["PostgreSQL, for them"] = sum(seconds(psutil.Process(pid)) for pid in sessions)
    return found


def idle(tocsin: Product, over_s: float, *, pinging: int = 0) -> dict[str, float]:
    """Return what each part uses of a core beside the pings, in percent."""
    time.sleep(SETTLE_S)
    before, started = spent(tocsin, pinging), time.monotonic()
    time.sleep(over_s)
    after, took = spent(tocsin, pinging), time.monotonic() - started
    return {name: (after[name] - before[name]) / took * PERCENT for name in before}


def percentile(values: list[float], share: float) -> float:
    return sorted(values)[min(len(values) - 1, int(len(values) * share))]


def benchmark(options: argparse.Namespace) -> Report:
    with product.running("heartbeats") as tocsin:
        tocsin.seed({})
        machine.settle()
        empty = idle(tocsin, options.over)
        log = tocsin.stack.home / "pinging.log"
        with running(python("-m", "benchmarks.pinging"), log=log, env=tocsin.stack.env, piped=True) as child:
            pid = ask(child, {"heartbeats": options.heartbeats, "spare": options.missed})["pid"]
            # From the second period on, what is seen is what is pinged again and again.
            time.sleep(options.warm)
            full = idle(tocsin, options.over, pinging=pid)
            answer = ask(child, {"miss_over_s": options.over})
        wrong = tocsin.count("state = 'down'", "escalation_heartbeat") - options.missed
    if wrong:
        raise product.BenchmarkError(f"{wrong:,} more are down than were missed")
    report.table(
        ["% of a core", "no heartbeats", f"{options.heartbeats:,} heartbeats"],
        [
            *([name, f"{empty[name]:.2f}", f"{full[name]:.2f}"] for name in empty),
            ["together", f"{sum(empty.values()):.2f}", f"{sum(full.values()):.2f}"],
        ],
    )
    late = answer["late"]
    p50, p99 = percentile(late, 0.5), percentile(late, 0.99)
    say(f"  {answer['pings_a_s']:,.0f} pings a second; {len(late):,} missed,")
    say(f"  noticed after {p50:.2f} s in the middle, {p99:.2f} s at p99, {max(late):.2f} s at most")
    ours, baseline = sum(full.values()), sum(empty.values())
    return Report(
        name="heartbeats",
        unit="% of a core",
        ours=ours,
        baselines={"no heartbeats": baseline},
        ratios={"no heartbeats": baseline / ours},
        musts={
            f"idle < {MOST_PERCENT} % of a core": ours < MOST_PERCENT,
            f"noticed p99 <= {MOST_LATE_S} s": p99 <= MOST_LATE_S,
        },
    )


def main() -> int:
    parser = report.parser(__doc__)
    parser.add_argument("--heartbeats", type=int, default=100_000)
    parser.add_argument("--missed", type=int, default=500)
    parser.add_argument("--over", type=float, default=30.0, help="seconds that are counted")
    parser.add_argument("--warm", type=float, default=60.0, help="seconds of pings before that")
    return report.run(benchmark, parser.parse_args())


if __name__ == "__main__":
    sys.exit(main())
