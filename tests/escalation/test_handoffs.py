"""Whoever is on call hears of it before, and when it begins: once each, whatever changes hands meanwhile."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from pytest_django import Settings
from structlog.testing import capture_logs

from accounts.models import User
from config import periodic
from escalation import jobs
from escalation.models import Layer, LayerMember, Schedule
from escalation.schedules.handoffs import handoffs_tell
from escalation.services.schedules import override_create, schedule_remove
from notifications.models import InboxItem
from tests.factories import UserFactory, schedule_of

# A Monday, on which the first turn of a week has begun at eight.
MONDAY = datetime(2026, 1, 5, 8, tzinfo=UTC)
AN_HOUR = timedelta(hours=1)


@pytest.fixture
def ana(db: None) -> User:
    return UserFactory(first_name="Ana", time_zone="Europe/Paris")


@pytest.fixture
def bo(db: None) -> User:
    return UserFactory(first_name="Bo", language="fr")


def daily(*people: User, **layer: Any) -> Schedule:
    return schedule_of(*people, **{"starts_on": MONDAY.date(), "shift_h": 24, **layer})


def told(user: User) -> list[str]:
    """What stands in somebody's inbox, the first first."""
    items = InboxItem.objects.filter(user=user).select_related("notification").order_by("number")
    return [item.notification.kind for item in items]


def test_each_hears_of_it_before_and_when_it_begins(ana: User, bo: User) -> None:
    daily(ana, bo)
    second = MONDAY + timedelta(days=1)
    for at, expected in (
        (second - 12 * AN_HOUR, []),
        (second - 11 * AN_HOUR, ["on_call.soon"]),
        (second - AN_HOUR, ["on_call.soon"]),
        (second, ["on_call.soon", "on_call.begins"]),
        (second + AN_HOUR, ["on_call.soon", "on_call.begins"]),
    ):
        handoffs_tell(at)
        assert told(bo) == expected, at


def test_the_message_says_from_when_until_when_by_ones_own_clock_and_in_ones_language(
    ana: User, bo: User
) -> None:
    daily(bo, ana)
    handoffs_tell(MONDAY - AN_HOUR)
    handoffs_tell(MONDAY + 23 * AN_HOUR)
    (french,) = InboxItem.objects.filter(user=bo)
    assert "Vous êtes d'astreinte à partir du 2026-01-05 08:00 (UTC)" in str(french.notification.texts["fr"])
    (soon,) = InboxItem.objects.filter(user=ana)
    until = "from 2026-01-06 09:00 (Europe/Paris) until 2026-01-07 09:00 (Europe/Paris)"
    assert until in soon.notification.body


def test_who_goes_on_being_on_call_begins_nothing(ana: User) -> None:
    daily(ana)
    for day in range(3):
        handoffs_tell(MONDAY + timedelta(days=day))
    assert told(ana) == ["on_call.begins"]


def test_two_turns_that_follow_each_other_are_one_time_on_call(ana: User, bo: User) -> None:
    daily(ana, ana, bo)
    handoffs_tell(MONDAY - AN_HOUR)
    (item,) = InboxItem.objects.filter(user=ana)
    assert "until 2026-01-07 09:00 (Europe/Paris)" in item.notification.body


def test_whoever_stands_in_hears_of_it_and_then_whoever_comes_back(ana: User, bo: User) -> None:
    schedule = daily(ana)
    begin = MONDAY + timedelta(hours=5)
    override_create(schedule=schedule, user_id=bo.pk, starts_at=begin, ends_at=begin + 2 * AN_HOUR)
    handoffs_tell(MONDAY)
    handoffs_tell(begin)
    assert told(bo) == ["on_call.soon", "on_call.begins"]
    handoffs_tell(begin + 2 * AN_HOUR)
    assert told(ana).count("on_call.begins") == 2


def test_all_who_are_on_call_together_hear_of_it(ana: User, bo: User) -> None:
    daily(ana, bo, per_turn=2)
    handoffs_tell(MONDAY)
    assert told(ana) == told(bo) == ["on_call.begins"]


def test_doing_it_again_tells_nobody_twice(ana: User, bo: User) -> None:
    daily(ana, bo)
    counts = [handoffs_tell(MONDAY + timedelta(minutes=minute)) for minute in range(5)]
    assert counts == [1, 0, 0, 0, 0]
    assert told(ana) == ["on_call.begins"]


def test_what_began_while_nothing_ran_is_told_for_half_an_hour(ana: User) -> None:
    daily(ana)
    handoffs_tell(MONDAY + timedelta(minutes=31))
    assert told(ana) == []
    handoffs_tell(MONDAY + timedelta(minutes=29))
    assert told(ana) == ["on_call.begins"]


def test_nobody_hears_of_a_schedule_that_is_gone_or_who_is_locked(ana: User, bo: User) -> None:
    schedule_remove(schedule=daily(ana))
    daily(bo, name="Others")
    bo.is_active = False
    bo.save()
    assert handoffs_tell(MONDAY) == 0


def test_before_it_begins_nobody_is_told_where_the_setting_says_so(ana: User, settings: Settings) -> None:
    settings.ON_CALL_NOTICE_H = 0
    daily(ana)
    handoffs_tell(MONDAY - timedelta(minutes=1))
    assert told(ana) == []


@pytest.mark.slow
def test_hours_of_a_layer_begin_anew_each_day(ana: User) -> None:
    nights = [{"weekdays": ["mon", "tue"], "begin": "20:00", "end": "06:00"}]
    schedule = daily(ana)
    Layer.objects.filter(schedule=schedule).update(restrictions=nights)
    for hour in range(48):
        handoffs_tell(MONDAY + hour * AN_HOUR)
    assert told(ana) == ["on_call.soon", "on_call.begins"] * 2
    assert LayerMember.objects.count() == 1


def test_one_schedule_that_cannot_be_read_keeps_nobody_of_the_others_from_hearing(
    ana: User, bo: User
) -> None:
    broken = daily(ana, name="A")
    Layer.objects.filter(schedule=broken).update(restrictions=[{"weekdays": "soon"}])
    daily(bo, name="B")
    with capture_logs() as logs:
        assert handoffs_tell(MONDAY) == 1
    assert told(bo) == ["on_call.begins"]
    assert [each["event"] for each in logs if each["log_level"] == "error"] == ["handoffs_not_told"]


def test_it_runs_every_minute() -> None:
    assert {each.cron for each in periodic.entries() if each.job is jobs.handoffs} == {"* * * * *"}
