"""`make bench-waiting`: what do 100,000 processes cost that wait for tomorrow?

Counted is the processor time of workers, scheduler and PostgreSQL together, from /proc, over the same
number of seconds of the same idle stack: before there are any, and with all of them. Half of them ring by
phone, the other half by webhooks that each have a host of their own.
"""

import argparse
import sys
import time

import psutil

from benchmarks import machine, product, report
from benchmarks.children import complete, python
from benchmarks.product import Product
from benchmarks.report import Report, say
from config import embedded

MOST_PERCENT = 2.0
SETTLE_S = 8.0
PERCENT = 100.0


def spent(tocsin: Product) -> dict[str, float]:
    """Processor seconds so far, by part; PostgreSQL's with those of its processes that have ended."""
    parts = {name: process.pid for name, process in tocsin.stack.processes.items() if name != "web"}
    found = {name: seconds(psutil.Process(pid)) for name, pid in parts.items()}
    server = psutil.Process(embedded.status(at=tocsin.stack.home).postgres)
    gone = server.cpu_times()
    found["PostgreSQL"] = (
        seconds(server) + gone.children_user + gone.children_system + sum(map(seconds, server.children()))
    )
    return found


def seconds(process: psutil.Process) -> float:
    try:
        times = process.cpu_times()
    except psutil.NoSuchProcess:
        return 0.0
    return float(times.user + times.system)


def idle(tocsin: Product, over_s: float) -> dict[str, float]:
    """Return what each part uses of a core while nothing happens, in percent."""
    time.sleep(SETTLE_S)
    machine.settle()
    before, started = spent(tocsin), time.monotonic()
    time.sleep(over_s)
    after, took = spent(tocsin), time.monotonic() - started
    return {name: (after[name] - before[name]) / took * PERCENT for name in before}


def benchmark(options: argparse.Namespace) -> Report:
    with product.running("waiting") as tocsin:
        tocsin.seed({})
        empty = idle(tocsin, options.over)
        answer = complete(
            python("-m", "benchmarks.seed_waiting"),
            question={"processes": options.processes},
            log=tocsin.stack.home / "seed.log",
            env=tocsin.stack.env,
        )
        say(f"  {options.processes:,} processes, made in {answer['seconds']:.0f} s")
        full = idle(tocsin, options.over)
        waiting = tocsin.count("status = 'pending'")
    if waiting != options.processes:
        raise product.BenchmarkError(f"{waiting:,} of {options.processes:,} wait")
    report.table(
        ["% of a core", "nothing waits", f"{options.processes:,} wait"],
        [
            *([name, f"{empty[name]:.2f}", f"{full[name]:.2f}"] for name in empty),
            ["together", f"{sum(empty.values()):.2f}", f"{sum(full.values()):.2f}"],
        ],
    )
    ours, baseline = sum(full.values()), sum(empty.values())
    return Report(
        name="waiting",
        unit="% of a core",
        ours=ours,
        baselines={"nothing waits": baseline},
        ratios={"nothing waits": baseline / ours},
        musts={f"idle < {MOST_PERCENT} % of a core": ours < MOST_PERCENT},
    )


def main() -> int:
    parser = report.parser(__doc__)
    parser.add_argument("--processes", type=int, default=100_000)
    parser.add_argument("--over", type=float, default=20.0, help="seconds that are counted")
    return report.run(benchmark, parser.parse_args())


if __name__ == "__main__":
    sys.exit(main())
