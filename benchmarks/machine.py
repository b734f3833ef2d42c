"""The machine that a benchmark runs on: what it is, and waiting until it is quiet."""

import os
import platform
import time
from collections.abc import Iterator
from importlib.metadata import version
from pathlib import Path

import psutil

PACKAGES = ("django", "djangorestframework", "psycopg", "rq", "aiohttp", "uvloop", "uvicorn", "dramatiq")
QUIET_PERCENT = 10.0
LOOK_S = 0.5


def describe() -> Iterator[str]:
    """Say in a few lines what the figures were measured on."""
    usable = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    memory_gb = psutil.virtual_memory().total / 1e9
    yield f"machine   {_cpu_model()}, {usable} cores usable of {os.cpu_count()}, {memory_gb:.0f} GB"
    yield f"system    {platform.system()} {platform.release()}, Python {platform.python_version()}"
    yield "packages  " + ", ".join(f"{name} {version(name)}" for name in PACKAGES)


def settle(timeout_s: float = 15.0) -> float:
    """Wait until the machine is nearly idle, so that one round does not pay for the one before.

    Returns the last seen use of all cores in percent, which is high when something else keeps
    running: the figures are then not worth much, and the benchmark says so.
    """
    deadline = time.monotonic() + timeout_s
    busy = psutil.cpu_percent(LOOK_S)
    while busy > QUIET_PERCENT and time.monotonic() < deadline:
        busy = psutil.cpu_percent(LOOK_S)
    if busy > QUIET_PERCENT:
        print(f"  note: the machine is {busy:.0f} % busy with something else", flush=True)
    return busy


def _cpu_model() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
    except OSError:
        return platform.processor() or platform.machine()
    names = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    return names[0] if names else platform.machine()
