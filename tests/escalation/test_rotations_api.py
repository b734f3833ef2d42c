"""Rotations over HTTP: made, changed, asked who is on call, and subscribed to as a calendar."""

import uuid
from datetime import UTC, datetime, timedelta
from itertools import pairwise

import icalendar
import pytest
from django.utils import timezone

from config.rest.exceptions import Conflict
from escalation.models import Schedule, ScheduleOverride
from escalation.services.rotations import rotation_update

PATH = "/api/v1/escalations/rotations/"


def body(*members, **more):
    return {
        "name": "Nights",
        "kind": "daily",
        "time_zone": "Europe/Paris",
        "starts_on": "2026-03-27",
        "handoff_at": "20:00",
        "members": [str(member.pk) for member in members],
        **more,
    }


@pytest.fixture
def staff(as_user, operator):
    return as_user(operator)


@pytest.fixture
def path(staff, owner, teammate):
    """Of a rotation in which owner and teammate take turns."""
    return f"{PATH}{staff.post(PATH, body(owner, teammate)).json()['id']}/"


def on_call(client, path, at):
    return client.get(f"{path}on-call/", {"at": at}).json()["on_call"]


@pytest.mark.slow
def test_a_rotation_is_made_once_and_the_same_again_answers_200(staff, owner, teammate):
    first, again = (staff.post(PATH, body(owner, teammate, owner)) for _ in range(2))
    assert (first.status_code, again.status_code) == (201, 200)
    assert first.json() == again.json()
    answer = first.json()
    assert [each["user_id"] for each in answer["members"]] == [str(u.pk) for u in (owner, teammate, owner)]
    assert (answer["shift_h"], answer["handoff_at"]) == (24, "20:00")
    assert staff.post(PATH, body(teammate)).status_code == 409
    assert Schedule.objects.count() == 1


def test_bad_input_is_refused_by_field(staff, owner):
    for change, field in (
        ({"name": ""}, "name"),
        ({"kind": "hourly"}, "kind"),
        ({"kind": "custom"}, "shift_h"),
        ({"kind": "custom", "shift_h": 0}, "shift_h"),
        ({"shift_h": 12}, "shift_h"),
        ({"kind": "weekly", "shift_h": 24}, "shift_h"),
        ({"time_zone": "Europe/Lutetia"}, "time_zone"),
        ({"starts_on": "27.3.2026"}, "starts_on"),
        ({"starts_on": "0001-01-01"}, "starts_on"),
        ({"handoff_at": "24:00"}, "handoff_at"),
        ({"members": []}, "members"),
        ({"members": ["me"]}, "members"),
        ({"members": [str(uuid.uuid4())]}, "members"),
    ):
        refused = staff.post(PATH, {**body(owner), **change})
        assert (refused.status_code, list(refused.json())) == (400, [field]), change
    assert not Schedule.objects.exists()


@pytest.mark.slow
def test_it_says_who_is_on_call_at_a_time_over_the_change_of_the_clock(staff, path, owner, teammate):
    # In Paris the clock goes from 2 to 3 in the night to March 29th, 2026: 20:00 is 19:00Z, then 18:00Z.
    assert on_call(staff, path, "2026-03-27T18:59:59Z") is None
    assert on_call(staff, path, "2026-03-27T19:00:00Z")["user_id"] == str(owner.pk)
    night = on_call(staff, path, "2026-03-29T12:00:00Z")
    assert (night["user_id"], night["starts_at"], night["ends_at"]) == (
        str(teammate.pk),
        "2026-03-28T19:00:00Z",
        "2026-03-29T18:00:00Z",
    )
    for wrong in ("soon", "1999-01-01T00:00:00Z"):
        assert list(staff.get(f"{path}on-call/", {"at": wrong}).json()) == ["at"]


@pytest.mark.slow
def test_who_stands_in_is_shown_among_the_shifts(staff, path, stranger, owner):
    given = {
        "user_id": str(stranger.pk),
        "starts_at": "2026-03-28T00:00:00Z",
        "ends_at": "2026-03-28T06:00:00Z",
    }
    made = staff.post(f"{path}overrides/", given)
    assert made.status_code == 201
    again = staff.post(f"{path}overrides/", given)
    assert (again.status_code, again.json()) == (200, made.json())
    span = {"begin": "2026-03-27T19:00:00Z", "end": "2026-03-28T19:00:00Z"}
    shown = staff.get(f"{path}shifts/", span).json()["turns"]
    assert [(each["user_id"], each["stands_in"]) for each in shown] == [
        (str(owner.pk), False),
        (str(stranger.pk), True),
        (str(owner.pk), False),
    ]
    assert staff.delete(f"{path}overrides/{made.json()['id']}/").status_code == 204
    assert not ScheduleOverride.objects.exists()
    for change, field in (
        ({"ends_at": given["starts_at"]}, "ends_at"),
        ({"user_id": str(uuid.uuid4())}, "user_id"),
        ({"starts_at": 12}, "starts_at"),
    ):
        refused = staff.post(f"{path}overrides/", {**given, **change})
        assert (refused.status_code, list(refused.json())) == (400, [field])


@pytest.mark.slow
def test_a_change_of_the_order_counts_at_once(staff, path, owner, teammate):
    changed = staff.patch(path, {"members": [str(teammate.pk), str(owner.pk)], "handoff_at": "08:00"})
    assert changed.json()["handoff_at"] == "08:00"
    assert on_call(staff, path, "2026-03-27T07:00:00Z")["user_id"] == str(teammate.pk)
    assert staff.delete(path).status_code == 204
    assert staff.get(path).status_code == 404


@pytest.mark.slow
def test_a_deleted_account_moves_nobody_elses_turns(staff, owner, teammate, stranger, operator):
    path = f"{PATH}{staff.post(PATH, body(owner, teammate, stranger, operator)).json()['id']}/"
    span = {"begin": "2026-03-27T19:00:00Z", "end": "2026-06-01T19:00:00Z"}
    before = staff.get(f"{path}shifts/", span).json()["turns"]
    gone, heir = str(teammate.pk), str(stranger.pk)
    teammate.delete()
    after = staff.get(f"{path}shifts/", span).json()["turns"]
    assert [(turn["starts_at"], turn["user_id"]) for turn in after] == [
        (turn["starts_at"], heir if turn["user_id"] == gone else turn["user_id"]) for turn in before
    ]
    assert [each["user_id"] for each in staff.get(path).json()["members"]] == [
        str(owner.pk), None, heir, str(operator.pk),
    ]  # fmt: skip
    assert staff.get(f"{path}calendar/").status_code == 200
    shorter = staff.patch(path, {"members": [str(owner.pk), heir]})
    assert [each["user_id"] for each in shorter.json()["members"]] == [str(owner.pk), heir]


@pytest.mark.slow
def test_a_change_leaves_alone_what_changed_since_it_was_read(staff, path):
    read_before, to_remove = Schedule.objects.get(), Schedule.objects.get()
    link = staff.post(f"{path}renew-link/").json()["calendar_url"]
    rotation_update(rotation=read_before, name="Days")
    changed = staff.get(path).json()
    assert (changed["name"], changed["calendar_url"]) == ("Days", link)
    staff.delete(path)
    with pytest.raises(Conflict, match="removed"):
        rotation_update(rotation=to_remove, name="Nights")
    assert staff.get(path).status_code == 404


@pytest.mark.slow
def test_who_takes_turns_may_look_and_strangers_may_not(
    staff, path, as_user, as_machine, anonymous, owner, stranger
):
    below = ("", "on-call/", "shifts/", "calendar/", "overrides/")
    for each in below:
        assert as_user(owner).get(f"{path}{each}").status_code == 200, each
        assert as_machine("escalations:read").get(f"{path}{each}").status_code == 200, each
        assert as_user(stranger).get(f"{path}{each}").status_code == 404, each
        assert anonymous.get(f"{path}{each}").status_code == 401, each
    assert as_user(stranger).get(PATH).json()["results"] == []
    for client in (as_user(owner), as_machine("escalations:read", "escalations:write")):
        assert client.post(PATH, {}).status_code == 403
        assert client.patch(path, {}).status_code == 403
        assert client.delete(path).status_code == 403
        assert client.post(f"{path}overrides/", {}).status_code == 403
        assert client.post(f"{path}renew-link/").status_code == 403


@pytest.mark.slow
def test_a_list_asks_the_same_however_many_there_are(staff, path, owner, django_assert_num_queries):
    for number in range(3):
        staff.post(PATH, body(owner, name=f"Days {number}"))
    with django_assert_num_queries(6):  # session, user, rotations, layers, places, who stands in
        assert len(staff.get(PATH).json()["results"]) == 4
    assert len(staff.get(PATH, {"member": str(owner.pk)}).json()["results"]) == 4


@pytest.mark.slow
def test_the_calendar_has_an_event_for_each_turn_and_only_who_has_the_link_reads_it(
    staff, path, anonymous, owner, teammate, settings
):
    settings.PUBLIC_URL = "http://testserver"
    now = timezone.now()
    teammate.first_name, owner.first_name = "Björn, called “B”", "Ana"
    teammate.save(), owner.save()
    staff.patch(path, {"starts_on": (now - timedelta(days=3)).date().isoformat()})
    link = staff.get(path).json()["calendar_url"]
    read = anonymous.get(link)
    assert (read.status_code, read["Content-Type"]) == (200, "text/calendar; charset=utf-8")
    assert unstamped(read) == unstamped(staff.get(f"{path}calendar/")) == unstamped(anonymous.get(link))
    calendar = icalendar.Calendar.from_ical(read.content)
    events = sorted(calendar.walk("VEVENT"), key=lambda event: event.start)
    assert 93 <= len(events) <= 96
    for one, next_ in pairwise(events):
        assert one.end == next_.start
    (current,) = [event for event in events if event.start <= now < event.end]
    shown = on_call(staff, path, now.isoformat())
    assert current["SUMMARY"] == f"Nights: {shown['name']}"
    assert current.start == datetime.fromisoformat(shown["starts_at"]).astimezone(UTC)
    assert len({event["UID"] for event in events}) == len(events)

    renewed = staff.post(f"{path}renew-link/").json()["calendar_url"]
    assert anonymous.get(link).status_code == 404
    assert anonymous.get(renewed).status_code == 200
    assert anonymous.get(renewed.replace(".ics", "x.ics")).status_code == 404
    staff.delete(path)
    assert anonymous.get(renewed).status_code == 404


def unstamped(response):
    """Return a calendar without the time at which it was read."""
    return [line for line in response.content.splitlines() if not line.startswith(b"DTSTAMP")]


@pytest.mark.slow
def test_what_a_calendar_says_of_a_turn_is_never_older_than_what_it_said_before(
    staff, path, owner, teammate, stranger
):
    now = timezone.now()
    staff.patch(path, {"starts_on": (now - timedelta(days=3)).date().isoformat()})

    span = {"starts_at": (now - timedelta(hours=1)).isoformat(), "ends_at": now.isoformat()}
    made = staff.post(f"{path}overrides/", {"user_id": str(stranger.pk), **span}).json()
    Schedule.objects.update(updated_at=now - timedelta(hours=2))
    ScheduleOverride.objects.update(created_at=now - timedelta(hours=1))
    before = stamp_of(staff.get(f"{path}calendar/"))
    staff.delete(f"{path}overrides/{made['id']}/")
    assert stamp_of(staff.get(f"{path}calendar/")) >= before


def stamp_of(response):
    (stamp,) = {
        event["DTSTAMP"].dt for event in icalendar.Calendar.from_ical(response.content).walk("VEVENT")
    }
    return stamp


@pytest.mark.slow
def test_hours_that_a_rotation_would_not_have_are_refused(staff, path):
    assert staff.patch(path, {"shift_h": 12}).status_code == 400
    assert staff.patch(path, {"shift_h": 24}).status_code == 200
    changed = staff.patch(path, {"kind": "custom", "shift_h": 12})
    assert (changed.status_code, changed.json()["shift_h"]) == (200, 12)
    assert staff.patch(path, {"kind": "weekly", "shift_h": 12}).status_code == 400
