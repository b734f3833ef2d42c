"""What the parts of the machine spend on the work: processor time by part, which says what bounds a rate."""

import os
from collections.abc import Callable, Mapping

import psutil

from benchmarks.product import Product
from benchmarks.report import table
from benchmarks.sink import Sink
from config import embedded

Seconds = dict[str, float]


def spent(tocsin: Product, sink: Sink) -> Seconds:
    """Processor seconds that each part has used so far; differences of two such are what counts."""
    status = embedded.status(at=tocsin.stack.home)
    return {
        **{name: _own(process.pid) for name, process in tocsin.stack.processes.items()},
        "PostgreSQL": _with_children(status.postgres),
        "Redis": _with_children(status.redis),
        "sink": _own(sink.pid),
        # Everything that runs on this machine, ours or not.
        "all": _machine(),
    }


def during(work: Callable[[], float], tocsin: Product, sink: Sink) -> tuple[float, Seconds]:
    """Do some work; return its result and what each part spent on it."""
    before = spent(tocsin, sink)
    result = work()
    after = spent(tocsin, sink)
    return result, {name: after[name] - before[name] for name in before}


def show(seconds: Mapping[str, float], deliveries: int) -> None:
    """Print the cost of a delivery by part, and the rate at which it alone would fill the cores."""
    parts = {name: each for name, each in seconds.items() if name != "all"}
    total = sum(parts.values())
    rows = [
        [name, f"{each / deliveries * 1e6:.0f}", f"{each / total:.0%}"]
        for name, each in sorted(parts.items(), key=lambda item: -item[1])
    ]
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else (os.cpu_count() or 1)
    rows.append(
        ["together", f"{total / deliveries * 1e6:.0f}", f"{cores * deliveries / total:,.0f}/s at most"]
    )
    rows.append(["the whole machine", f"{seconds['all'] / deliveries * 1e6:.0f}", ""])
    table(["ours, until recorded", "µs of CPU a delivery", "share"], rows)


def of_postgresql(tocsin: Product) -> float:
    """Processor seconds that its server has used so far."""
    return _with_children(embedded.status(at=tocsin.stack.home).postgres)


def _own(pid: int) -> float:
    try:
        times = psutil.Process(pid).cpu_times()
    except psutil.NoSuchProcess:
        return 0.0
    return float(times.user + times.system)


def _with_children(pid: int | None) -> float:
    """A server and its children, those included that have come and gone."""
    if pid is None:
        return 0.0
    server = psutil.Process(pid)
    times = server.cpu_times()
    gone = times.children_user + times.children_system
    return float(times.user + times.system + gone) + sum(_own(child.pid) for child in server.children())


def _machine() -> float:
    times = psutil.cpu_times()
    return float(sum(times) - times.idle - getattr(times, "iowait", 0.0) - getattr(times, "guest", 0.0))
