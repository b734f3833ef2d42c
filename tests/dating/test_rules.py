"""A rule that is changed: evenings that nobody has registered for follow it, and no day has two."""

from datetime import UTC, date, datetime
from typing import Any

import pytest
from django.test import Client

from accounts.models import User
from dating import services
from dating.models import Event, RecurringRule
from tests.dating.cast import DAY, person, told
from tests.dating.test_admin import filled, url

pytestmark = pytest.mark.django_db
NOW = datetime.now(UTC)


@pytest.fixture
def desk(operator: User) -> Client:
    client = Client()
    client.force_login(operator)
    return client


def made(**fields: Any) -> RecurringRule:
    rule = RecurringRule.objects.create(
        **{"title": "Fridays", "rrule": "FREQ=WEEKLY;BYDAY=FR", "starts_on": date(2026, 1, 2), "at": "20:00"}
        | fields
    )
    assert services.events_recur(now=NOW) == 2
    return rule


def changed(desk: Client, rule: RecurringRule, **changes: Any) -> str:
    """Change a rule in the admin; returns what its page says."""
    form = filled(
        rrule=rule.rrule, at=rule.at, starts_on="2026-01-02", days_ahead=14, is_active="on",
        title=rule.title, time_zone="UTC",
    ) | changes  # fmt: skip
    return desk.post(url("recurringrule_change", rule.pk), form, follow=True).content.decode()


def hours() -> list[tuple[int, str]]:
    return [(each.starts_at.hour, each.step) for each in Event.objects.order_by("starts_at")]


def test_another_time_of_day_moves_those_without_people_and_makes_no_second(desk: Client) -> None:
    rule = made()
    first = Event.objects.order_by("starts_at")[0]
    ana = person("Ana")
    services.registration_create(event=first, user=ana, now=NOW)
    page = changed(desk, rule, at="19:00")
    assert "People have registered for evenings at other times" in page
    for _ in range(2):
        assert services.events_recur(now=NOW) == 0
    assert hours() == [(20, "open"), (19, "open")]
    assert told(ana) == ["registered"]
    second = Event.objects.order_by("starts_at")[1]
    assert second.deadline_at == second.starts_at - DAY == second.confirm_at
    # Once nobody comes any more, it follows too.
    services.registration_cancel(event=first, user=ana, now=NOW)
    services.events_recur(now=NOW)
    assert hours() == [(19, "open"), (19, "open")]


def test_another_day_calls_off_those_without_people(desk: Client) -> None:
    rule = made()
    assert "People have registered" not in changed(desk, rule, rrule="FREQ=WEEKLY;BYDAY=SA")
    assert services.events_recur(now=NOW) == 2
    assert services.events_recur(now=NOW) == 0
    assert sorted(each.starts_at.weekday() for each in Event.objects.filter(step="open")) == [5, 5]
    assert sorted(each.starts_at.weekday() for each in Event.objects.filter(step="skipped")) == [4, 4]


def test_one_that_somebody_has_moved_stays_where_it_is(desk: Client) -> None:
    rule = made()
    first = Event.objects.order_by("starts_at")[0]
    held_at = first.starts_at.replace(hour=22)
    services.event_move(event=first, starts_at=held_at, title=first.title, now=NOW)
    changed(desk, rule, at="19:00")
    assert services.events_recur(now=NOW) == 0
    assert hours() == [(22, "open"), (19, "open")]
