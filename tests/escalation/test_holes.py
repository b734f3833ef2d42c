"""Holes: found with their times, shown to whoever sees the schedule, told once, refused where certain."""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, date, datetime, time, timedelta
from typing import Any
from uuid import UUID
from zoneinfo import ZoneInfo

import pytest
from django.db import connection
from django.test import Client
from rest_framework.test import APIClient

from accounts.models import Role, User
from config import periodic
from escalation import jobs
from escalation.holes.finding import Found, holes_of
from escalation.holes.telling import holes_look
from escalation.models import Hole, LayerMember, Schedule
from escalation.schedules.hours import WEEKDAYS, Restriction, hours_of
from escalation.schedules.row import Roster, StandIn
from escalation.schedules.turns import Turns
from escalation.services.schedules import schedule_remove
from notifications.exposition import exposition
from notifications.models import ContactPoint, Delivery, Preference, Subscription
from tests.factories import ContactPointFactory, UserFactory, schedule_of

PATH = "/api/v1/escalations/schedules/"
POLICIES = "/api/v1/escalations/policies/"
PARIS = ZoneInfo("Europe/Paris")
ANA, BEN = UUID(int=1), UUID(int=2)
#: A Monday.
NOW = datetime(2026, 3, 2, 12, tzinfo=UTC)
A_DAY = timedelta(days=1)


def weeks(*people: UUID, begins: datetime = datetime(2026, 1, 5, 8), only: tuple[Any, ...] = ()) -> Turns:
    return Turns(PARIS, begins, timedelta(weeks=1), people, hours=hours_of(only))


def gaps(*layers: Turns, stand_ins: tuple[StandIn, ...] = (), may_have_gaps: bool = False) -> list[Found]:
    found = holes_of(Roster(layers, stand_ins), {}, PARIS, may_have_gaps=may_have_gaps, now=NOW)
    assert {each.kind for each in found} <= {Hole.Kind.NOBODY}
    return found


def paris(*parts: int) -> datetime:
    return datetime(*parts, tzinfo=PARIS).astimezone(UTC)  # type: ignore[misc, arg-type]


# --- Found --------------------------------------------------------------------------------------------------


def test_whoever_is_always_on_call_leaves_no_hole() -> None:
    assert gaps(weeks(ANA)) == []


def test_what_comes_again_each_week_is_one_hole_and_keeps_its_key_when_the_clock_changes() -> None:
    workdays = weeks(ANA, only=(Restriction(WEEKDAYS[:5], time(9), time(17)),))
    found = gaps(workdays)
    assert [(each.key, each.times) for each in found] == [
        ("Mon 17:00-Tue 09:00", 4), ("Tue 17:00-Wed 09:00", 4), ("Wed 17:00-Thu 09:00", 4),
        ("Thu 17:00-Fri 09:00", 4), ("Fri 17:00-Mon 09:00", 4),
    ]  # fmt: skip
    # The clock changes on 29 March: the fourth is at another time in UTC.
    assert (found[0].starts_at, found[0].ends_at) == (paris(2026, 3, 2, 17), paris(2026, 3, 3, 9))


def test_gaps_that_are_meant_are_none_unless_nobody_is_on_call_at_all() -> None:
    workdays = weeks(ANA, only=(Restriction(WEEKDAYS[:5], time(9), time(17)),))
    assert gaps(workdays, may_have_gaps=True) == []
    assert [(each.starts_at, each.ends_at) for each in gaps(may_have_gaps=True)] == [(None, None)]


def test_a_gap_that_is_there_already_begins_where_it_began_and_ends_where_somebody_takes_over() -> None:
    begins = datetime(2026, 3, 10, 8)
    standing_in = StandIn(UUID(int=9), BEN, NOW - A_DAY, NOW - timedelta(hours=1))
    (found,) = gaps(weeks(ANA, begins=begins), stand_ins=(standing_in,))
    assert (found.starts_at, found.ends_at, found.times) == (standing_in.ends_at, paris(2026, 3, 10, 8), 1)
    (found,) = gaps(weeks(ANA, begins=begins))
    assert (found.starts_at, found.ends_at) == (None, paris(2026, 3, 10, 8))
    (found,) = gaps(weeks(ANA, begins=datetime(2026, 6, 1, 8)))
    assert (found.starts_at, found.ends_at) == (None, None)


# --- Shown --------------------------------------------------------------------------------------------------


@pytest.fixture
def admin(db: None) -> User:
    user = UserFactory(email="admin@example.com", role=Role.ADMIN, is_staff=True, time_zone="UTC")
    ContactPointFactory(user=user, channel="email", address=user.email)
    ContactPointFactory(user=user, channel="sms", address="+33611111111")
    return user


@pytest.fixture
def ana(db: None) -> User:
    """Somebody who can be reached."""
    user = UserFactory(first_name="Ana", last_name="")
    ContactPointFactory(user=user, channel="sms", address="+33622222222")
    return user


@pytest.fixture
def ben(db: None) -> User:
    """Somebody whom nothing reaches."""
    return UserFactory(first_name="Ben", last_name="")


@pytest.fixture
def at_noon(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("config.clock.now", lambda: NOW)


def read(client: APIClient, path: str) -> list[Any]:
    answer = client.get(f"{PATH}{path}")
    assert answer.status_code == 200, answer.content
    return list(answer.json()["holes"])


@pytest.mark.usefixtures("at_noon")
def test_somebody_whom_nothing_reaches_is_a_hole_with_each_time_on_call(
    as_user: Any, ana: User, ben: User
) -> None:
    schedule = schedule_of(ana, ben, starts_on=date(2026, 3, 2))
    (hole,) = read(as_user(ana), f"{schedule.pk}/holes/")
    assert hole == {
        "kind": "unreached", "schedule_id": str(schedule.pk), "policy_id": None, "of": "Nights",
        "starts_at": "2026-03-09T08:00:00Z", "ends_at": "2026-03-16T08:00:00Z", "times": 2,
        "people": [{"user_id": str(ben.pk), "name": "Ben"}],
        "explanation": "Ben has no confirmed contact point.",
    }  # fmt: skip


@pytest.mark.usefixtures("at_noon")
def test_why_nothing_reaches_somebody_is_said(as_user: Any, ana: User, ben: User) -> None:
    schedule = schedule_of(ana, ben, starts_on=date(2026, 3, 2))

    def said() -> list[str]:
        return [each["explanation"] for each in read(as_user(ana), f"{schedule.pk}/holes/")]

    point = ContactPointFactory(user=ben, channel="sms", address="+33633333333", is_enabled=False)
    assert said() == ["Ben has no contact point switched on."]
    ContactPoint.objects.filter(pk=point.pk).update(is_enabled=True, confirmed_at=None)
    assert said() == ["Ben has no confirmed contact point."]
    ContactPoint.objects.filter(pk=point.pk).update(confirmed_at=NOW)
    Preference.objects.create(user=ben, level="CRITICAL")
    assert said() == []
    rule = Subscription.objects.create(user=ben, channel="sms", kind="escalation", is_enabled=False)
    assert said() == ["Ben has switched off escalations by all channels."]
    rule.delete()
    assert said() == []


@pytest.mark.usefixtures("at_noon")
def test_all_holes_are_those_of_ones_schedules_and_for_staff_of_all_and_of_policies(
    as_user: Any, as_machine: Any, operator: User, ana: User, ben: User, stranger: User
) -> None:
    schedule_of(ana, ben, name="Seen", starts_on=date(2026, 3, 2))
    schedule_of(ben, name="Other", starts_on=date(2026, 3, 2))
    ContactPointFactory(user=stranger, channel="sms", address="+33644444444")
    target = {"type": "user", "user_id": str(stranger.pk), "channels": ["sms"]}
    body = {"name": "Orders", "steps": [{"after_s": 0, "targets": [target]}]}
    assert as_user(operator).post(POLICIES, body).status_code == 201
    ContactPoint.objects.filter(user=stranger).update(is_enabled=False)

    def seen(client: APIClient) -> list[tuple[str, str]]:
        return [(each["of"], each["kind"]) for each in read(client, "holes/")]

    assert seen(as_user(ana)) == [("Seen", "unreached")]
    everything = [("Other", "unreached"), ("Seen", "unreached"), ("Orders", "step")]
    assert seen(as_user(operator)) == seen(as_machine("escalations:read")) == everything
    assert seen(as_user(stranger)) == []
    stranger_asks = as_user(stranger).get(f"{PATH}{Schedule.objects.get(name='Seen').pk}/holes/")
    assert stranger_asks.status_code == 404


def test_the_questions_do_not_grow_with_what_there_is(
    as_user: Any, operator: User, ana: User, ben: User, asked: list[str]
) -> None:
    client = as_user(operator)

    def make(name: str) -> None:
        schedule = schedule_of(ana, ben, name=name)
        target = {"type": "schedule", "schedule_id": str(schedule.pk)}
        body = {"name": name, "steps": [{"after_s": 0, "targets": [target]}]}
        assert client.post(POLICIES, body).status_code == 201

    make("first")
    read(client, "holes/")
    asked.clear()
    read(client, "holes/")
    few = len(asked)
    make("second"), make("third")
    asked.clear()
    read(client, "holes/")
    assert len(asked) == few


@pytest.mark.usefixtures("at_noon")
def test_the_pages_and_the_admin_show_them(operator: User, ana: User, ben: User) -> None:
    schedule = schedule_of(ana, ben, starts_on=date(2026, 3, 2))
    client = Client(headers={"accept": "text/html"})
    client.force_login(ana)
    said = "Ben has no confirmed contact point"
    for path in ("/on-call/", "/on-call/holes/"):
        assert f"<strong>Nights</strong>: {said}." in client.get(path).content.decode()
    client.force_login(operator)
    page = client.get(f"/admin/escalation/schedule/{schedule.pk}/change/").content.decode()
    assert f"{said}: from 2026-03-09 08:00 (UTC) until 2026-03-16 08:00 (UTC)" in page
    ContactPointFactory(user=ben, channel="sms", address="+33633333333")
    assert "No holes." in client.get("/on-call/holes/").content.decode()


# --- Told ---------------------------------------------------------------------------------------------------

NINE = datetime(2026, 3, 3, 9, tzinfo=UTC)


def told() -> list[tuple[str, str, str]]:
    deliveries = Delivery.objects.filter(notification__kind="on_call.holes").order_by("id")
    return [(each.user.email, each.channel, each.notification.title) for each in deliveries if each.user]


def look_often(since: datetime, days: float) -> None:
    """Look every three hours; the scheduler has it done more often still."""
    for hour in range(0, round(days * 24), 3):
        holes_look(since + timedelta(hours=hour))


@pytest.mark.slow
def test_a_hole_is_told_once_at_nine_and_again_a_day_before(admin: User, ana: User, ben: User) -> None:
    schedule_of(ana, ben, starts_on=date(2026, 3, 2))
    look_often(NOW, 0.5)
    assert told() == []
    look_often(NOW + timedelta(hours=12), 1)
    both = [(admin.email, channel, "1 hole in “Nights”") for channel in ("email", "inbox")]
    assert sorted(told()) == both
    hole = Hole.objects.get()
    assert hole.told_at == NINE
    look_often(NOW + timedelta(hours=36), 4)
    assert len(told()) == 2
    # Ben's week begins on the 9th at eight.
    look_often(datetime(2026, 3, 7, 11, tzinfo=UTC), 9)
    assert len(told()) == 4
    hole.refresh_from_db()
    assert hole.reminded_at == datetime(2026, 3, 8, 8, tzinfo=UTC)


def test_what_begins_within_a_day_is_told_at_once_and_not_again(admin: User, ben: User) -> None:
    schedule_of(ben, starts_on=date(2026, 3, 2))
    holes_look(NOW)
    assert len(told()) == 2
    look_often(NOW, 3)
    assert len(told()) == 2
    # It has begun, and keeps its beginning.
    assert Hole.objects.get().starts_at == NOW


def test_nine_is_by_the_clock_of_the_schedule(admin: User, ana: User, ben: User) -> None:
    schedule_of(ana, ana, ana, ben, starts_on=date(2026, 2, 16), time_zone="America/New_York")
    for hours, expected in ((0, 0), (1.9, 0), (2, 2)):
        holes_look(NOW + timedelta(hours=hours))
        assert len(told()) == expected, hours


def test_one_that_was_gone_and_comes_again_is_told_again(admin: User, ben: User) -> None:
    schedule_of(ben, starts_on=date(2026, 3, 2))
    holes_look(NOW)
    point = ContactPointFactory(user=ben, channel="sms", address="+33633333333")
    holes_look(NOW + A_DAY)
    assert not Hole.objects.exists()
    assert len(told()) == 2
    point.delete()
    holes_look(NOW + 2 * A_DAY)
    assert len(told()) == 4


@pytest.mark.slow
def test_a_step_that_reaches_nobody_is_told_once(
    admin: User, as_user: Any, operator: User, ana: User
) -> None:
    target = {"type": "user", "user_id": str(ana.pk), "channels": ["sms"]}
    body = {"name": "Orders", "steps": [{"after_s": 0, "targets": [target]}]}
    assert as_user(operator).post(POLICIES, body).status_code == 201
    ContactPoint.objects.filter(user=ana).update(is_enabled=False)
    look_often(NOW, 4)
    mine = sorted(each for each in told() if each[0] == admin.email)
    assert mine == [(admin.email, each, "1 hole in “Orders”") for each in ("email", "inbox")]
    assert b'tocsin_on_call_holes{kind="step"} 1.0' in exposition()


def test_the_message_says_what_and_when_by_the_readers_clock(admin: User, ana: User, ben: User) -> None:
    User.objects.filter(pk=admin.pk).update(time_zone="Asia/Tokyo")
    restricted = [{"weekdays": ["mon"], "begin": "08:00", "end": "07:00"}]
    schedule = schedule_of(ben, starts_on=date(2026, 3, 2))
    schedule.layers.update(restrictions=restricted)
    holes_look(NOW)
    (body,) = {each.notification.body for each in Delivery.objects.filter(notification__kind="on_call.holes")}
    assert "- Ben is on call, whom nothing reaches from 2026-03-02 21:00 (Asia/Tokyo)" in body
    gap = "from 2026-03-03 16:00 (Asia/Tokyo) until 2026-03-09 17:00 (Asia/Tokyo) (4 times"
    assert f"- nobody is on call {gap}" in body
    assert "/on-call/holes/" in body


def test_a_schedule_that_is_removed_has_no_holes(admin: User, ben: User) -> None:
    schedule = schedule_of(ben, starts_on=date(2026, 3, 2))
    holes_look(NOW)
    schedule_remove(schedule=schedule)
    holes_look(NOW + A_DAY)
    assert not Hole.objects.exists()


def test_the_next_week_is_counted(admin: User, ana: User, ben: User, monkeypatch: pytest.MonkeyPatch) -> None:
    schedule_of(ana, ben, starts_on=date(2026, 3, 2))
    for at, expected in ((NOW - A_DAY, 0.0), (NOW, 1.0)):
        holes_look(at)
        monkeypatch.setattr("config.clock.now", lambda at=at: at)
        assert f'tocsin_on_call_holes{{kind="unreached"}} {expected}'.encode() in exposition()
    client = Client(headers={"accept": "text/html"})
    client.force_login(admin)
    assert "1 hole in the next week</a>" in client.get("/console/").content.decode()


@pytest.mark.django_db(transaction=True)
def test_however_many_look_at_once_each_hole_is_told_once(admin: User, ben: User) -> None:
    schedule_of(ben, starts_on=date(2026, 3, 2))

    def look(_: int) -> int:
        try:
            return holes_look(NOW)
        finally:
            connection.close()

    with ThreadPoolExecutor(3) as threads:
        assert sorted(threads.map(look, range(3))) == [0, 0, 1]
    assert len(told()) == 2


def test_they_are_looked_for_every_ten_minutes() -> None:
    assert {each.cron for each in periodic.entries() if each.job is jobs.holes} == {"*/10 * * * *"}


# --- Refused ------------------------------------------------------------------------------------------------


@pytest.fixture
def staff(as_user: Callable[[User], APIClient], operator: User) -> APIClient:
    return as_user(operator)


def test_a_layer_that_can_never_have_anybody_on_call_is_refused(
    staff: APIClient, ana: User, ben: User
) -> None:
    schedule = schedule_of(ben)
    layer = staff.get(f"{PATH}{schedule.pk}/").json()["layers"][0]
    layer["members"] = [str(ben.pk)]
    User.objects.filter(pk=ben.pk).update(is_active=False)
    of_ana = {**layer, "members": [str(ana.pk)]}
    refused = staff.patch(f"{PATH}{schedule.pk}/", {"layers": [of_ana, layer]})
    assert refused.status_code == 400
    assert "(layer 2)" in refused.json()["members"][0]
    both = {**layer, "members": [str(ben.pk), str(ana.pk)]}
    assert staff.patch(f"{PATH}{schedule.pk}/", {"layers": [both]}).status_code == 200
    assert staff.patch(f"{PATH}{schedule.pk}/", {"name": "Other"}).status_code == 200


def test_the_admin_refuses_to_take_the_last_who_could_be_on_call(
    operator: User, ana: User, ben: User
) -> None:
    schedule = schedule_of(ana, ben)
    User.objects.filter(pk=ben.pk).update(is_active=False)
    layer = schedule.layers.get()
    places = list(LayerMember.objects.filter(layer=layer).order_by("position"))
    client = Client()
    client.force_login(operator)
    sent = {
        "position": 1, "name": "", "shift_h": 168, "per_turn": 1, "time_zone": "UTC",
        "starts_on": "2026-01-05", "handoff_at": "08:00", "restrictions": "[]",
        "places-TOTAL_FORMS": 2, "places-INITIAL_FORMS": 2,
    }  # fmt: skip
    for number, place in enumerate(places):
        prefix = f"places-{number}"
        sent |= {f"{prefix}-id": place.pk, f"{prefix}-layer": layer.pk}
        sent |= {f"{prefix}-user": str(place.user_id), f"{prefix}-position": number + 1}
    path = f"/admin/escalation/layer/{layer.pk}/change/"
    assert client.post(path, sent).status_code == 302
    answer = client.post(path, sent | {"places-0-DELETE": "on"})
    assert "Nobody here can be on call" in answer.content.decode()
    assert LayerMember.objects.filter(layer=layer).count() == 2


def test_that_gaps_are_meant_is_said_in_the_schedule(staff: APIClient, ana: User) -> None:
    schedule = schedule_of(ana)
    restrictions = [{"weekdays": ["mon"], "begin": "08:00", "end": "17:00"}]
    schedule.layers.update(restrictions=restrictions)
    assert [each["kind"] for each in read(staff, f"{schedule.pk}/holes/")] == ["nobody"]
    changed = staff.patch(f"{PATH}{schedule.pk}/", {"may_have_gaps": True})
    assert (changed.status_code, changed.json()["may_have_gaps"]) == (200, True)
    assert read(staff, f"{schedule.pk}/holes/") == []
