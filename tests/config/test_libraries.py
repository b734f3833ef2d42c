"""Where two libraries work that would hold up the hot path: docs/adr/0043."""

import ast
from pathlib import Path

import pytest

from tests.packages import PACKAGES, ROOT

WORKS = {
    "requests": {
        "config.processes",
        "dating.demo",
        "escalation.demo",
        "notifications.management.commands.demo",
        "tracing.demo",
    },
    "tenacity": {
        "config.processes",
        "notifications.channels.base",
        "notifications.engine.retry",
        "notifications.events.retry",
    },
}


def imports_of(path: Path) -> set[str]:
    found: set[str] = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            found |= {alias.name.partition(".")[0] for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
            found.add(node.module.partition(".")[0])
    return found


@pytest.mark.slow
@pytest.mark.parametrize("library", WORKS)
def test_it_works_where_the_decision_says_and_nowhere_else(library: str) -> None:
    found = {
        ".".join(path.relative_to(ROOT).with_suffix("").parts)
        for package in PACKAGES
        for path in (ROOT / package).rglob("*.py")
        if library in imports_of(path)
    }
    assert found == WORKS[library]
