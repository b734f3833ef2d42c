"""The calendar of a schedule as others read it: by the RFC, by Python's and JavaScript's readers, and us."""

import uuid
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Any, Final

import pytest
from hypothesis import HealthCheck, given, settings

from accounts.models import User
from config import clock as product_clock
from escalation.calendars.meaning import meant
from escalation.calendars.reading import read
from escalation.models import Schedule
from escalation.schedules.calendar import FUTURE, PAST, calendar_of
from escalation.schedules.row import Duty, Roster, final_row
from escalation.schedules.selectors import roster_of, with_layers
from escalation.schedules.spells import Spells
from escalation.services.schedules import LayerSaid, override_create, schedule_create
from tests.calendars import assert_valid
from tests.escalation.calendars.conftest import by_calendar, refreshed
from tests.escalation.test_final_row_by_minutes import PEOPLE, schedules
from tests.factories import UserFactory
from tests.servers import ical_js
from tests.servers.calendars import Calendars

#: Folded, escaped and in other letters.
NAME: Final = "Front desk; nights, and “week-ends” · 前台夜班，还有周末，全部 and whatever else there is"


def said(row: Sequence[Duty]) -> list[tuple[Any, ...]]:
    return [(each.user_ids, each.starts_at, each.ends_at) for each in row]


def row_of(schedule: Schedule, begin: datetime, end: datetime) -> list[tuple[Any, ...]]:
    there = with_layers(Schedule.objects.filter(pk=schedule.pk)).get()
    return said(final_row(roster_of(there), begin, end))


@pytest.fixture
def schedule(ana: User, bo: User) -> Schedule:
    now = product_clock.now().replace(microsecond=0)  # which no calendar has
    first, zone = now.date() - timedelta(days=30), "America/New_York"
    cleo = UserFactory(first_name="Cléo, the", last_name="\\ 3rd")
    layers = [
        LayerSaid(zone, first, members=(ana.pk, bo.pk, cleo.pk), per_turn=2),
        LayerSaid("Europe/Paris", first, shift_h=24, members=(bo.pk, ana.pk)),
    ]
    made, _ = schedule_create(name=NAME, layers=layers)
    override_create(schedule=made, user_id=cleo.pk, starts_at=now, ends_at=now + timedelta(hours=5))
    return made


def exported(schedule: Schedule, as_user: Any, operator: User) -> bytes:
    content: bytes = as_user(operator).get(f"/api/v1/escalations/schedules/{schedule.pk}/calendar/").content
    return content


def test_others_read_the_final_row_in_it(schedule: Schedule, as_user: Any, operator: User) -> None:
    content = exported(schedule, as_user, operator)
    events = assert_valid(content)
    assert any(line.startswith(" ") for line in content.decode().split("\r\n")), "long lines are folded"
    begin, end = (product_clock.now() + far for far in (-PAST, FUTURE))
    expected = row_of(schedule, begin, end)
    assert [(each.start, each.end) for each in events] == [each[1:] for each in expected]
    assert all(each.start.tzinfo and not each.start.utcoffset() for each in events)
    assert {str(each["SUMMARY"]).split(": ")[0] for each in events} == {NAME}
    again = assert_valid(exported(schedule, as_user, operator))
    assert [str(each["UID"]) for each in events] == [str(each["UID"]) for each in again]


def test_javascripts_reader_finds_the_same(schedule: Schedule, as_user: Any, operator: User) -> None:
    ical_js.needed()
    content = exported(schedule, as_user, operator)
    found = ical_js.read(content)
    assert (found["version"], found["method"]) == ("2.0", None)
    events = assert_valid(content)
    assert [each["uid"] for each in found["events"]] == [str(each["UID"]) for each in events]
    assert [each["summary"] for each in found["events"]] == [str(each["SUMMARY"]) for each in events]
    for read_by_it, event in zip(found["events"], events, strict=True):
        times = [datetime.fromisoformat(read_by_it[name]) for name in ("starts_at", "ends_at", "stamped_at")]
        assert times == [event.start, event.end, event["DTSTAMP"].dt]
        assert (read_by_it["attendees"], read_by_it["sequence"]) == ([], 0)


@pytest.mark.slow
def test_another_schedule_that_it_feeds_has_the_same_final_row(
    schedule: Schedule, calendars: Calendars, as_user: Any, operator: User
) -> None:
    calendars.content = exported(schedule, as_user, operator)
    assert b"@example" not in calendars.content, "addresses are told to nobody who subscribes"
    other = by_calendar(calendars.url, name="Back office")
    now = product_clock.now()
    refreshed(now)
    begin, end = now - PAST + timedelta(hours=1), now + FUTURE - timedelta(hours=1)
    assert row_of(other, begin, end) == row_of(schedule, begin, end) != []


@pytest.mark.slow
@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(schedules())
def test_every_schedule_comes_back_as_it_went(made: Any) -> None:
    layers, stand_ins, away, since = made
    roster = Roster(tuple(layer.as_turns() for layer in layers), tuple(stand_ins), away)
    begin, end = since, since + timedelta(days=21)
    row = final_row(roster, begin, end)
    content = calendar_of(
        schedule_id=uuid.UUID(int=7),
        name="[L2] Nights",
        time_zone="UTC",
        row=row,
        names={},
        now=datetime(2026, 1, 1, tzinfo=UTC),
    )
    found = meant(
        read(content, time_zone="Asia/Tokyo", begin=begin, end=end), by_email={}, known=frozenset(PEOPLE)
    )
    assert found.problems == []
    back = final_row(Roster((Spells(tuple(found.spells)),)), begin, end)
    assert said(back) == said(row)
