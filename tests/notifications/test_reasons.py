"""Each reason that the code gives is a member of Reason, and the page about them has exactly these."""

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from django.conf import settings

from notifications.models import Delivery
from notifications.reasons import Reason
from tests.packages import PACKAGES

ROOT: Path = settings.BASE_DIR
# Calls of querysets, and of what stops and suppresses deliveries.
ASKING = {"cancel", "cancel_of", "close", "exclude", "filter", "get", "Q", "suppress", "update"}
# In SQL: what reasons are compared with, or become.
WRITTEN = re.compile(
    r"\breason\s*(?:=|<>)\s*(?:'(\w*)'|(CASE\b.*?\bEND\b))|\breason IN \(([^)]*)\)", re.DOTALL
)
CHOSEN = re.compile(r"(?:THEN|ELSE) '(\w*)'")
CASES = re.compile(r"CASE\b((?:(?!\bCASE\b).)*?)END AS reason\b", re.DOTALL)
FRAGMENT = re.compile(r"^\s*WHEN .* THEN '(\w+)'\s*$", re.DOTALL)


def modules() -> Iterator[tuple[str, ast.Module]]:
    for package in PACKAGES:
        for path in (ROOT / package).rglob("*.py"):
            if "migrations" not in path.parts:
                yield str(path.relative_to(ROOT)), ast.parse(path.read_text())


def said_in(sql: str) -> set[str]:
    """Return the reasons that a statement, or a part of one, names."""
    said = set(FRAGMENT.findall(sql))
    for word, case, words in WRITTEN.findall(sql):
        said |= {word, *CHOSEN.findall(case), *re.findall(r"'(\w+)'", words)}
    for case in CASES.findall(sql):
        said |= set(CHOSEN.findall(case))
    return said - {""}


def strings(tree: ast.Module) -> Iterator[str]:
    for node in ast.walk(tree):
        if isinstance(node, ast.Constant) and isinstance(node.value, str):
            yield node.value
        elif isinstance(node, ast.JoinedStr):  # a statement that is composed of parts
            yield "".join(each.value if isinstance(each, ast.Constant) else "…" for each in node.values)


def literals(tree: ast.Module) -> Iterator[str]:
    """Yield the strings that a module gives as reasons in place of members."""
    for node in ast.walk(tree):
        given: list[ast.expr] = []
        if isinstance(node, ast.Call):
            name = getattr(node.func, "attr", getattr(node.func, "id", ""))
            if name in ASKING:
                given = [each.value for each in node.keywords if each.arg in ("reason", "reason__in")]
        elif isinstance(node, ast.Compare) and getattr(node.left, "attr", "") == "reason":
            given = node.comparators
        for each in given:
            yield from (one for one in strings(ast.Module([ast.Expr(each)], [])) if one)


@pytest.mark.slow
def test_statements_name_no_reason_that_is_not_there() -> None:
    said = {(path, word) for path, tree in modules() for text in strings(tree) for word in said_in(text)}
    assert {path for path, _ in said} >= {
        "notifications/engine/claim.py",
        "notifications/engine/fanout/sql.py",
        "notifications/engine/finalise.py",
        "notifications/engine/sweep.py",
    }
    assert {(path, word) for path, word in said if word not in Reason.values} == set()


def test_the_fan_outs_statement_is_read_whole() -> None:
    sql = (ROOT / "notifications/engine/fanout/sql.py").read_text()
    said = {word for text in strings(ast.parse(sql)) for word in said_in(text)}
    assert said == {"disabled", "level", "unsubscribed", "severity", "digest"}


@pytest.mark.slow
def test_code_gives_reasons_as_members_and_not_as_strings() -> None:
    assert [(path, word) for path, tree in modules() for word in literals(tree)] == []


def test_the_page_has_exactly_these_reasons_each_with_its_sentence() -> None:
    page = (ROOT / "docs/architecture.md").read_text()
    table = page.split("| Reason | Status | Means |\n|---|---|---|\n")[1].split("\n\n")[0]
    rows = [row.strip("| ").split(" | ") for row in table.splitlines()]
    assert [reason.strip("`") for reason, _, _ in rows] == Reason.values
    assert [
        (reason, means)
        for (_, _, means), reason in zip(rows, Reason, strict=True)
        if not means.startswith(str(reason.label))
    ] == []
    statuses = {status for _, given, _ in rows for status in re.split(r", then |, ", given)}
    assert statuses <= set(Delivery.Status.values)


def test_sentences_are_sentences() -> None:
    for reason in Reason:
        assert reason.label[0].isupper()
        assert reason.label.endswith(".")
        assert len(reason.value) <= Delivery._meta.get_field("reason").max_length
