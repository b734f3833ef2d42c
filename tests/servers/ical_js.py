"""ical.js, by which calendar programs in JavaScript read files, run by Node.js: another reader than Python's.

``make icaljs`` puts it into ``var/icaljs``, pinned by ``tests/servers/icaljs/package-lock.json``.
"""

import json
import os
import shutil
import subprocess
from pathlib import Path
from typing import Any, Final

import pytest

from config.processes import REPOSITORY

LIBRARY: Final = REPOSITORY / "var" / "icaljs" / "node_modules" / "ical.js" / "dist" / "ical.js"
READ: Final = Path(__file__).with_name("icaljs") / "read.mjs"
NODE: Final = "node"


def needed() -> None:
    """Skip the test that calls this where there is no ical.js, or fail it where there must be."""
    missing = "Node.js" if shutil.which(NODE) is None else "" if LIBRARY.exists() else "ical.js"
    if not missing:
        return
    if os.environ.get("ICALJS_REQUIRED"):
        pytest.fail(f"{missing} is not installed, and ICALJS_REQUIRED says that it must be.")
    pytest.skip(f"there is no {missing}: see `make icaljs`")


def read(content: bytes | str) -> dict[str, Any]:
    """Return the method, the version and the events of a file, as read.mjs prints them; times in UTC."""
    given = content.encode() if isinstance(content, str) else content
    done = subprocess.run(
        [NODE, str(READ), str(LIBRARY)], input=given, capture_output=True, check=False, timeout=60
    )
    assert done.returncode == 0, done.stderr.decode()
    answer: dict[str, Any] = json.loads(done.stdout)
    return answer
