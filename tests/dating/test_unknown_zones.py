"""A zone that the zone database has given up since it was stored stands for UTC, and harms nobody else."""

from datetime import UTC, date, datetime, time

import pytest
from django.test import Client

from accounts.models import User
from dating import services
from dating.models import Event, RecurringRule
from dating.services.events import events_recur
from notifications.models import Notification
from tests.dating.cast import EIGHT, HOUR, MINUTE, Evening, event, links, person

pytestmark = pytest.mark.django_db
GIVEN_UP = "Mars/Olympus"


def told_of(kind: str, user: User) -> dict[str, str]:
    return Notification.objects.filter(kind=kind, deliveries__user=user).distinct().get().data


@pytest.mark.slow
def test_an_evening_goes_on_for_everybody_whatever_zone_one_of_them_has() -> None:
    ana, bob = person("Ana"), person("Bob")
    evening = Evening(event(time_zone="Europe/Paris")).registered(ana, bob)
    User.objects.filter(pk=ana.pk).update(time_zone=GIVEN_UP)
    evening.confirmed()
    for moment in (EIGHT - HOUR, EIGHT - 5 * MINUTE, EIGHT):
        evening.at(moment)
    assert evening.step == "round"
    assert links(ana) == [(1, "Bob")]
    assert links(bob) == [(1, "Ana")]
    assert told_of("dating.link", ana)["until"].startswith("20:05")


@pytest.mark.slow
def test_an_evening_of_such_a_zone_is_held_too() -> None:
    ana, bob = person("Ana"), person("Bob")
    evening = Evening(event()).registered(ana)
    Event.objects.update(time_zone=GIVEN_UP)
    evening.event.refresh_from_db()
    evening.registered(bob).confirmed()
    for moment in (EIGHT - HOUR, EIGHT - 5 * MINUTE, EIGHT):
        evening.at(moment)
    services.event_pause(event=evening.event, now=EIGHT + MINUTE)
    services.event_resume(event=evening.event, now=EIGHT + 2 * MINUTE)
    assert evening.step == "round"


def test_a_rule_of_such_a_zone_keeps_no_other_from_its_evenings() -> None:
    now = datetime(2026, 3, 1, tzinfo=UTC)
    rules = [
        RecurringRule.objects.create(
            title=title, rrule="FREQ=DAILY", starts_on=date(2026, 1, 1), at=time(20), days_ahead=2
        )
        for title in ("A", "B")
    ]
    RecurringRule.objects.filter(pk=rules[0].pk).update(time_zone=GIVEN_UP)
    events_recur(now=now)
    assert [rule.events.count() for rule in rules] == [2, 2]
    assert {each.starts_at.hour for each in Event.objects.all()} == {20}


@pytest.mark.slow
def test_pages_and_calendars_open_for_somebody_of_such_a_zone() -> None:
    ana = person("Ana")
    evening = Evening(event()).registered(ana)
    User.objects.filter(pk=ana.pk).update(time_zone=GIVEN_UP)
    client = Client()
    client.force_login(User.objects.get(pk=ana.pk))
    for path in ("/dating/", f"/dating/{evening.event.pk}/", "/preferences/", "/inbox/", "/account/"):
        assert client.get(path).status_code == 200, path
