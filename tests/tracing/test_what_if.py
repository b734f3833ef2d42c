"""The page on which a filter's values are tried before they are saved."""

from collections.abc import Callable
from datetime import datetime, timedelta

import pytest
from django.contrib.admin.models import LogEntry
from django.contrib.auth.models import Permission
from django.test import Client
from pytest_django import Settings

from accounts.models import User
from tests.tracing.conftest import TEXT
from tests.web.conftest import browse
from tracing.filter_preview import compared, direction
from tracing.models import Case, CaseReading, Exposure, Filter, FilterVersion
from tracing.services.filters import filter_change

__all__ = ["browse"]
Browse = Callable[..., Client]
VALUES = {
    "minutes_min": "15",
    "minutes_max": "",
    "distance_min": "0",
    "distance_max": "",
    "rounds": "1",
    "status": "2",
}


@pytest.fixture
def outbreak(
    now: datetime, make_filter: Callable[..., Filter], meet: Callable[..., None], infect: Callable[..., Case]
) -> tuple[Filter, Case]:
    """A case that met 8 phones for 20 minutes, 6 more for 10, and another case that met one."""
    found = make_filter(is_active=False)
    for number in range(8):
        meet(1, 10 + number, hours_ago=3 + number)
    for number in range(6):
        meet(1, 30 + number, hours_ago=3 + number, seconds=600)
    meet(2, 50, hours_ago=3)
    infect(2, now - timedelta(days=1))
    return found, infect(1, now)


def url_of(found: Filter) -> str:
    return f"/tracing/filters/{found.pk}/what-if/"


def said(browser: Client, found: Filter, **values: str) -> str:
    answer = browser.get(url_of(found), {**VALUES, **values})
    assert answer.status_code == 200
    return answer.content.decode()


def test_values_are_tried_and_nothing_is_saved(
    browse: Browse, operator: User, outbreak: tuple[Filter, Case]
) -> None:
    found, _ = outbreak
    browser = browse(operator)

    page = said(browser, found, minutes_min="5")

    assert "Now 9, then 15 (+6)" in page
    assert "In the last 2 cases" in page
    assert "Changes: Minutes of contact, from." in page
    found.refresh_from_db()
    assert (found.time_min_s, found.version) == (900, 1)
    assert not Exposure.objects.exists()
    assert "Now 9, then 9 (the same)" in said(browser, found)
    assert "Save these values" not in said(browser, found)


def test_only_what_was_seen_is_saved_as_a_version_and_noted(
    browse: Browse, operator: User, outbreak: tuple[Filter, Case]
) -> None:
    found, _ = outbreak
    browser = browse(operator)
    saved = {**VALUES, "minutes_min": "7.5", "distance_max": "2.5", "version": "1"}

    assert browser.post(url_of(found), saved).status_code == 302

    found.refresh_from_db()
    assert (found.time_min_s, found.distance_max_m, found.version) == (450, 2.5, 2)
    assert found.content["en"] == TEXT  # what the page doesn't show stays
    entry = LogEntry.objects.get(object_id=str(found.pk))
    assert entry.user == operator
    assert "Minutes of contact, from" in entry.get_change_message()
    # Somebody who looked at version 1 saves nothing over version 2.
    again = browser.post(url_of(found), {**VALUES, "version": "1"})
    assert again.status_code == 409
    assert "Somebody has changed this filter" in again.content.decode()
    found.refresh_from_db()
    assert found.time_min_s == 450


@pytest.mark.parametrize(
    ("values", "text"),
    [
        ({"minutes_min": "30", "minutes_max": "20"}, "Expected no less than the least contact."),
        ({"distance_min": "5", "distance_max": "2"}, "Expected no less than the least distance."),
        ({"minutes_min": "x"}, "Enter a number."),
        ({"minutes_min": "NaN"}, "Enter a number."),
        ({"distance_min": "inf"}, "Enter a number."),
        ({"distance_max": "328"}, "less than or equal to 327"),
        ({"rounds": "6"}, "Select a valid choice"),
        ({"cases": "101"}, "less than or equal to 100"),
    ],
)
def test_values_that_no_filter_can_have_are_refused_and_kept(
    browse: Browse, operator: User, outbreak: tuple[Filter, Case], values: dict[str, str], text: str
) -> None:
    page = said(browse(operator), outbreak[0], **values)
    assert text in page
    assert "then" not in page.split("</h1>")[1].split("Values")[0]
    assert next(iter(values.values())) in page


def test_one_case_is_asked_about_and_that_is_noted(
    browse: Browse, operator: User, outbreak: tuple[Filter, Case]
) -> None:
    found, case = outbreak
    browser = browse(operator)
    assert f'value="{case.pk}"' in browser.get(f"{url_of(found)}?case={case.pk}").content.decode()

    page = said(browser, found, minutes_min="5", case=str(case.pk))

    assert "Now 8, then 14 (+6)" in page
    assert "In the case of device 1" in page
    assert CaseReading.objects.filter(what="case", case_id=case.pk, user=operator).exists()


def test_two_versions_stand_beside_each_other(
    browse: Browse, operator: User, outbreak: tuple[Filter, Case]
) -> None:
    found, _ = outbreak
    filter_change(filter=found, time_min_s=300)
    browser = browse(operator)
    (link,) = [
        part.split('"')[0].replace("&amp;", "&")
        for part in browser.get(f"/tracing/filters/{found.pk}/").content.decode().split('href="')
        if "what-if/?" in part.split('"')[0]
    ]
    assert "Now 15, then 9 (−6)" in browser.get(link).content.decode()
    assert "Version 1: 9, then 15 (+6)" in said(browser, found, minutes_min="5", base="1")


def test_low_counts_are_hidden_but_what_follows_from_the_values_alone_is_said(
    browse: Browse, operator: User, outbreak: tuple[Filter, Case]
) -> None:
    found, _ = outbreak
    browser = browse(operator)
    page = said(browser, found, minutes_min="60")
    assert "Now 9, then fewer than 5" in page
    assert "These values can't find more people" in page
    page = said(browser, found, minutes_min="10", cases="1", base="1", distance_max="0.5")
    assert "Now 8, then fewer than 5" in page
    assert "can't find" not in page  # longer in one respect, stricter in another


def test_a_search_that_reaches_too_many_is_stopped(
    browse: Browse, operator: User, outbreak: tuple[Filter, Case], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("tracing.web.what_if.DEVICES_MAX", 10)
    page = said(browse(operator), outbreak[0], minutes_min="5")
    assert "These values reach more than 10 devices" in page
    assert "(+6)" not in page


@pytest.mark.parametrize(
    ("before", "after", "same_to", "expected"),
    [
        # (now, then) in all; then by degree.
        ({1: 38}, {1: 21}, 0, ((38, 21), {1: (38, 21)})),
        ({1: 38}, {1: 36}, 0, ((38, None), {1: (38, None)})),  # two people are the difference
        ({1: 38}, {1: 38}, 0, ((38, None), {1: (38, None)})),
        ({1: 38}, {1: 38}, 1, ((38, 38), {1: (38, 38)})),
        ({1: 3}, {1: 4}, 0, ((None, None), {1: (None, None)})),
        ({1: 3}, {1: 9}, 0, ((None, 9), {1: (None, 9)})),
        # A second degree: the first is what it was.
        ({1: 38}, {1: 38, 2: 21}, 1, ((38, 59), {1: (38, 38), 2: (0, 21)})),
        ({1: 38}, {1: 38, 2: 3}, 1, ((38, None), {1: (38, None), 2: (0, None)})),
        ({1: 38, 2: 21}, {1: 38}, 1, ((59, 38), {1: (38, 38), 2: (21, 0)})),
        # One part that is near, or low, would follow from the sum and the others.
        ({1: 20, 2: 30}, {1: 21, 2: 60}, 0, ((50, 81), {1: (20, None), 2: (30, None)})),
        ({1: 20, 2: 30}, {1: 40, 2: 3}, 0, ((50, 43), {1: (20, None), 2: (30, None)})),
        (
            {1: 20, 2: 30, 3: 9},
            {1: 40, 2: 3, 3: 50},
            0,
            ((59, 93), {1: (20, None), 2: (30, None), 3: (9, 50)}),
        ),
    ],
)
def test_no_count_of_a_few_people_is_shown_or_follows(
    settings: Settings,
    before: dict[int, int],
    after: dict[int, int],
    same_to: int,
    expected: tuple[tuple[int, int], dict[int, tuple[int, int]]],
) -> None:
    settings.TRACING_MIN_COUNT = 5
    told, by_degree = compared(before, after, same_to=same_to)
    found = {degree: (pair.now, pair.then) for degree, pair in by_degree.items()}
    assert ((told.now, told.then), found) == expected


@pytest.mark.parametrize(
    ("now", "then", "expected"),
    [
        ({}, {"time_min_s": 600}, 1),
        ({}, {"time_min_s": 1200, "distance_max_m": 2.0}, -1),
        ({}, {"time_min_s": 600, "distance_max_m": 2.0}, 0),
        ({"distance_max_m": 2.0}, {"rounds": 2}, 1),
        # A longer contact may be too long: nearer or earlier ones decide.
        ({"time_max_s": 3600}, {"time_max_s": 3600, "distance_min_m": 1.0}, 0),
        ({"time_max_s": 3600, "rounds": 2}, {"time_max_s": 7200, "rounds": 2}, 0),
        ({"time_max_s": 3600}, {"time_max_s": 7200}, 1),
    ],
)
def test_what_follows_from_values_alone(now: dict[str, float], then: dict[str, float], expected: int) -> None:
    assert direction(FilterVersion(**now), FilterVersion(**then)) == expected


def test_texts_have_fields_for_each_language(
    browse: Browse, operator: User, make_filter: Callable[..., Filter]
) -> None:
    found = make_filter()
    browser = browse(operator)
    url = f"/tracing/filters/{found.pk}/texts/"
    page = browser.get(url).content.decode()
    assert 'value="Vous étiez près"' in page
    assert 'name="title_ru"' in page
    given = {
        "name": "nearest", "language": "en", "title_en": "Near", "shortDescription_en": "Stay.",
        "code": "pt-BR", "title_other": "Perto",
    }  # fmt: skip

    assert browser.post(url, given).status_code == 302

    found.refresh_from_db()
    assert (found.name, found.version) == ("nearest", 2)
    assert found.content == {
        "en": {"title": "Near", "shortDescription": "Stay."}, "pt-BR": {"title": "Perto"},
    }  # fmt: skip
    assert LogEntry.objects.get(object_id=str(found.pk)).user == operator
    for wrong, text in (
        ({"title_en": ""}, "Enter a title, or leave this language empty."),
        ({"code": ""}, "Say in which language this text is."),
        ({"language": "ru"}, "There is no text in this language."),
        ({"code": "x"}, "Enter a valid value."),
        ({"code": "en"}, "This language has its fields above."),
    ):
        answer = browser.post(url, {**given, **wrong})
        assert answer.status_code == 422
        assert text in answer.content.decode()


@pytest.mark.django_db
def test_a_filter_is_made_and_switched_on_by_page(browse: Browse, operator: User) -> None:
    browser = browse(operator)
    assert browser.get("/tracing/what-if/")["Location"] == "/tracing/filters/"
    answer = browser.post("/tracing/filters/new/", {"name": "close", "language": "en", "title_en": "Near"})
    made = Filter.objects.get()
    assert answer["Location"] == url_of(made)
    assert browser.get("/tracing/what-if/")["Location"] == url_of(made)
    assert not made.is_active
    for is_active in (True, False):
        browser.post(f"/tracing/filters/{made.pk}/switch/", {"is_active": "on" if is_active else ""})
        made.refresh_from_db()
        assert made.is_active is is_active
    assert LogEntry.objects.filter(object_id=str(made.pk), user=operator).count() == 3


def test_whoever_may_only_look_tries_values_and_saves_none(
    browse: Browse, stranger: User, outbreak: tuple[Filter, Case]
) -> None:
    found, _ = outbreak
    assert browse(stranger).get(url_of(found)).status_code == 403
    stranger.user_permissions.add(Permission.objects.get(codename="view_case"))
    browser = browse(stranger)
    page = said(browser, found, minutes_min="5")
    assert "Now 9, then 15 (+6)" in page
    assert "Save these values" not in page
    assert browser.post(url_of(found), {**VALUES, "version": "1"}).status_code == 403
    for name in ("texts/", "switch/"):
        assert browser.post(f"/tracing/filters/{found.pk}/{name}").status_code == 403
