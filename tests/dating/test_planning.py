"""The pages on which evenings, and the rules that make them, are set."""

from collections.abc import Callable
from datetime import UTC, date, datetime, time, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from django.contrib.admin.models import LogEntry
from django.test import Client

from accounts.models import User
from dating import services
from dating.evening.plain_rules import PlainRule, plain
from dating.models import Event, RecurringRule
from tests.dating.cast import person, told
from tests.web.conftest import browse

__all__ = ["browse"]
pytestmark = pytest.mark.django_db
Browse = Callable[..., Client]
NEXT_YEAR = datetime.now(UTC).year + 1
SETTINGS = {
    "title": "Fridays", "time_zone": "Europe/Paris", "max_rounds": "5", "round_minutes": "7.5",
    "break_minutes": "1", "places": "", "users_limit": "20", "confirm_hours": "24", "close_minutes": "60",
    "rules_minutes": "5", "provider": "built_in", "organiser": "",
}  # fmt: skip
RULE = SETTINGS | {
    "days": ["4"], "nth": "0", "every": "1", "at": "20:00", "starts_on": "2026-01-02", "until": "",
    "days_ahead": "14", "is_active": "on", "rrule": "", "shown": "",
}  # fmt: skip
MONDAY = date(2026, 1, 5)


def saved(browser: Client, url: str, given: dict[str, Any]) -> str:
    """Send a rule, look at its dates, and send it again as the page has it then; returns where that leads."""
    answer = browser.post(url, given)
    if answer.status_code == 302:
        return str(answer["Location"])
    assert answer.status_code == 200, answer.content.decode()
    again = browser.post(url, given | {"shown": answer.context["fingerprint"]})
    assert again.status_code == 302
    return str(again["Location"])


@pytest.mark.parametrize(
    ("rrule", "said"),
    [
        ("FREQ=WEEKLY;BYDAY=FR", PlainRule((4,))),
        ("RRULE:FREQ=WEEKLY;INTERVAL=2;BYDAY=SA,TU;WKST=MO", PlainRule((1, 5), 2)),
        ("freq=weekly", PlainRule((0,))),
        ("FREQ=MONTHLY;BYDAY=-1FR;UNTIL=20261231", PlainRule((4,), 1, -1, date(2026, 12, 31))),
        ("FREQ=MONTHLY;INTERVAL=3;BYDAY=2MO,2WE", PlainRule((0, 2), 3, 2)),
    ],
)
def test_what_plain_fields_can_say_is_read_and_written(rrule: str, said: PlainRule) -> None:
    assert plain(rrule, MONDAY) == said
    assert plain(str(said), MONDAY) == said


@pytest.mark.parametrize(
    "rrule",
    [
        "FREQ=DAILY", "FREQ=YEARLY;BYDAY=1FR", "FREQ=MONTHLY", "FREQ=MONTHLY;BYDAY=FR",
        "FREQ=MONTHLY;BYDAY=1FR,2FR", "FREQ=MONTHLY;BYDAY=5FR", "FREQ=MONTHLY;BYMONTHDAY=13",
        "FREQ=WEEKLY;BYDAY=FR;BYMONTH=1", "FREQ=WEEKLY;INTERVAL=2;BYDAY=SU;WKST=SU",
        "FREQ=WEEKLY;BYDAY=FR;UNTIL=20261231T190000Z", "FREQ=WEEKLY;BYDAY=XX", "",
    ],
)  # fmt: skip
def test_what_plain_fields_cannot_say_is_left_to_the_text(rrule: str) -> None:
    assert plain(rrule, MONDAY) is None


def test_a_rule_is_saved_once_its_dates_were_seen(browse: Browse, operator: User) -> None:
    browser = browse(operator)

    first = browser.post("/dating/rules/new/", RULE)
    assert first.status_code == 200
    page = first.content.decode()
    assert "Nothing is saved yet" in page
    assert page.count("20:00</time>") == 8
    assert not RecurringRule.objects.exists()
    at = saved(browser, "/dating/rules/new/", RULE)

    rule = RecurringRule.objects.get()
    assert at == f"/dating/rules/{rule.pk}/"
    assert (rule.rrule, rule.at, rule.time_zone) == ("FREQ=WEEKLY;BYDAY=FR", time(20), "Europe/Paris")
    assert (rule.max_rounds, rule.round_s, rule.confirm_before_s) == (5, 450, 86_400)
    assert LogEntry.objects.get(object_id=str(rule.pk)).user == operator
    assert services.events_recur(now=datetime.now(UTC)) == 2
    assert {each.starts_at.astimezone(ZoneInfo("Europe/Paris")).hour for each in Event.objects.all()} == {20}
    listed = browser.get("/dating/rules/").content.decode()
    assert "Friday, every week" in listed
    assert "20:00 (Europe/Paris)" in listed


def test_the_dates_that_are_shown_follow_the_form(browse: Browse, operator: User) -> None:
    browser = browse(operator)
    given = RULE | {"days": ["4"], "nth": "-1", "starts_on": f"{NEXT_YEAR}-01-01", "at": "19:30"}
    part = browser.post("/dating/rules/new/", given, headers={"HX-Request": "true"}).content.decode()
    assert "<html" not in part
    last = max(day for day in range(22, 32) if date(NEXT_YEAR, 1, day).weekday() == 4)
    assert f"Friday, {last} January {NEXT_YEAR}, 19:30" in part
    assert not RecurringRule.objects.exists()
    part = browser.post("/dating/rules/new/", given | {"days": []}, headers={"HX-Request": "true"})
    assert "They appear once the fields above say when." in part.content.decode()
    part = browser.post("/dating/rules/new/", given | {"title": ""}, headers={"HX-Request": "true"})
    assert f"{last} January {NEXT_YEAR}" in part.content.decode()
    part = browser.post(
        "/dating/rules/new/", given | {"starts_on": f"{NEXT_YEAR + 2}-01-01"}, headers={"HX-Request": "true"}
    )
    assert "No date within a year." in part.content.decode()


def test_a_title_is_changed_at_once_and_another_day_only_after_its_dates(
    browse: Browse, operator: User
) -> None:
    browser = browse(operator)
    url = saved(browser, "/dating/rules/new/", RULE)
    seen = browser.get(url).context["fingerprint"]
    assert browser.post(url, RULE | {"title": "At eight", "shown": seen}).status_code == 302
    assert RecurringRule.objects.get().title == "At eight"
    assert browser.post(url, RULE | {"days": ["5"], "shown": seen}).status_code == 200
    assert RecurringRule.objects.get().rrule == "FREQ=WEEKLY;BYDAY=FR"


def test_a_rule_of_other_words_is_kept_as_text(browse: Browse, operator: User) -> None:
    rule = RecurringRule.objects.create(
        title="Thirteenths", rrule="FREQ=MONTHLY;BYMONTHDAY=13", starts_on=MONDAY, at="20:00",
        confirm_before_s=86_500,
    )  # fmt: skip
    browser = browse(operator)
    url = f"/dating/rules/{rule.pk}/"
    form = browser.get(url).context["form"]
    given = {name: form[name].value() for name in RULE if name not in ("days", "shown", "is_active")}
    given = {name: "" if value is None else value for name, value in given.items()}
    assert given["rrule"] == rule.rrule

    saved(browser, url, given | {"title": "On the 13th"})

    rule.refresh_from_db()
    assert (rule.title, rule.rrule, rule.is_active) == ("On the 13th", "FREQ=MONTHLY;BYMONTHDAY=13", False)
    assert rule.confirm_before_s == 86_500  # 24.03 hours are not that, but nobody has changed them


@pytest.mark.parametrize(
    ("wrong", "text"),
    [
        ({"days": []}, "Choose a day."),
        ({"rrule": "FREQ=HOURLY"}, "FREQ can&#x27;t be HOURLY."),
        ({"until": "2026-01-01"}, "There is no day that fits this rule."),
        ({"time_zone": "Mars/Olympus"}, "Select a valid choice"),
        ({"provider": "nobody"}, "Select a valid choice"),
        ({"confirm_hours": "0.5"}, "Confirmation comes before closing"),
        ({"organiser": "nobody@example.com"}, "Nobody has this address."),
        ({"round_minutes": "1441"}, "less than or equal to 1440"),
        ({"round_minutes": "0"}, "greater than or equal to 1"),
    ],
)
def test_what_no_rule_can_be_is_said_at_its_field(
    browse: Browse, operator: User, wrong: dict[str, Any], text: str
) -> None:
    answer = browse(operator).post("/dating/rules/new/", RULE | wrong)
    assert answer.status_code == 422
    assert text in answer.content.decode()
    assert not RecurringRule.objects.exists()


def test_evenings_with_people_stay_and_that_is_said(browse: Browse, operator: User) -> None:
    browser = browse(operator)
    url = saved(browser, "/dating/rules/new/", RULE)
    now = datetime.now(UTC)
    services.events_recur(now=now)
    first = Event.objects.order_by("starts_at")[0]
    services.registration_create(event=first, user=person("Ana"), now=now)

    page = browser.get(saved(browser, url, RULE | {"at": "19:00"})).content.decode()

    assert "People have registered for these evenings, which stay as they are" in page
    assert f"/dating/{first.pk}/change/" in page
    assert f'action="/dating/{first.pk}/run-sheet/end/"' in page
    browser.post(f"/dating/{first.pk}/run-sheet/end/")
    assert services.events_recur(now=now) == 0  # it is not made again
    first.refresh_from_db()
    assert first.step == "skipped"


def test_a_single_evening_is_made_and_changed(browse: Browse, operator: User) -> None:
    browser = browse(operator)
    given = SETTINGS | {"day": f"{NEXT_YEAR}-03-05", "at": "20:00", "organiser": operator.email}
    answer = browser.post("/dating/new/", given)
    event = Event.objects.get()
    assert answer["Location"] == f"/dating/{event.pk}/run-sheet/"
    assert event.starts_at == datetime(NEXT_YEAR, 3, 5, 19, tzinfo=UTC)
    assert (event.organiser, event.round_s) == (operator, 450)
    ana = person("Ana")
    services.registration_create(event=event, user=ana, now=datetime.now(UTC))

    url = f"/dating/{event.pk}/change/"
    form = {"title": "Fridays", "day": f"{NEXT_YEAR}-03-05", "at": "21:30", "places": "8", "organiser": ""}
    assert f'href="{url}"' in browser.get(f"/dating/{event.pk}/run-sheet/").content.decode()
    assert browser.post(url, form).status_code == 302

    event.refresh_from_db()
    assert event.starts_at == datetime(NEXT_YEAR, 3, 5, 20, 30, tzinfo=UTC)
    assert (event.places, event.organiser) == (8, None)
    assert "moved" in told(ana)
    assert LogEntry.objects.filter(object_id=str(event.pk), user=operator).count() == 2
    past = browser.post(url, form | {"day": "2026-01-05", "places": "9"})
    assert past.status_code == 422
    assert "Registration would already be closed" in past.content.decode()
    event.refresh_from_db()
    assert event.places == 8  # all or nothing
    services.event_end(event=event, now=datetime.now(UTC))
    assert browser.post(url, form).status_code == 409


def test_a_new_evening_of_yesterday_is_refused_at_its_day(browse: Browse, operator: User) -> None:
    given = SETTINGS | {"day": f"{datetime.now(UTC) - timedelta(days=1):%Y-%m-%d}", "at": "20:00"}
    answer = browse(operator).post("/dating/new/", given)
    assert answer.status_code == 422
    assert "day" in answer.context["form"].errors
    assert not Event.objects.exists()


def test_whoever_ran_an_evening_finds_it_when_it_is_over(
    browse: Browse, operator: User, stranger: User
) -> None:
    now = datetime.now(UTC)
    mine, other = (
        services.event_create(now=now, title=title, starts_at=now + timedelta(days=9), organiser=organiser)
        for title, organiser in (("Mine", stranger), ("Not mine", operator))
    )
    for event in (mine, other):
        services.event_end(event=event, now=now)
    assert "/dating/rules/" not in browse(stranger).get("/dating/").content.decode()
    for user, count in ((stranger, 1), (operator, 2)):
        page = browse(user).get("/dating/").content.decode()
        assert page.count("/run-sheet/") == count
        assert f"/dating/{mine.pk}/run-sheet/" in page


def test_only_staff_set_evenings(browse: Browse, stranger: User) -> None:
    now = datetime.now(UTC)
    event = services.event_create(
        now=now, title="Mine", starts_at=now + timedelta(days=9), organiser=stranger
    )
    for url in ("/dating/rules/", "/dating/rules/new/", "/dating/new/", f"/dating/{event.pk}/change/"):
        assert browse(stranger).get(url).status_code == 403, url
        assert browse().get(url).status_code == 302, url
