"""Which functions of the product each test reaches, and a few tests in a given order: a plugin of pytest's.

For tests.mutants. With REACHED_INTO, a folder, it writes a line of JSON there for each test: its id, and the
functions as ``path:first line``. With REACHED_ORDER, a file of tests' ids, it runs these only, in that order.
"""

import json
import os
import sys
import threading
from collections.abc import Iterator
from pathlib import Path
from types import CodeType, FrameType
from typing import Any, Final

import pytest

from tests.packages import PACKAGES, ROOT

INTO: Final = os.environ.get("REACHED_INTO")
ORDER: Final = os.environ.get("REACHED_ORDER")
OURS: Final = tuple(f"{ROOT / package}{os.sep}" for package in PACKAGES)

_called: set[CodeType] = set()


def _look(frame: FrameType, event: str, arg: Any) -> None:
    _called.add(frame.f_code)


@pytest.hookimpl(wrapper=True)
def pytest_runtest_protocol(item: pytest.Item) -> Iterator[None]:
    if not INTO:
        return (yield)
    threading.settrace(_look)
    sys.settrace(_look)
    try:
        return (yield)
    finally:
        sys.settrace(None)
        ours = [each for each in _called.copy() if each.co_filename.startswith(OURS)]
        _called.clear()
        reached = {f"{Path(each.co_filename).relative_to(ROOT)}:{each.co_firstlineno}" for each in ours}
        with (Path(INTO) / f"{os.getpid()}.jsonl").open("a") as lines:
            lines.write(json.dumps([item.nodeid, sorted(reached)]) + "\n")


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Before pytest-django puts those that commit last."""
    if ORDER:
        rank = {test: place for place, test in enumerate(Path(ORDER).read_text().splitlines())}
        items[:] = sorted((each for each in items if each.nodeid in rank), key=lambda each: rank[each.nodeid])
