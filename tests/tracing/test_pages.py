"""The pages of tracing: the tree, the histogram, what-if, and who may see them."""

import csv
import re
from collections.abc import Callable
from datetime import UTC, date, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from django.contrib.auth.models import Permission
from django.test import Client
from django.utils import timezone, translation
from pytest_django import Settings

from accounts.models import User
from config import clock
from tests.web.conftest import browse
from tracing.models import Case, CaseReading, Device, Exposure, Filter, StatusMark
from tracing.selectors import exposures_by_day
from tracing.services.statuses import status_mark
from tracing.templatetags.durations import duration
from tracing.web.histogram import DAYS_MAX, histogram_of
from tracing.web.tree import DRAWN_MAX, Person, tree_of

__all__ = ["browse"]
Browse = Callable[..., Client]
START = datetime(2026, 1, 1, tzinfo=UTC)


def person(device: int, via: int, degree: int) -> Person:
    return Person(device, via, degree, START + timedelta(hours=device), 900, True)


def test_a_tree_has_a_column_for_each_degree_and_no_two_devices_in_one_place() -> None:
    tree = tree_of(1, [person(2, 1, 1), person(3, 1, 1), person(4, 3, 2), person(5, 3, 2), person(6, 2, 2)])

    places = {node.device: (node.x, node.y) for node in tree.nodes}
    assert len(set(places.values())) == 6
    assert [column.count for column in tree.columns] == [0, 2, 3]
    assert {places[device][0] for device in (4, 5, 6)} == {tree.columns[2].x}
    assert places[3][1] == (places[4][1] + places[5][1]) / 2  # in the middle of its children
    assert len(tree.edges) == 5
    assert max(x for x, _ in places.values()) < tree.width
    assert max(y for _, y in places.values()) < tree.height


def test_a_long_chain_and_many_contacts_are_drawn_up_to_a_number() -> None:
    chain = tree_of(1, [person(number + 1, number, number) for number in range(1, 6)])
    assert len({node.y for node in chain.nodes}) == 1
    many = tree_of(1, [person(number, 1, 1) for number in range(2, DRAWN_MAX + 12)])
    assert (len(many.edges), many.left_out) == (DRAWN_MAX, 10)


def test_a_tree_is_drawn_though_a_row_contradicts_it() -> None:
    # Of nobody known, twice the same, and in a circle: what no search stores must not break the page.
    tree = tree_of(1, [person(2, 1, 1), person(2, 1, 1), person(9, 8, 2), person(1, 2, 2)])
    assert [node.device for node in tree.nodes] == [1, 2]
    assert tree.left_out == 3


@pytest.mark.django_db
@pytest.mark.parametrize(
    ("zone", "days"),
    [
        # By older data, as PostgreSQL may have, it is tomorrow in Casablanca at 23:20.
        ("Africa/Casablanca", [(date(2026, 11, 28), 2)]),
        ("Asia/Kathmandu", [(date(2026, 11, 28), 1), (date(2026, 11, 29), 1)]),
    ],
)
def test_exposures_are_counted_by_the_days_of_the_reader(
    zone: str,
    days: list[tuple[date, int]],
    make_filter: Callable[..., Filter],
    meet: Callable[..., None],
    infect: Callable[..., Case],
) -> None:
    found = make_filter()
    for device in (2, 3):
        meet(1, device, hours_ago=20)
    case = infect(1)
    for device, onset in ((2, "18:14"), (3, "23:20")):
        at = datetime.fromisoformat(f"2026-11-28T{onset}:59Z")
        Exposure.objects.filter(case=case, device_id=device).update(onset=at)

    with timezone.override(ZoneInfo(zone)):
        assert exposures_by_day(case, found.pk) == days


def test_a_histogram_has_a_bar_for_each_day_between() -> None:
    found = histogram_of([(date(2026, 1, 1), 2), (date(2026, 1, 4), 4)])
    assert found is not None
    assert [bar.count for bar in found.bars] == [2, 0, 0, 4]
    assert found.bars[0].height * 2 == found.bars[3].height
    assert histogram_of([]) is None
    long_ago = histogram_of([(date(2025, 1, 1), 1), (date(2026, 1, 4), 1)])
    assert long_ago is not None
    assert len(long_ago.bars) == DAYS_MAX


@pytest.fixture
def case(
    now: datetime, make_filter: Callable[..., Filter], meet: Callable[..., None], infect: Callable[..., Case]
) -> Case:
    make_filter(rounds=2)
    Device.objects.create(pk=2, push_token="token-2")
    meet(1, 2, hours_ago=60)
    meet(2, 3, hours_ago=30)
    return infect(1, now)


def test_the_page_of_a_case_shows_its_tree_and_the_same_as_a_table(
    browse: Browse, operator: User, case: Case
) -> None:
    page = browse(operator).get(f"/tracing/cases/{case.pk}/").content.decode()

    assert page.count("trc-edge") == 2
    assert "1 → 2 → 3" in page
    assert page.count("untold") == 1
    assert page.count("trc-bar") == 2
    assert "hx-trigger" not in page  # nothing moves any more
    assert "style=" not in page


def test_while_a_case_is_being_searched_its_page_asks_again_and_then_stops(
    browse: Browse, operator: User, now: datetime, make_filter: Callable[..., Filter]
) -> None:
    make_filter()
    Device.objects.create(pk=1)
    case = status_mark(device_id=1, status=1, now=now).case
    assert case is not None
    browser = browse(operator)
    url = f"/tracing/cases/{case.pk}/"

    assert 'hx-trigger="every 2s"' in browser.get(url).content.decode()
    part = browser.get(url, headers={"HX-Request": "true"})
    assert part.status_code == 200
    assert "<html" not in part.content.decode()

    case.searches.update(searched_at=now)
    assert browser.get(url, headers={"HX-Request": "true"}).status_code == 286


def test_the_page_of_a_case_says_how_many_were_told_and_how_long_contacts_were_in_words(
    browse: Browse, operator: User, case: Case
) -> None:
    Exposure.objects.filter(device_id=3).update(seconds=8759)

    page = browse(operator).get(f"/tracing/cases/{case.pk}/").content.decode()

    assert "<dt>Told</dt><dd>1 of 2</dd>" in page
    assert ">20 min<" in page
    assert ">2 h 25 min 59 s<" in page
    assert "at least 15 min." in page
    assert "/tracing/?device=3" in page  # to its own cases
    assert (
        "from 15 min" in browse(operator).get(f"/tracing/filters/{Filter.objects.get().pk}/").content.decode()
    )


def test_a_case_is_downloaded_and_that_is_noted(
    browse: Browse, operator: User, stranger: User, case: Case
) -> None:
    url = f"/tracing/cases/{case.pk}/export/"
    assert f'href="{url}"' in browse(operator).get(f"/tracing/cases/{case.pk}/").content.decode()
    CaseReading.objects.all().delete()

    answer = browse(operator).get(url)

    assert answer["Content-Type"] == "text/csv; charset=utf-8"
    found = list(csv.DictReader(answer.content.decode().splitlines()))
    assert [(row["device"], row["degree"], row["path"]) for row in found] == [
        ("2", "1", "1 > 2"),
        ("3", "2", "1 > 2 > 3"),
    ]
    assert [bool(row["told_at"]) for row in found] == [True, False]
    assert CaseReading.objects.get().case_id == case.pk
    assert browse(stranger).get(url).status_code == 403


@pytest.mark.parametrize(
    ("seconds", "words"), [(0, "0 s"), (45, "45 s"), (900, "15 min"), (930, "15 min 30 s"), (3600, "1 h")]
)
def test_a_duration_is_said_in_words(seconds: int, words: str) -> None:
    assert duration(seconds) == words


@pytest.mark.parametrize(
    ("language", "words"),
    [("fr", "2 h 25 min 59 s"), ("ru", "2 ч 25 мин 59 с")],
)
def test_durations_are_said_in_the_language_of_the_page(language: str, words: str) -> None:
    with translation.override(language):
        assert duration(8759) == words


def test_staff_mark_a_device_on_the_page_and_close_its_case_there(
    browse: Browse, operator: User, now: datetime
) -> None:
    browser = browse(operator)
    assert 'action="/tracing/marks/"' in browser.get("/tracing/").content.decode()

    answer = browser.post("/tracing/marks/", {"device": "7", "status": "1"})

    case = Case.objects.get(device=7, state="open")
    assert answer["Location"] == f"/tracing/cases/{case.pk}/"
    assert "Device 7 is marked as infected." in browser.get(answer["Location"]).content.decode()
    assert StatusMark.objects.get().user == operator
    assert 'name="status" value="3"' in browser.get(f"/tracing/cases/{case.pk}/").content.decode()
    browser.post("/tracing/marks/", {"device": "7", "status": "3"})
    case.refresh_from_db()
    assert case.state == "healed"
    assert 'name="status" value="3"' not in browser.get(f"/tracing/cases/{case.pk}/").content.decode()


def test_no_status_is_chosen_for_whoever_marks_a_device(browse: Browse, operator: User) -> None:
    """A mark that was refused comes back empty: nobody may open a case by pressing on."""
    browser = browse(operator)
    page = browser.post(
        "/tracing/marks/", {"device": str(2**31), "status": "3"}, follow=True
    ).content.decode()
    assert '<select id="mark-status" name="status" required><option value="">' in page
    assert " selected" not in page


@pytest.mark.slow
@pytest.mark.parametrize(
    "given",
    [
        {},
        {"device": "0", "status": "1"},
        {"device": str(2**31), "status": "1"},
        {"device": "٧", "status": "1"},
        {"device": "1_0", "status": "1"},
        {"device": "7", "status": "9"},
    ],
)
@pytest.mark.django_db
def test_what_is_no_mark_changes_nothing_and_is_said(
    browse: Browse, operator: User, given: dict[str, str]
) -> None:
    answer = browse(operator).post("/tracing/marks/", given, follow=True)
    assert "Nothing was changed" in answer.content.decode()
    assert not Device.objects.exists()


def test_a_mark_against_the_rules_or_too_often_is_refused_on_the_page_too(
    browse: Browse, operator: User, settings: Settings
) -> None:
    settings.TRACING_SUSPECT_FIRST = True
    settings.RATES = {**settings.RATES, "tracing-mark": "2/min"}
    browser = browse(operator)
    for status, said in (("1", "suspect"), ("2", "marked as suspect"), ("1", "too many")):
        answer = browser.post("/tracing/marks/", {"device": "7", "status": status}, follow=True)
        assert said in answer.content.decode(), status
    assert not Case.objects.exists()


@pytest.mark.slow
def test_whoever_may_only_look_at_cases_marks_none(browse: Browse, stranger: User, case: Case) -> None:
    stranger.user_permissions.add(Permission.objects.get(codename="view_case"))
    for url in ("/tracing/", f"/tracing/cases/{case.pk}/"):
        assert "/tracing/marks/" not in browse(stranger).get(url).content.decode()
    assert browse(stranger).post("/tracing/marks/", {"device": "7", "status": "1"}).status_code == 403


def test_the_list_finds_cases_by_device_and_state(browse: Browse, operator: User, case: Case) -> None:
    browser = browse(operator)
    assert f"/tracing/cases/{case.pk}/" in browser.get("/tracing/?state=open").content.decode()
    assert f"/tracing/cases/{case.pk}/" in browser.get("/tracing/?device=1").content.decode()
    assert f"/tracing/cases/{case.pk}/" not in browser.get("/tracing/?device=2").content.decode()
    for query in ("page=-1&device=x", f"page=0000000001{'0' * 5000}", f"device=0000000001{'0' * 5000}"):
        assert browser.get(f"/tracing/?{query}").status_code == 200


def test_the_list_has_links_to_the_pages_that_there_are(
    browse: Browse, operator: User, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("tracing.web.views.PAGE_SIZE", 2)
    cases = [status_mark(device_id=number, status=1, now=clock.now()).case for number in range(1, 5)]
    browser = browse(operator)
    first, second = (browser.get(f"/tracing/?page={number}").content.decode() for number in (1, 2))
    shown = re.findall(r"/tracing/cases/([0-9a-f-]{36})/", first + second)
    assert list(dict.fromkeys(shown)) == [str(case.pk) for case in reversed(cases) if case]
    assert re.findall(r'rel="(prev|next)" href="\?page=(\d)"', first) == [("next", "2")]
    assert re.findall(r'rel="(prev|next)" href="\?page=(\d)"', second) == [("prev", "1")]


@pytest.mark.slow
def test_strangers_see_no_page_and_looking_is_noted(
    browse: Browse, stranger: User, operator: User, case: Case
) -> None:
    urls = ["/tracing/", f"/tracing/cases/{case.pk}/", "/tracing/filters/"]
    for url in urls:
        assert browse(stranger).get(url).status_code == 403, url
        assert browse().get(url).status_code == 302, url
    assert not CaseReading.objects.exists()
    assert "/tracing/" not in browse(stranger).get("/inbox/").content.decode()

    for url in urls:
        assert browse(operator).get(url).status_code == 200
    noted = CaseReading.objects.order_by("read_at").values_list("what", "user__email", "case_id")
    assert list(noted) == [
        ("list", operator.email, None),
        ("case", operator.email, case.pk),
    ]


@pytest.mark.slow
def test_the_admin_shows_cases_notes_who_looks_and_saves_filters_as_versions(
    browse: Browse, operator: User, case: Case
) -> None:
    browser = browse(operator)
    for model in ("case", "casereading", "device", "statusmark", "filter"):
        assert browser.get(f"/admin/tracing/{model}/").status_code == 200, model
    assert browser.get(f"/admin/tracing/case/{case.pk}/change/").status_code == 200
    assert CaseReading.objects.filter(what="case", case_id=case.pk).exists()

    found = Filter.objects.get()
    url = f"/admin/tracing/filter/{found.pk}/change/"
    form = browser.get(url).content.decode()
    (content,) = re.findall(r"<textarea[^>]*>(.*?)</textarea>", form, re.DOTALL)
    data = {"name": "close", "is_active": "on", "status": 2, "rounds": 3, "time_min_s": 900,
            "distance_min_m": 0, "language": "en", "content": content.replace("&quot;", '"'),
            "versions-TOTAL_FORMS": 1, "versions-INITIAL_FORMS": 1}  # fmt: skip
    assert browser.post(url, data).status_code == 302
    found.refresh_from_db()
    assert (found.version, found.rounds, found.versions.count()) == (2, 3, 2)
    assert browser.post(url, {**data, "content": '{"fr": {"title": "x"}}'}).status_code == 200  # no English
