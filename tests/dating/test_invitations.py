"""Evenings in people's own calendars."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from django.core.exceptions import ValidationError
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from icalendar import Calendar

from accounts.models import User
from config.rest.exceptions import Conflict
from dating import links, services
from dating.evening.calendar_files import Invitation, feed_with, file_of
from dating.invitations import feed_of, ics_of
from dating.models import Event, Registration
from notifications.models import Notification

NOW = datetime(2026, 5, 1, 12, tzinfo=UTC)
STARTS = datetime(2026, 5, 8, 18, tzinfo=UTC)
PARIS = ZoneInfo("Europe/Paris")
State = Registration.State

Evening = Callable[..., Event]
Join = Callable[..., Registration]


@pytest.fixture
def evening(db: None) -> Evening:
    def build(**fields: Any) -> Event:
        return Event.objects.create(**{"title": "Speed dating", "starts_at": STARTS} | fields)

    return build


@pytest.fixture
def join() -> Join:
    def build(event: Event, user: User, **fields: Any) -> Registration:
        return Registration.objects.create(event=event, user=user, **fields)

    return build


def entry(ics: str) -> Any:
    """The one event of a file, which is valid."""
    calendar = Calendar.from_ical(ics)
    (found,) = calendar.events
    assert ics.endswith("END:VCALENDAR\r\n")
    assert max(len(line.encode()) for line in ics.split("\r\n")) <= 75  # RFC 5545, 3.1
    return found


def invitation(**fields: Any) -> Invitation:
    defaults: dict[str, Any] = {
        "uid": "e1@tocsin.example.com",
        "sequence": 0,
        "title": "Speed dating",
        "starts_at": STARTS,
        "ends_at": STARTS + timedelta(hours=1),
        "url": "https://tocsin.example.com/dating/e1/",
        "attendee": "ana@example.com",
        "attendee_name": "Ana",
        "part": ("CONFIRMED", "ACCEPTED"),
    }
    return Invitation(**defaults | fields)


class TestFile:
    def test_times_are_by_the_persons_own_clock_with_the_rules_of_its_zone(self) -> None:
        ics = file_of(invitation(), zone=PARIS, now=NOW)
        found = entry(ics)
        assert found.start == STARTS
        assert "DTSTART;TZID=Europe/Paris:20260508T200000" in ics
        (zone,) = Calendar.from_ical(ics).timezones
        assert zone.tz_name == "Europe/Paris"
        assert zone.to_tz().utcoffset(datetime(2026, 5, 8, 20)) == timedelta(hours=2)

    @pytest.mark.parametrize("zone", ["America/St_Johns", "Asia/Kathmandu", "Australia/Lord_Howe", "UTC"])
    def test_any_zone_keeps_the_moment(self, zone: str) -> None:
        ics = file_of(invitation(), zone=ZoneInfo(zone), now=NOW)
        assert entry(ics).start == STARTS

    @pytest.mark.parametrize(
        "text", ["a,b;c\\d", "two\nlines", 'Ana "the" Lima', "évènement " * 20, "BEGIN:VEVENT"]
    )
    def test_no_text_can_break_it(self, text: str) -> None:
        ics = file_of(invitation(title=text, attendee_name=text), zone=PARIS, now=NOW)
        assert str(entry(ics)["SUMMARY"]) == " ".join(text.split())  # on one line

    def test_a_calendar_of_nothing_is_one(self) -> None:
        assert Calendar.from_ical(feed_with([], zone=PARIS, now=NOW)).events == []


class TestInvitation:
    @pytest.mark.parametrize(
        ("state", "method", "status"),
        [
            (State.REGISTERED, "REQUEST", "TENTATIVE"),
            (State.WAITING, "REQUEST", "TENTATIVE"),
            (State.CONFIRMED, "REQUEST", "CONFIRMED"),
            (State.DECLINED, "CANCEL", "CANCELLED"),
            (State.CANCELLED, "CANCEL", "CANCELLED"),
            (State.LEFT_OUT, "CANCEL", "CANCELLED"),
            (State.DROPPED, "CANCEL", "CANCELLED"),
        ],
    )
    def test_it_says_what_somebodys_part_is(
        self, evening: Evening, join: Join, owner: User, state: str, method: str, status: str
    ) -> None:
        ics = ics_of(join(evening(), owner, state=state), now=NOW)
        assert f"\r\nMETHOD:{method}\r\n" in ics
        assert entry(ics)["STATUS"] == status
        assert entry(ics)["ATTENDEE"] == f"mailto:{owner.email}"

    def test_cancelling_names_the_same_entry_with_a_higher_sequence(
        self, evening: Evening, join: Join, owner: User
    ) -> None:
        registration = join(evening(), owner)
        invited = entry(ics_of(registration, now=NOW))
        registration.state, registration.sequence = State.CANCELLED, 1
        cancelled = entry(ics_of(registration, now=NOW))
        assert cancelled["UID"] == invited["UID"]
        assert cancelled["SEQUENCE"] == invited["SEQUENCE"] + 1

    def test_a_moved_event_moves_in_the_calendar(self, evening: Evening, join: Join, owner: User) -> None:
        """Of two with the same sequence the one with the later stamp counts (RFC 5546, 2.1.5)."""
        registration = join(evening(), owner)
        before = entry(ics_of(registration, now=NOW))
        registration.event.starts_at += timedelta(days=1)
        after = entry(ics_of(registration, now=NOW + timedelta(hours=1)))
        assert after["UID"] == before["UID"]
        assert after.DTSTAMP > before.DTSTAMP
        assert after.start - before.start == timedelta(days=1)

    @pytest.mark.parametrize(
        ("fields", "rounds"),
        [
            ({"users_limit": 20, "two_pools": True}, 19),
            ({"users_limit": 20, "two_pools": True, "places": 6}, 5),
            ({"users_limit": 20}, 19),
            ({"users_limit": 7}, 7),
            ({"users_limit": 20, "max_rounds": 5}, 5),
            ({"users_limit": 20, "places": 6}, 5),
        ],
    )
    def test_it_is_as_long_as_the_evening_can_get(
        self, evening: Evening, join: Join, owner: User, fields: dict[str, Any], rounds: int
    ) -> None:
        event = evening(round_s=300, break_s=60, **fields)
        found = entry(ics_of(join(event, owner), now=NOW))
        assert found.end - found.start == timedelta(minutes=6 * rounds)


class TestMessages:
    def test_registering_and_cancelling_bring_the_file_with_them(self, evening: Evening, owner: User) -> None:
        event, now = evening(starts_at=datetime.now(UTC) + timedelta(days=9)), datetime.now(UTC)
        services.registration_create(event=event, user=owner, now=now)
        services.registration_cancel(event=event, user=owner, now=now)
        told = Notification.objects.filter(data__has_key="ics").order_by("created_at")
        files = {each.kind: entry(each.data["ics"]) for each in told}
        invited, cancelled = files["dating.registered"], files["dating.cancelled"]
        assert cancelled["STATUS"] == "CANCELLED"
        assert cancelled["UID"] == invited["UID"]
        assert cancelled["SEQUENCE"] > invited["SEQUENCE"]
        link = Notification.objects.get(kind="dating.registered").data["invitation"]
        assert link in Notification.objects.get(kind="dating.registered").body

    def test_another_time_brings_a_newer_file_and_another_title_only_the_number(
        self, evening: Evening, owner: User
    ) -> None:
        now = datetime.now(UTC)
        event = evening(starts_at=now + timedelta(days=9))
        part = services.registration_create(event=event, user=owner, now=now)
        later = event.starts_at + timedelta(hours=1)
        for _ in range(2):
            services.event_move(event=event, starts_at=later, title=event.title, now=now)
        services.event_move(event=event, starts_at=later, title="Saturday", now=now)
        (moved,) = Notification.objects.filter(kind="dating.moved")
        part.refresh_from_db()
        invited = Notification.objects.get(kind="dating.registered").data["ics"]
        files = [entry(each) for each in (invited, moved.data["ics"], ics_of(part, now=now))]
        assert [each["SEQUENCE"] for each in files] == [0, 1, 2]
        assert len({str(each["UID"]) for each in files}) == 1
        assert files[1].start - files[0].start == timedelta(hours=1)
        assert files[2]["SUMMARY"] == "Saturday"

    def test_what_is_planned_or_would_be_closed_already_is_not_moved(
        self, evening: Evening, owner: User
    ) -> None:
        now = datetime.now(UTC)
        event = evening(starts_at=now + timedelta(days=9))
        with pytest.raises(ValidationError, match="already be closed"):
            services.event_move(event=event, starts_at=now + timedelta(minutes=5), title="x", now=now)
        Event.objects.update(step="closed", state=2)
        with pytest.raises(Conflict, match="too late"):
            services.event_move(event=event, starts_at=now + timedelta(days=10), title="x", now=now)
        assert Event.objects.get().version == 0


class TestFeed:
    def test_it_holds_what_somebody_takes_part_in_and_nothing_of_others(
        self, evening: Evening, join: Join, owner: User, stranger: User
    ) -> None:
        join(evening(title="Mine"), owner)
        join(evening(title="Theirs"), stranger)
        join(evening(title="Cancelled"), owner, state=State.CANCELLED)
        join(evening(title="Long ago", starts_at=NOW - timedelta(days=90)), owner)
        join(evening(title="Just over", starts_at=NOW - timedelta(days=1)), owner, state=State.CONFIRMED)
        titles = [str(each["SUMMARY"]) for each in Calendar.from_ical(feed_of(owner, now=NOW)).events]
        assert titles == ["Just over", "Mine"]

    def test_its_queries_do_not_grow_with_the_evenings(
        self, evening: Evening, join: Join, owner: User
    ) -> None:
        counts = []
        for _ in range(2):
            join(evening(), owner)
            with CaptureQueriesContext(
                connection,
            ) as queries:
                feed_of(owner, now=NOW)
            counts.append(len(queries))
        assert counts == [1, 1]


class TestLinks:
    def test_an_invitation_is_there_without_logging_in(
        self, evening: Evening, join: Join, owner: User, client: Client
    ) -> None:
        registration = join(evening(), owner)
        response = client.get(path_of(links.invitation_url(registration)))
        assert response.status_code == 200
        assert response["Content-Type"] == "text/calendar; charset=utf-8; method=REQUEST"
        assert "filename=" in response["Content-Disposition"]
        assert response["Cache-Control"] == "private, no-store"
        assert entry(response.content.decode()).start == STARTS

    def test_the_same_link_cancels_once_it_is_cancelled(
        self, evening: Evening, join: Join, owner: User, client: Client
    ) -> None:
        registration = join(evening(), owner)
        path = path_of(links.invitation_url(registration))
        Registration.objects.update(state=State.CANCELLED, sequence=1)
        assert entry(client.get(path).content.decode())["STATUS"] == "CANCELLED"

    def test_a_calendar_can_be_subscribed_to(
        self, evening: Evening, join: Join, owner: User, client: Client
    ) -> None:
        join(evening(starts_at=datetime.now(UTC) + timedelta(days=3)), owner)
        path = path_of(links.calendar_url(owner))
        assert entry(client.get(path).content.decode())["SUMMARY"] == "Speed dating"
        User.objects.filter(pk=owner.pk).update(is_active=False)
        assert client.get(path).status_code == 404

    def test_a_link_to_one_thing_opens_no_other(
        self, evening: Evening, join: Join, owner: User, client: Client
    ) -> None:
        registration = join(evening(), owner)
        token = path_of(links.invitation_url(registration)).split("/")[-1].removesuffix(".ics")
        assert client.get(f"/dating/calendars/{token}.ics").status_code == 404
        assert client.get(f"/dating/invitations/{token[:-1]}x.ics").status_code == 404
        assert client.get(f"/dating/invitations/{registration.pk}.ics").status_code == 404


def path_of(url: str) -> str:
    return url.removeprefix("http://localhost:8000")
