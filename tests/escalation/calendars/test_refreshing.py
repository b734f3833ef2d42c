"""A layer that an external calendar feeds: fetched again and again, and kept where that fails."""

import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler

import django_rq
import pytest
from pytest_django import Settings
from redis import Redis
from structlog.testing import capture_logs

from accounts.models import Role, User
from config import clock as product_clock
from config import periodic
from escalation.calendars import jobs, refreshing
from escalation.models import CalendarSpell, Layer, LayerCalendar, Schedule
from escalation.schedules.row import Duty, final_row, on_call
from escalation.schedules.selectors import roster_of, schedules_visible_to, with_layers
from escalation.services.schedules import LayerSaid, layers_said, override_create, schedule_update
from notifications import queue
from notifications.exposition import exposition
from notifications.models import InboxItem, Notification
from tests.escalation.calendars.conftest import by_calendar, refreshed, vcalendar
from tests.factories import UserFactory
from tests.servers.calendars import Calendars

NOW = datetime(2026, 3, 2, 12, tzinfo=UTC)
MINUTE, HOUR, DAY = timedelta(minutes=1), timedelta(hours=1), timedelta(days=1)
QUARTER = 15 * MINUTE
#: Ana by day, and Bo by night, who is invited.
DAYS = "DTSTART:20260301T080000Z\nDTEND:20260301T200000Z\nRRULE:FREQ=DAILY\nSUMMARY:ana@example.com"
NIGHTS = """DTSTART:20260301T200000Z
    DTEND:20260302T080000Z
    RRULE:FREQ=DAILY
    SUMMARY:Night shift
    ATTENDEE;CN=Bo;PARTSTAT=ACCEPTED:mailto:Bo@Example.com"""


def read(schedule: Schedule) -> Schedule:
    return with_layers(Schedule.objects.filter(pk=schedule.pk)).get()


def row_of(schedule: Schedule, begin: datetime = NOW, end: datetime = NOW + DAY) -> list[Duty]:
    return final_row(roster_of(read(schedule)), begin, end)


def calendar_of(schedule: Schedule) -> LayerCalendar:
    return LayerCalendar.objects.get(layer__schedule=schedule)


def on_call_at(schedule: Schedule, at: datetime) -> tuple[object, ...]:
    duty = on_call(roster_of(read(schedule)), at)
    return duty.user_ids if duty else ()


@pytest.mark.slow
def test_the_events_of_a_calendar_say_who_is_on_call(calendars: Calendars, ana: User, bo: User) -> None:
    calendars.content = vcalendar(DAYS, NIGHTS)
    schedule = by_calendar(calendars.url)
    assert row_of(schedule) == []
    refreshed(NOW)
    at = NOW.replace(hour=0)
    assert row_of(schedule) == [
        Duty((ana.pk,), at + 8 * HOUR, at + 20 * HOUR, layer=1),
        Duty((bo.pk,), at + 20 * HOUR, at + 32 * HOUR, layer=1),
        Duty((ana.pk,), at + 32 * HOUR, at + 44 * HOUR, layer=1),
    ]
    assert calendar_of(schedule).fetched_at == NOW


@pytest.mark.slow
def test_layers_over_and_under_it_and_overrides_count_as_with_any_other(
    calendars: Calendars, ana: User, bo: User
) -> None:
    calendars.content = vcalendar(DAYS)
    cleo = UserFactory()
    always = LayerSaid("UTC", NOW.date() - 30 * DAY, members=(bo.pk,))
    schedule = by_calendar(calendars.url)
    schedule_update(schedule=schedule, layers=[always, LayerSaid("UTC", ical_url=calendars.url)])
    refreshed(NOW)
    override_create(schedule=schedule, user_id=cleo.pk, starts_at=NOW + HOUR, ends_at=NOW + 2 * HOUR)
    at = NOW.replace(hour=0)
    assert [(each.user_ids, each.layer) for each in row_of(schedule, at, at + DAY)] == [
        ((bo.pk,), 1), ((ana.pk,), 2), ((cleo.pk,), None), ((ana.pk,), 2), ((bo.pk,), 1),
    ]  # fmt: skip


@pytest.mark.slow
def test_whoever_is_in_it_sees_the_schedule_and_is_shown_to_be_in_it(calendars: Calendars, ana: User) -> None:
    calendars.content = vcalendar(DAYS)
    schedule = by_calendar(calendars.url)
    assert not schedules_visible_to(ana).exists()
    refreshed(NOW)
    assert schedules_visible_to(ana).get() == schedule
    Layer.objects.filter(schedule=schedule).update(ical_url="https://example.com/other.ics")
    assert not schedules_visible_to(ana).exists(), "what was read at another address counts no more"
    assert row_of(schedule) == []


@pytest.mark.slow
def test_it_is_fetched_every_quarter_of_an_hour_and_read_only_where_it_has_changed(
    calendars: Calendars, ana: User
) -> None:
    calendars.content, calendars.etag = vcalendar(DAYS), '"one"'
    schedule = by_calendar(calendars.url)
    for minute in range(31):
        refreshed(NOW + minute * MINUTE)
    assert [each.get("if-none-match") for each in calendars.asked] == [None, '"one"', '"one"']
    calendar = calendar_of(schedule)
    assert (calendar.fetched_at, calendar.read_at) == (NOW + 2 * QUARTER, NOW)
    assert on_call_at(schedule, NOW) == (ana.pk,)
    calendars.content, calendars.etag = vcalendar(DAYS.replace("T08", "T13")), '"two"'
    refreshed(NOW + 3 * QUARTER)
    assert on_call_at(schedule, NOW) == ()
    assert calendar_of(schedule).etag == '"two"'


@pytest.mark.slow
def test_dates_say_whether_it_has_changed_where_there_is_no_etag(calendars: Calendars, ana: User) -> None:
    calendars.content, calendars.last_modified = vcalendar(DAYS), "Mon, 02 Mar 2026 11:00:00 GMT"
    schedule = by_calendar(calendars.url)
    refreshed(NOW)
    refreshed(NOW + QUARTER)
    assert calendars.asked[-1]["if-modified-since"] == calendars.last_modified
    assert on_call_at(schedule, NOW) == (ana.pk,)


@pytest.mark.slow
def test_it_is_read_anew_each_hour_since_time_goes_on_and_people_come(
    calendars: Calendars, person: Callable[..., User]
) -> None:
    calendars.content, calendars.etag = vcalendar(DAYS), '"one"'
    schedule = by_calendar(calendars.url)
    refreshed(NOW)
    assert calendar_of(schedule).problems[0]["email"] == "ana@example.com"
    ana = person("ana@example.com")
    refreshed(NOW + QUARTER)
    assert on_call_at(schedule, NOW) == ()
    refreshed(NOW + HOUR)
    assert on_call_at(schedule, NOW) == (ana.pk,)
    assert calendar_of(schedule).problems == []


@pytest.mark.slow
def test_whoever_isnt_here_or_hasnt_confirmed_the_address_is_listed_and_not_on_call(
    calendars: Calendars, person: Callable[..., User]
) -> None:
    person("squatter@example.com", email_verified_at=None)
    person("gone@example.com", is_active=False)
    calendars.content = vcalendar(
        DAYS.replace("ana@", "squatter@"),
        DAYS.replace("ana@", "gone@"),
        DAYS.replace("ana@", "nobody@").replace("FREQ=DAILY", "FREQ=WEEKLY"),
        DAYS.replace("ana@example.com", "Ask the office"),
        DAYS.replace("FREQ=DAILY", "FREQ=SECONDLY"),
    )
    schedule = by_calendar(calendars.url)
    refreshed(NOW)
    assert not CalendarSpell.objects.exists()
    calendar = calendar_of(schedule)
    assert calendar.problems_count == 5
    listed = {each["email"] or each["reason"]: each for each in calendar.problems}
    assert set(listed) == {
        "squatter@example.com", "gone@example.com", "nobody@example.com", "names_nobody", "too_often",
    }  # fmt: skip
    weekly = listed["nobody@example.com"]
    assert (weekly["times"], weekly["first_at"]) == (15, "2026-03-01T08:00:00+00:00")


@pytest.mark.slow
def test_a_server_that_fails_keeps_the_last_state_and_shows_since_when(
    calendars: Calendars, ana: User
) -> None:
    calendars.content = vcalendar(DAYS)
    schedule = by_calendar(calendars.url)
    refreshed(NOW)
    for number, (status, content, error) in enumerate(
        (
            (503, "", "answered 503"),
            (404, "", "answered 404"),
            (302, "", "answered 302; redirects are not followed"),
            (200, "<html>Sign in</html>", "it is no iCalendar file"),
        ),
        start=1,
    ):
        calendars.status, calendars.content = status, content
        refreshed(NOW + number * QUARTER)
        calendar = calendar_of(schedule)
        assert (calendar.error, calendar.failing_since) == (error, NOW + QUARTER)
        assert calendar.fetched_at == NOW
        assert on_call_at(schedule, NOW) == (ana.pk,)
    calendars.status, calendars.content = 200, vcalendar(DAYS)
    refreshed(NOW + 5 * QUARTER)
    calendar = calendar_of(schedule)
    assert (calendar.error, calendar.failing_since) == ("", None)


@pytest.mark.slow
def test_a_closed_port_is_a_failure_like_any_other(calendars: Calendars, ana: User, closed_port: int) -> None:
    schedule = by_calendar(f"https://127.0.0.1:{closed_port}/basic.ics")
    refreshed(NOW)
    assert calendar_of(schedule).error.startswith("no connection")


@pytest.mark.slow
def test_administrators_hear_once_of_a_calendar_that_fails_for_hours(
    calendars: Calendars, ana: User, settings: Settings
) -> None:
    settings.ICAL_STALE_H = 2
    admin = UserFactory(role=Role.ADMIN, is_staff=True)
    calendars.status = 500
    schedule = by_calendar(calendars.url)
    with capture_logs() as logged:
        for number in range(12):
            refreshed(NOW + number * QUARTER)
    notification = Notification.objects.get(kind="on_call.calendar_stale")
    assert InboxItem.objects.filter(notification=notification).get().user == admin
    assert notification.data["since"] == "2026-03-02 12:00 (UTC)"
    errors = [each for each in logged if each["log_level"] == "error"]
    assert [each["event"] for each in errors] == ["calendar_stale"]
    assert b'tocsin_external_calendars{state="stale"} 1.0' in exposition()
    assert "private-5e6b" not in str(logged) + str(notification.data) + str(notification.texts)
    calendars.status, calendars.content = 200, vcalendar(DAYS)
    refreshed(NOW + 12 * QUARTER)
    assert b'tocsin_external_calendars{state="read"} 1.0' in exposition()
    calendars.status = 500
    for number in range(13, 25):
        refreshed(NOW + number * QUARTER)
    assert Notification.objects.filter(kind="on_call.calendar_stale").count() == 2
    assert calendar_of(schedule).told_at is not None


@pytest.mark.slow
@pytest.mark.parametrize(
    ("host", "networks"), [("127.0.0.1", []), ("localhost", []), ("169.254.169.254", ["127.0.0.0/8"])]
)
def test_a_private_address_is_never_reached(
    calendars: Calendars, db: None, settings: Settings, host: str, networks: list[str]
) -> None:
    calendars.content = vcalendar(DAYS)
    url = calendars.url.replace("127.0.0.1", host)
    # As if a name had been given that leads there by now.
    schedule = by_calendar("https://calendars.example.com/basic.ics")
    Layer.objects.filter(schedule=schedule).update(ical_url=url)
    settings.WEBHOOK_ALLOWED_NETWORKS = networks
    refreshed(NOW)
    assert calendar_of(schedule).error == "address not allowed: it is not a public one"
    assert calendars.asked == []


@pytest.mark.slow
def test_a_calendar_that_is_too_large_or_never_ends_is_left(
    calendars: Calendars, ana: User, settings: Settings
) -> None:
    settings.ICAL_MAX_BYTES, settings.ICAL_TIMEOUT_S = 5_000, 0.5
    schedule = by_calendar(calendars.url)
    calendars.content = vcalendar(DAYS + f"\nDESCRIPTION:{'x' * 5_000}")
    refreshed(NOW)
    too_large = "the answer has more than 5000 bytes, or did not end in time"
    assert calendar_of(schedule).error == too_large

    def trickle(handler: BaseHTTPRequestHandler) -> None:
        handler.send_response(200)
        handler.send_header("Content-Length", "4000")
        handler.end_headers()
        try:
            while True:
                handler.wfile.write(b"X")
                handler.wfile.flush()
                time.sleep(0.01)
        except OSError:
            pass

    calendars.behave = trickle
    refreshed(NOW + QUARTER)
    assert calendar_of(schedule).error == too_large
    calendars.behave = lambda handler: handler.rfile.read(1)
    refreshed(NOW + 2 * QUARTER)
    assert calendar_of(schedule).error == "timed out after 0.5 s"
    assert not CalendarSpell.objects.exists()


@pytest.mark.slow
def test_what_was_read_stays_where_layers_are_changed_around_it(calendars: Calendars, ana: User) -> None:
    calendars.content = vcalendar(DAYS)
    schedule = by_calendar(calendars.url)
    refreshed(NOW)
    (fed,) = layers_said(schedule)
    below = LayerSaid("UTC", NOW.date(), members=(UserFactory().pk,))
    schedule_update(schedule=schedule, layers=[below, fed])
    assert on_call_at(schedule, NOW) == (ana.pk,)
    assert len(calendars.asked) == 1
    schedule_update(schedule=schedule, layers=[LayerSaid("Europe/Paris", ical_url=calendars.url)])
    assert on_call_at(schedule, NOW) == ()
    refreshed(NOW)
    assert on_call_at(schedule, NOW) == (ana.pk,)
    schedule_update(schedule=schedule, layers=[below])
    assert not LayerCalendar.objects.exists()


@pytest.mark.slow
@pytest.mark.django_db(transaction=True)
def test_each_calendar_has_a_job_of_its_own(calendars: Calendars, redis: Redis, ana: User) -> None:
    calendars.content = vcalendar(DAYS)
    by_calendar(calendars.url, name="One"), by_calendar(calendars.url, name="Two")

    def waiting(name: str) -> list[tuple[str, tuple[str, ...]]]:
        found = django_rq.get_queue(name).jobs
        return [(each.func_name.split(".")[-1], each.args) for each in found]

    assert [name for name, _ in waiting(queue.DEFAULT)].count("calendars_due") == 1
    jobs.calendars_due()
    ids = set(LayerCalendar.objects.values_list("pk", flat=True))
    fetches = [args for name, args in waiting(queue.SLOW) if name == "calendar_fetch"]
    assert {args[0] for args in fetches} == {str(pk) for pk in ids}
    assert len(fetches) == len(ids) == 2
    for args in fetches:
        jobs.calendar_fetch(*args)
    assert set(CalendarSpell.objects.values_list("calendar", flat=True)) == ids
    assert {each.every_s for each in periodic.entries() if each.job is jobs.calendars_due} == {60}


@pytest.mark.slow
def test_a_calendar_of_a_removed_schedule_is_fetched_no_more(calendars: Calendars, ana: User) -> None:
    schedule = by_calendar(calendars.url)
    calendars.content = vcalendar(DAYS)
    refreshed(NOW)
    Schedule.objects.filter(pk=schedule.pk).update(deleted_at=product_clock.now())
    assert refreshing.due(NOW + HOUR) == []
    refreshing.refresh(calendar_of(schedule).pk, now=NOW + HOUR)  # its job was on its way
    assert len(calendars.asked) == 1


@pytest.mark.slow
def test_who_is_on_call_costs_two_more_questions(
    calendars: Calendars, ana: User, django_assert_num_queries: Callable[[int], object]
) -> None:
    calendars.content = vcalendar(DAYS)
    schedule = by_calendar(calendars.url)
    refreshed(NOW)
    there = read(schedule)
    with django_assert_num_queries(2):  # type: ignore[attr-defined]
        assert on_call(roster_of(there), NOW)
        roster_of(there)
