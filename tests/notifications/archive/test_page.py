"""The console's history looks in the archive too, for whoever asks, and no longer than they wait."""

import re
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from django.test import Client
from pytest_django import Settings

from accounts.models import Shop, User
from notifications.archive import looking, parquet, tree, writing
from notifications.disclosure import facts_read
from notifications.history.month import Month
from notifications.models import Delivery
from notifications.web.views import history as page_of
from tests.notifications.archive.conftest import AUGUST, drop

pytestmark = pytest.mark.django_db

PATH = "/console/history/"
SINCE_JULY = "2025-07-01T00:00Z"


@pytest.fixture
def page(operator: User) -> Client:
    client = Client(headers={"accept": "text/html"})
    client.force_login(operator)
    return client


@pytest.fixture
def left(archive: Path, history: list[Delivery]) -> None:
    """August and September are in the archive alone; November is in the tables."""
    writing.write_through(Month.parse("2025-09"))
    drop(datetime(2025, 10, 1, tzinfo=UTC))


def asked(page: Client, query: str = "", **fields: str) -> str:
    answer = page.get(f"{PATH}?{query.replace('&amp;', '&')}", fields or None)
    assert answer.status_code == 200
    return answer.content.decode()


def days(html: str) -> list[str]:
    """Return of which day each row of the list is, and whether it is from the archive."""
    (listed,) = re.findall(r'<ol class="panel-list card">(.*?)</ol>', html, re.DOTALL)
    rows = re.findall(r'<li class="panel-item">(.*?)</li>', listed, re.DOTALL)
    said = [(re.findall(r'datetime="([0-9-]{10})', row)[0], "from the archive" in row) for row in rows]
    return [day[5:] + (" archived" if is_archived else "") for day, is_archived in said]


def offered(html: str) -> str:
    (query,) = re.findall(r'href="\?([^"]+)">Look in the archive too<', html) or [""]
    return query


def test_what_has_left_the_tables_is_found_for_whoever_asks(page: Client, left: None) -> None:
    shown = asked(page, since=SINCE_JULY)
    assert days(shown) == ["11-30", "11-30"]
    found = asked(page, offered(shown))
    assert days(found) == ["11-30", "11-30", *["09-03 archived"] * 2, *["08-14 archived"] * 2]
    assert offered(found) == ""
    assert "Look further back" not in found
    assert "Not told: prefers critical alerts only." in found


def test_of_a_person_all_there_is_is_offered(page: Client, left: None, owner: User, teammate: User) -> None:
    for person in (owner, teammate):
        shown = asked(page, person=person.email)
        found = asked(page, offered(shown))
        assert days(found) == ["11-30", "09-03 archived", "08-14 archived"]
        assert found.count(f'href="/console/people/{person.pk}/"') == 3
    User.objects.filter(pk=owner.pk).delete()
    gone = asked(page, offered(asked(page, person=str(owner.pk))))
    assert days(gone) == ["09-03 archived", "08-14 archived"]


def test_the_filters_hold_in_the_archive_too(
    page: Client, left: None, shop: Shop, owner: User, teammate: User
) -> None:
    archived = ["09-03 archived", "08-14 archived"]
    for fields, expected in (
        ({"status": "suppressed"}, archived[:1]),
        ({"reason": "level"}, archived[:1]),
        ({"status": "sent", "until": "2025-09-02T00:00Z"}, archived[1:] * 2),
        ({"since": "2025-09-03T10:00Z"}, archived[:1]),
        ({"since": "2025-09-03T07:00Z", "until": "2025-09-03T10:00Z"}, archived[:1]),
        ({"status": "suppressed", "person": teammate.email}, archived[:1]),
        ({"status": "suppressed", "person": owner.email}, []),
        ({"channel": "sms"}, []),
        ({"shop": shop.slug, "until": "2025-09-02T00:00Z"}, archived[1:] * 2),
        ({"shop": "no-such-shop"}, []),
        ({"person": "nobody of that name"}, []),
    ):
        found = asked(page, **{"since": SINCE_JULY, "archive": "first", **fields})
        assert [each for each in days(found) if "archived" in each] == expected, fields


def test_it_is_offered_only_where_the_tables_do_not_reach(
    page: Client, left: None, owner: User, settings: Settings
) -> None:
    assert offered(asked(page)) == ""
    assert offered(asked(page, since="2025-10-01T00:00Z")) == ""
    assert offered(asked(page, since=SINCE_JULY, error="answered 503")) == ""
    settings.ARCHIVE_URL = ""
    assert offered(asked(page, person=owner.email)) == ""


def test_nothing_is_offered_while_all_is_in_the_tables(
    page: Client, archive: Path, history: list[Delivery], owner: User
) -> None:
    writing.write_through(Month.parse("2025-09"))
    Delivery.objects.filter(pk__lt=Month.of(AUGUST).end_id).exclude(user=owner).delete()
    assert offered(asked(page, person=owner.email)) == ""
    assert days(asked(page, since=SINCE_JULY, archive="first"))[-1] == "08-14"


def test_the_archive_is_read_on_no_other_page(page: Client, left: None, archive: Path, owner: User) -> None:
    for file in archive.rglob("*.*"):
        file.unlink()
    shown = asked(page, person=owner.email)
    assert "Look in the archive too" in shown
    broken = asked(page, offered(shown))
    assert "The archive can't be read: " in broken
    assert days(broken) == ["11-30"]


def walked(page: Client, query: str) -> list[str]:
    """Return the days of all rows from a page on, by its links."""
    seen = []
    for _ in range(20):
        html = asked(page, query)
        seen += days(html)
        (query,) = re.findall(r'href="\?([^"]+)">(?:Older|Look further back)<', html) or [""]
        if not query:
            break
    return seen


@pytest.mark.parametrize("size", [1, 2, 5])
def test_pages_follow_each_other_from_the_tables_to_the_archive_without_a_gap(
    page: Client, left: None, monkeypatch: pytest.MonkeyPatch, size: int
) -> None:
    monkeypatch.setattr(page_of, "PAGE_SIZE", size)
    assert walked(page, f"since={SINCE_JULY}&archive=first") == [
        *["11-30"] * 2, *["09-03 archived"] * 2, *["08-14 archived"] * 2,
    ]  # fmt: skip


def test_a_look_ends_when_its_time_is_up_and_the_next_goes_on(
    page: Client, archive: Path, history: list[Delivery], teammate: User, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tree, "CHUNK", 1)
    monkeypatch.setattr(parquet, "CHUNK", 1)
    writing.write_through(Month.parse("2025-09"))
    drop(datetime(2025, 10, 1, tzinfo=UTC))
    monkeypatch.setattr(looking, "BUDGET_S", 0.0)
    first = asked(page, channel="sms", since=SINCE_JULY, archive="first")
    assert days(first) == []
    assert "Nothing so far." in first
    assert "Looked through back to 3 Sep 2025, 13:00." in " ".join(first.split())
    query = f"since={SINCE_JULY}&person={teammate.email}&archive=first"
    assert walked(page, query) == ["11-30", "09-03 archived", "08-14 archived"]


def test_whoever_reads_notices_in_the_archive_is_noted(
    page: Client, left: None, operator: User, noted: Callable[[], list[Any]]
) -> None:
    asked(page, since=SINCE_JULY, archive="first", until="2025-09-02T00:00Z")
    ((facts, user),) = noted()
    assert user == operator
    assert {kind for kind, _ in facts} == {"alert"}


@pytest.fixture
def noted() -> Iterator[Callable[[], list[Any]]]:
    seen: list[Any] = []

    def note(sender: object, facts: Any, user: Any, **_: Any) -> None:
        seen.append((facts, user))

    facts_read.connect(note)
    yield lambda: seen
    facts_read.disconnect(note)
