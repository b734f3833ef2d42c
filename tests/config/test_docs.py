"""README and docs/ name what is there: files, headings, requests, commands, make targets and metrics."""

import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from django.conf import settings
from django.core.management import get_commands
from django.test import Client
from django.urls import Resolver404, resolve
from prometheus_client import Metric

from accounts.models import Scope, User
from notifications.exposition import TocsinCollector
from tests.packages import PACKAGES

ROOT: Path = settings.BASE_DIR
PAGES = sorted([*ROOT.glob("*.md"), *(ROOT / "docs").rglob("*.md")])
# What happened stays as it was told.
NOW = [page for page in PAGES if page.name != "CHANGELOG.md" and page.parent.name != "adr"]
# What the reader of these pages is to make.
MADE_BY_READERS = {
    "notifications/channels/ntfy.py",
    "tests/lending/",
    "tests/notifications/channels/test_ntfy.py",
    "tocsin_loans_overdue",
    "tocsin_loans_total",
}


def in_pages(pattern: str, pages: list[Path] = NOW) -> Iterator[tuple[str, str]]:
    for page in pages:
        for found in re.findall(pattern, page.read_text()):
            yield str(page.relative_to(ROOT)), found


def anchors(page: Path) -> set[str]:
    """As GitHub makes them of headings."""
    text = re.sub(r"```.*?```", "", page.read_text(), flags=re.DOTALL)
    headings = re.findall(r"^#+ (.+)$", text, re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", each.lower()).replace(" ", "-") for each in headings}


def test_links_lead_somewhere() -> None:
    dead = []
    for name, target in in_pages(r"\]\((?!https?:|mailto:)([^)\s]+)\)", PAGES):
        path, _, anchor = target.partition("#")
        page = ((ROOT / name).parent / path).resolve() if path else ROOT / name
        if not page.exists() or (anchor and anchor not in anchors(page)):
            dead.append((name, target))
    assert dead == []


def test_files_that_they_name_are_there() -> None:
    # What a running instance makes is in var/.
    tops = {each.name for each in ROOT.iterdir() if not each.name.startswith(".")} - {"var"}
    gone = [
        (name, path)
        for name, path in in_pages(r"`([\w.-]+/[\w./-]*)`")
        if path.partition("/")[0] in tops and path not in MADE_BY_READERS and not (ROOT / path).exists()
    ]
    assert gone == []


def _examples(path: str) -> Iterator[str]:
    """The path with something in the place of what varies; some are given after ``/api/v1``."""
    path = re.sub(r"(?<=/)[A-Z]+(?=/)", "<id>", path).partition("?")[0]
    for value in ("00000000-0000-0000-0000-000000000001", "1", "x"):
        for prefix in ("", "/api/v1"):
            yield prefix + re.sub(r"<[^>]*>", value, path)


def _is_there(method: str, path: str, client: Client) -> bool:
    for each in _examples(path):
        try:
            resolve(each)
        except Resolver404:
            continue
        if client.generic(method, each).status_code != 405:
            return True
    return False


@pytest.mark.slow
def test_requests_that_they_name_are_there(operator: User) -> None:
    client = Client(raise_request_exception=False)
    client.force_login(operator)
    named = set(in_pages(r"`((?:GET|POST|PUT|PATCH|DELETE) /[^`\s]*)`"))
    assert len(named) > 60
    gone = [(name, each) for name, each in sorted(named) if not _is_there(*each.split(" "), client)]
    assert gone == []


@pytest.mark.slow
def test_paths_that_they_name_are_there(operator: User) -> None:
    client = Client(raise_request_exception=False)
    client.force_login(operator)
    named = set(in_pages(r"`(/(?:api|health|metrics|admin|webhooks?)/?[^`\s*…]*)`"))
    assert len(named) > 10
    gone = [
        (name, path)
        for name, path in sorted(named)
        if path != "/api/v1/" and not any(_is_there(method, path, client) for method in ("GET", "POST"))
    ]
    assert gone == []


def _own_commands() -> set[str]:
    return {name for name, app in get_commands().items() if app in PACKAGES}


def test_every_command_is_told_of_and_each_that_they_name_is_there() -> None:
    named = {command for _, command in in_pages(r"manage\.py ([a-z_]+)", [*NOW, ROOT / "Makefile"])}
    assert named - set(get_commands()) == set()
    assert _own_commands() - named == set()


def test_make_targets_that_they_name_are_there() -> None:
    targets = set(re.findall(r"^([\w-]+):", (ROOT / "Makefile").read_text(), re.MULTILINE))
    assert [(name, each) for name, each in in_pages(r"`make ([\w-]+)") if each not in targets] == []


def test_every_scope_is_told_of() -> None:
    told = {scope for _, scope in in_pages(r"`([a-z]+(?:-[a-z]+)*:[a-z]+)`")}
    assert {each.value for each in Scope} - told == set()


@pytest.mark.django_db
def test_every_metric_is_told_of_and_each_that_they_name_is_there() -> None:
    def exposed(metric: Metric) -> str:
        return metric.name + ("_total" if metric.type == "counter" else "")

    there = {exposed(metric) for metric in TocsinCollector().collect()}
    named = {metric for _, metric in in_pages(r"`(tocsin_[a-z_]+)")}
    assert len(there) > 30
    assert named - there - MADE_BY_READERS == set(), "these are in the pages, and /metrics doesn't have them"
    assert there - named == set(), "add a row for these to the table of metrics in docs/operations.md"
