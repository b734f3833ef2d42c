"""Evenings in the admin."""

from datetime import timedelta
from typing import Any

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.urls import reverse
from django.utils import timezone

from accounts.models import User
from dating import services
from dating.models import DatingProfile, Event, Reaction, RecurringRule, Registration
from tests.dating.cast import DAY, EIGHT, HOUR, Evening, event, person, told


@pytest.fixture
def desk(operator: User) -> Client:
    client = Client()
    client.force_login(operator)
    return client


def url(page: str, *args: Any) -> str:
    return reverse(f"admin:dating_{page}", args=args)


def filled(**changes: Any) -> dict[str, Any]:
    """The form of a new event, as its page has it."""
    starts_at = timezone.now() + timedelta(days=3)
    return {
        "title": "Friday at eight",
        "starts_at_0": f"{starts_at:%Y-%m-%d}",
        "starts_at_1": f"{starts_at:%H:%M:%S}",
        "time_zone": "Europe/Paris",
        "provider": "built_in",
        "users_limit": 20,
        "round_s": 300,
        "break_s": 60,
        "confirm_before_s": 86400,
        "close_before_s": 3600,
        "rules_before_s": 300,
        **changes,
    }


def test_an_event_is_made_and_has_its_deadline(desk: Client) -> None:
    assert desk.post(url("event_add"), filled()).status_code == 302
    made = Event.objects.get()
    assert made.deadline_at == made.confirm_at
    assert made.number == 1


@pytest.mark.parametrize("page", ["event_add", "recurringrule_add"])
def test_the_public_jitsi_is_not_offered_and_it_is_said_why(desk: Client, settings: Any, page: str) -> None:
    settings.JITSI_BASE_URL = "https://meet.jit.si"
    shown = desk.get(url(page)).content.decode()
    assert "the public Jitsi Meet" in shown
    assert 'value="jitsi"' not in shown
    settings.JITSI_BASE_URL = "https://jitsi.example.com"
    shown = desk.get(url(page)).content.decode()
    assert "the public Jitsi Meet" not in shown
    assert 'value="jitsi"' in shown


@pytest.mark.slow
@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"starts_at_0": "2020-01-01"}, "already be closed"),
        ({"close_before_s": 90000}, "Confirmation comes before closing"),
        ({"provider": "smoke"}, "errorlist"),
        ({"provider": "google_meet"}, "errorlist"),
        ({"provider": "jitsi"}, "errorlist"),
        ({"time_zone": "Mars/Olympus"}, "errorlist"),
    ],
)
def test_what_could_never_take_place_is_refused(desk: Client, changes: dict[str, Any], words: str) -> None:
    response = desk.post(url("event_add"), filled(**changes))
    assert response.status_code == 200
    assert words in response.content.decode()
    assert not Event.objects.exists()


def change(desk: Client, made: Event, **changes: Any) -> Event:
    """Send the form of an event that is there, and return the event as it is then."""
    form = filled(**changes) | {"log-TOTAL_FORMS": 0, "log-INITIAL_FORMS": 0}
    desk.post(url("event_change", made.pk), form)
    return Event.objects.get()


def test_what_its_plan_depends_on_stays_as_it_was(desk: Client) -> None:
    evening = Evening(event(organiser=person())).registered(person("Bob"), person("Eve")).confirmed()
    evening.at(EIGHT - HOUR)
    at = {"starts_at_0": f"{EIGHT:%Y-%m-%d}", "starts_at_1": f"{EIGHT:%H:%M:%S}"}
    now = change(desk, evening.event, title="Saturday", users_limit=4, places=8, round_s=1, **at)
    assert (now.title, now.places) == ("Saturday", 8)
    assert (now.starts_at, now.users_limit, now.round_s) == (EIGHT, 20, 300)


@pytest.mark.slow
def test_what_has_become_too_late_while_the_form_was_open_is_said_to_be_so(desk: Client) -> None:
    evening = Evening(event()).registered(person("Ana"), person("Bob")).confirmed()
    evening.at(EIGHT - HOUR)
    later = EIGHT + HOUR
    form = filled(title="Saturday", starts_at_0=f"{EIGHT:%Y-%m-%d}", starts_at_1=f"{later:%H:%M:%S}")
    form |= {"log-TOTAL_FORMS": 0, "log-INITIAL_FORMS": 0}
    page = desk.post(url("event_change", evening.event.pk), form, follow=True).content.decode()
    assert "too late to change: starts at" in page
    assert "successfully" not in page
    evening.event.refresh_from_db()
    assert (evening.event.starts_at, evening.event.title) == (EIGHT, "Friday at eight")
    # As the page has the form now, the rest can be saved.
    del form["starts_at_0"], form["starts_at_1"]
    assert (
        "successfully" in desk.post(url("event_change", evening.event.pk), form, follow=True).content.decode()
    )
    services.event_end(event=evening.event, now=EIGHT)
    page = desk.post(
        url("event_change", evening.event.pk), form | {"title": "Sunday", "places": 9}, follow=True
    )
    assert "too late to change: places, title" in page.content.decode()
    evening.event.refresh_from_db()
    assert (evening.event.title, evening.event.places) == ("Saturday", None)


def test_until_there_is_a_plan_it_can_be_moved_and_everybody_is_told(desk: Client) -> None:
    ana = person()
    made = Evening(event()).registered(ana).event
    later = EIGHT + DAY
    day, time = {"starts_at_0": f"{later:%Y-%m-%d}"}, {"starts_at_1": f"{later:%H:%M:%S}"}
    now = change(desk, made, title=made.title, **day, **time)
    assert (now.starts_at, now.deadline_at) == (later, later - DAY)
    assert told(ana) == ["registered", "moved"]
    assert (
        change(desk, made, title=made.title, **day | {"starts_at_0": "2020-01-01"}, **time).starts_at == later
    )


def test_an_event_leads_to_its_run_sheet(desk: Client) -> None:
    made = event()
    for page in (url("event_changelist"), url("event_change", made.pk)):
        assert f"/dating/{made.pk}/run-sheet/" in desk.get(page).content.decode()


def test_a_rule_that_nobody_understands_is_refused(desk: Client) -> None:
    form = filled(rrule="every friday", at="20:00", starts_on="2026-01-02", days_ahead=14, is_active="on")
    assert "errorlist" in desk.post(url("recurringrule_add"), form).content.decode()
    early = form | {"rrule": "FREQ=DAILY", "starts_on": "0001-01-01"}
    assert "before 2000" in desk.post(url("recurringrule_add"), early).content.decode()
    assert desk.post(url("recurringrule_add"), form | {"rrule": "FREQ=WEEKLY;BYDAY=FR"}).status_code == 302
    assert RecurringRule.objects.get().rrule == "FREQ=WEEKLY;BYDAY=FR"


@pytest.mark.slow
@pytest.mark.parametrize(
    "rrule",
    [
        "FREQ=YEARLY;BYDAY=99MO",
        "FREQ=WEEKLY;BYDAY=5FR",
        "FREQ=MONTHLY;BYMONTHDAY=0",
        "FREQ=DAILY;BYMONTH=13",
        "FREQ=DAILY;BYMONTH=2;BYMONTHDAY=30",
    ],
)
def test_a_rule_that_calendars_forbid_or_without_any_day_is_refused_at_its_field(
    desk: Client, rrule: str
) -> None:
    form = filled(rrule=rrule, at="20:00", starts_on="2026-01-02", days_ahead=14, is_active="on")
    answer = desk.post(url("recurringrule_add"), form)
    assert (answer.status_code, list(answer.context["adminform"].errors)) == (200, ["rrule"])
    assert not RecurringRule.objects.exists()


@pytest.mark.slow
def test_every_list_opens_in_the_same_number_of_queries(desk: Client) -> None:
    made, counts = event(), []
    for _ in range(2):
        ana, bo = (
            Registration.objects.create(event=made, user=person(), state="confirmed") for _ in range(2)
        )
        Reaction.objects.create(event=made, by=ana, about=bo, kind="report", text="rude")
        with CaptureQueriesContext(connection) as queries:
            for page in ("event", "recurringrule", "datingprofile", "registration", "reaction"):
                assert desk.get(url(f"{page}_changelist")).status_code == 200
        counts.append(len(queries))
    assert counts[0] == counts[1]


def test_staff_without_rights_look_and_change_nothing(stranger: User) -> None:
    User.objects.filter(pk=stranger.pk).update(is_staff=True)
    client, made = Client(), event()
    client.force_login(stranger)
    assert client.get(url("event_change", made.pk)).status_code == 200
    assert client.post(url("event_add"), filled()).status_code == 403
    profile = DatingProfile.objects.create(user=stranger)
    assert client.post(url("datingprofile_change", profile.pk), {"manual_score": 3}).status_code == 403
