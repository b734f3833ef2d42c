"""`python -m benchmarks.profile`: where a worker's time goes during a fan-out.

Not a benchmark: it prints the functions that the samples were in, by themselves and in all. Needs
py-spy, which isn't among the dependencies: `pip install py-spy`.
"""

import argparse
import shutil
import subprocess
import sys
import time
from collections import Counter
from pathlib import Path

from benchmarks import cost, fanout, machine, product, report
from benchmarks.product import Product
from benchmarks.report import Report, say, table
from benchmarks.sink import Sink, local_sink

SAMPLES_PER_S = 500
SHOWN = 30
ROUNDS_S = 60.0


def recorded(tocsin: Product, sink: Sink, options: argparse.Namespace) -> Path:
    """Sample one worker for some seconds of fan-out after fan-out; return the file of stacks."""
    stacks = tocsin.stack.home / "stacks.txt"
    command = [options.py_spy, "record", "--pid", str(tocsin.stack.processes["worker-1"].pid)]
    command += [
        "--rate",
        str(SAMPLES_PER_S),
        "--format",
        "raw",
        "--output",
        str(stacks),
        "--gil",
        "--function",
    ]
    command += ["--duration", str(options.seconds), *(["--native"] if options.native else [])]
    with (tocsin.stack.home / "py-spy.log").open("wb") as log:
        sampler = subprocess.Popen(command, stdout=log, stderr=log)
    try:
        ends_at = time.monotonic() + ROUNDS_S
        while sampler.poll() is None and time.monotonic() < ends_at:
            rate = fanout.ours(tocsin, sink, options.members, settle=False)
            say(f"  {rate:,.0f} deliveries/s while being sampled")
    finally:
        sampler.terminate()
        sampler.wait()
    if not stacks.exists():
        raise product.BenchmarkError((tocsin.stack.home / "py-spy.log").read_text(errors="replace"))
    return stacks


def show(stacks: Path) -> None:
    """Print the functions with the most samples; of a function that calls itself each sample counts once."""
    own: Counter[str] = Counter()
    within: Counter[str] = Counter()
    for line in stacks.read_text().splitlines():
        frames, _, count = line.rpartition(" ")
        names = frames.split(";")
        own[names[-1]] += int(count)
        within.update(dict.fromkeys(names, int(count)))
    total = own.total()
    for title, counter in (("by itself", own), ("with what it calls", within)):
        table([title, "share"], [[name, f"{n / total:.1%}"] for name, n in counter.most_common(SHOWN)])


def benchmark(options: argparse.Namespace) -> Report:
    with product.running("profile") as tocsin, local_sink(tocsin.stack.home) as sink:
        tocsin.seed(fanout.shops(sink, options.members))
        fanout.warm_up(tocsin, sink)
        machine.settle()
        rate, seconds = cost.during(
            lambda: fanout.ours(tocsin, sink, options.members, settle=False), tocsin, sink
        )
        cost.show(seconds, options.members)
        show(recorded(tocsin, sink, options))
    return Report(name="profile", unit="deliveries/s", ours=rate, baselines={}, ratios={})


def main() -> int:
    parser = report.parser(__doc__)
    parser.add_argument("--members", type=int, default=10_000)
    parser.add_argument("--seconds", type=int, default=15, help="of sampling")
    parser.add_argument("--native", action="store_true", help="frames of compiled code too")
    parser.add_argument("--py-spy", default=shutil.which("py-spy") or "", help="its program")
    options = parser.parse_args()
    if not options.py_spy:
        parser.error("py-spy is not installed: pip install py-spy, or give --py-spy PROGRAM")
    return report.run(benchmark, options)


if __name__ == "__main__":
    sys.exit(main())
