"""Which tests run in the same process: those of a file, and files that share a running product."""

import importlib
from contextlib import suppress
from pathlib import Path

import pytest
from xdist.scheduler import LoadFileScheduling

# By the beginning of their path. Two products for the flows, so that two can be at work at once.
TOGETHER = {
    "tests/browser/": "browser",
    "tests/flows/test_alert_journey.py": "flows",
    "tests/flows/test_crashes.py": "flows",
    "tests/flows/test_escalation.py": "flows",
    "tests/flows/test_dating.py": "more flows",
    "tests/flows/test_events.py": "more flows",
    "tests/flows/test_many_lanes.py": "more flows",
    "tests/flows/test_tracing.py": "more flows",
}


class ByProduct(LoadFileScheduling):
    """Gives out files, and those that share a product as if they were one."""

    def _split_scope(self, nodeid: str) -> str:
        path = super()._split_scope(nodeid)
        return next((name for start, name in TOGETHER.items() if path.startswith(start)), path)


def read_all_files(config: pytest.Config) -> None:
    """Import all files of tests before they are collected, every process from another one on.

    In one order all processes would compile the same file at the same time, which takes longer than all else
    until the first test; so each finds most of them compiled.
    """
    worker = getattr(config, "workerinput", None)
    tests = Path(__file__).parent
    if worker is None or [Path(each).resolve() for each in config.args] != [tests]:
        return
    files = sorted(tests.rglob("test_*.py"))
    first = int(worker["workerid"].removeprefix("gw")) * len(files) // worker["workercount"]
    # As at any collection: what sets up logging on its import would else write to the terminal ever after.
    capture = config.pluginmanager.getplugin("capturemanager")
    capture.resume_global_capture()
    for path in [*files[first:], *files[:first]]:
        # Whatever is wrong with one of them, its collection says.
        with suppress(Exception, pytest.skip.Exception):
            importlib.import_module(".".join(path.relative_to(tests.parent).with_suffix("").parts))
    capture.suspend_global_capture()
