"""Which tests run in the same process: those of a file, and files that share a running product."""

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
