"""What somebody has typed stays in its own line of a calendar."""

import re
from collections.abc import Callable
from datetime import UTC, datetime, timedelta

import icalendar
import pytest
from django.test import Client
from rest_framework.test import APIClient

from accounts.models import Shop, User
from dating import services as dating
from dating.links import calendar_url, invitation_url
from dating.models import DatingProfile
from escalation.models import Schedule
from tests.factories import UserFactory
from tests.furnished import furnish
from tests.hostile import ALL

#: What lines of ours begin with; whatever else does was typed.
OURS = {
    "BEGIN", "END", "VERSION", "PRODID", "METHOD", "CALSCALE", "UID", "SEQUENCE", "DTSTAMP",
    "DTSTART", "DTEND", "SUMMARY", "STATUS", "URL", "LOCATION", "ORGANIZER", "ATTENDEE", "TZID",
    "TZNAME", "TZOFFSETFROM", "TZOFFSETTO", "RRULE", "RDATE", "TRANSP", "REFRESH-INTERVAL",
    "X-WR-CALNAME", "X-TOCSIN-ON-CALL",
}  # fmt: skip
COMPONENTS = {"VCALENDAR", "VEVENT", "VTIMEZONE", "STANDARD", "DAYLIGHT"}
STORABLE = [each for each in ALL if each.kind not in ("surrogate", "long") and "\0" not in each.text]


def assert_is_whole(content: bytes, events: int) -> None:
    """Read it as a calendar program would, and as the strictest and the most lenient of them would."""
    text = content.decode().replace("\r\n ", "")
    lines = text.split("\r\n")
    for line in lines[:-1]:
        name, _, value = line.partition(":")
        assert re.split("[;:]", line)[0] in OURS, line
        if name in ("BEGIN", "END"):
            assert value in COMPONENTS, line
        assert not re.search("[\x00-\x08\x0a-\x1f\x7f]", line), repr(line)  # RFC 5545, 3.1: no control
    assert sum(line == "BEGIN:VEVENT" for line in lines) == events
    for line in content.split(b"\r\n"):
        assert len(line) <= 75
    calendar = icalendar.Calendar.from_ical(content)
    assert len(calendar.walk("VEVENT")) == events
    for event in calendar.walk("VEVENT"):
        assert not event.errors
        assert not event.walk("VALARM")


@pytest.fixture
def taking_part(db: None) -> User:
    user = UserFactory(first_name="Ana")
    DatingProfile.objects.create(user=user, birthday="1999-05-01", city="Paris")
    return user


def test_an_invitation_has_its_own_lines_whatever_the_person_is_called(taking_part: User) -> None:
    now = datetime.now(UTC)
    event = dating.event_create(now=now, title="Friday", starts_at=now + timedelta(days=10))
    registration = dating.registration_create(event=event, user=taking_part, now=now)
    path = invitation_url(registration).partition("8000")[2]
    client = Client()
    for given in STORABLE[::13]:
        User.objects.filter(pk=taking_part.pk).update(first_name=given.text[:150])
        answer = client.get(path)
        assert answer.status_code == 200
        assert_is_whole(answer.content, 1)


def test_a_calendar_of_evenings_has_its_own_lines_whatever_they_are_called(taking_part: User) -> None:
    now = datetime.now(UTC)
    for number, given in enumerate(STORABLE[1::31]):
        event = dating.event_create(
            now=now, title=given.text[:200], starts_at=now + timedelta(days=10 + number)
        )
        dating.registration_create(event=event, user=taking_part, now=now)
    answer = Client().get(calendar_url(taking_part).partition("8000")[2])
    assert answer.status_code == 200
    assert_is_whole(answer.content, number + 1)


def test_a_calendar_of_who_is_on_call_has_its_own_lines(
    owner: User, shop: Shop, as_user: Callable[[User], APIClient], operator: User
) -> None:
    ids = furnish(owner, shop).ids
    client = as_user(operator)
    for given in STORABLE[2::37]:
        User.objects.filter(pk=owner.pk).update(first_name=given.text[:150], last_name=given.text[-150:])
        Schedule.objects.filter(pk=ids["schedule_id"]).update(name=given.text[:100])
        answer = client.get(f"/api/v1/escalations/schedules/{ids['schedule_id']}/calendar/")
        assert answer.status_code == 200
        assert_is_whole(answer.content, answer.content.count(b"BEGIN:VEVENT"))
