"""A rule that is changed: evenings that nobody has registered for follow it, and no day has two."""

from datetime import UTC, date, datetime, timedelta
from typing import Any, ClassVar
from zoneinfo import ZoneInfo

import pytest
from django.test import Client

from accounts.models import User
from dating import services
from dating.models import Event, RecurringRule
from tests.dating.cast import DAY, person, told
from tests.dating.test_admin import filled, url
from tests.factories import UserFactory

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
        title=rule.title, time_zone=rule.time_zone,
    ) | changes  # fmt: skip
    return desk.post(url("recurringrule_change", rule.pk), form, follow=True).content.decode()


def hours() -> list[tuple[int, str]]:
    return [(each.starts_at.hour, each.step) for each in Event.objects.order_by("starts_at")]


@pytest.mark.slow
def test_another_time_of_day_moves_those_without_people_and_makes_no_second(desk: Client) -> None:
    rule = made()
    first = Event.objects.order_by("starts_at")[0]
    ana = person("Ana")
    services.registration_create(event=first, user=ana, now=NOW)
    page = changed(desk, rule, at="19:00")
    assert "People have registered for these evenings, which stay as they are" in page
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


def days(step: str = "open") -> list[int]:
    return sorted(each.starts_at.weekday() for each in Event.objects.filter(step=step))


@pytest.mark.slow
def test_a_rule_that_was_wrong_for_five_minutes_has_its_evenings_again(desk: Client) -> None:
    rule = made()
    called_off_by_hand = Event.objects.order_by("starts_at")[1]
    services.event_end(event=called_off_by_hand, now=NOW)
    for rrule in ("FREQ=WEEKLY;BYDAY=SA", "FREQ=WEEKLY;BYDAY=FR"):
        changed(desk, rule, rrule=rrule)
        services.events_recur(now=NOW)
    assert services.events_recur(now=NOW) == 0
    (first,) = Event.objects.filter(step="open")
    assert first.starts_at.weekday() == 4
    # One that was called off by hand stays so.
    assert first.starts_at < called_off_by_hand.starts_at
    assert rule.events.filter(step="skipped").get() == called_off_by_hand


@pytest.mark.slow
def test_two_evenings_of_one_day_become_one_and_no_other_rule_waits_for_it(desk: Client) -> None:
    """In New York it is Friday still when it is Saturday in Paris."""
    rule = made(time_zone="America/New_York")
    first = Event.objects.order_by("starts_at")[0]
    services.registration_create(event=first, user=person("Ana"), now=NOW)
    for time_zone in ("Europe/Paris", "America/New_York"):
        changed(desk, rule, time_zone=time_zone)
        RecurringRule.objects.get_or_create(
            title=f"In {time_zone}", rrule="FREQ=DAILY", starts_on=date(2026, 1, 2), at="12:00", days_ahead=2
        )
        services.events_recur(now=NOW)
    others = RecurringRule.objects.exclude(pk=rule.pk)
    assert [each.events.exists() for each in others] == [True, True]
    open_ones = rule.events.filter(step="open").order_by("starts_at")
    assert first == open_ones[0]
    local = [each.starts_at.astimezone(ZoneInfo("America/New_York")) for each in open_ones]
    assert [(each.weekday(), each.hour) for each in local] == [(4, 20)] * 2


def test_a_rule_that_fails_keeps_no_other_from_its_evenings() -> None:
    rule = made()
    RecurringRule.objects.filter(pk=rule.pk).update(confirm_before_s=1)  # past the form: no event may have it
    later = RecurringRule.objects.create(
        title="Saturdays", rrule="FREQ=WEEKLY;BYDAY=SA", starts_on=date(2026, 1, 2), at="20:00"
    )
    services.events_recur(now=NOW)
    assert later.events.count() == 2
    assert hours() == [(20, "open")] * 4


class TestSettings:
    """What else a rule says holds for its evenings too, as long as nobody has registered."""

    CHANGED: ClassVar = {
        "round_s": 600, "users_limit": 8, "two_pools": "on", "places": 12, "title": "Late Fridays",
        "confirm_before_s": 7200,
    }  # fmt: skip

    def test_evenings_without_people_follow(self, desk: Client) -> None:
        rule = made()
        first, second = Event.objects.order_by("starts_at")
        services.registration_create(event=first, user=person("Ana"), now=NOW)
        assert "which stay as they are" in changed(desk, rule, **self.CHANGED)
        for _ in range(2):
            assert services.events_recur(now=NOW) == 0
        first.refresh_from_db()
        second.refresh_from_db()
        assert (first.title, first.round_s, first.two_pools) == ("Fridays", 300, False)
        assert (second.title, second.round_s, second.users_limit) == ("Late Fridays", 600, 8)
        assert (second.two_pools, second.places) == (True, 12)
        assert second.deadline_at == second.starts_at - timedelta(hours=2)

    def test_what_was_set_by_hand_stays(self, desk: Client) -> None:
        rule = made()
        first, second = Event.objects.order_by("starts_at")
        services.event_move(event=first, starts_at=first.starts_at, title="Carnival", now=NOW)
        services.places_set(event=first, places=40, now=NOW)
        for _ in range(2):
            changed(desk, rule, **self.CHANGED)
            services.events_recur(now=NOW)
        first.refresh_from_db()
        second.refresh_from_db()
        assert (first.title, first.places, first.round_s) == ("Carnival", 40, 600)
        assert (second.title, second.places) == ("Late Fridays", 12)

    @pytest.mark.slow
    def test_a_new_organiser_follows_one_who_has_deleted_their_account(self, desk: Client) -> None:
        ana, bob = UserFactory(), UserFactory()
        rule = made(organiser=ana)
        ana.delete()
        changed(desk, rule, organiser=str(bob.pk))
        services.events_recur(now=NOW)
        assert {each.organiser for each in Event.objects.all()} == {bob}

    def test_of_one_that_an_earlier_version_made_what_can_be_set_by_hand_stays(self, desk: Client) -> None:
        rule = made()
        Event.objects.update(rule_settings=None)
        changed(desk, rule, **self.CHANGED)
        services.events_recur(now=NOW)
        assert {(each.title, each.places, each.round_s) for each in Event.objects.all()} == {
            ("Fridays", None, 600)
        }

    def test_what_would_close_registration_at_once_stays(self, desk: Client) -> None:
        rule = made()
        a_week = 7 * 86400
        changed(desk, rule, close_before_s=a_week, confirm_before_s=a_week)
        before = Event.objects.order_by("starts_at")[0]
        services.events_recur(now=before.starts_at - 2 * DAY)
        before.refresh_from_db()
        assert (before.close_before_s, before.step) == (3600, "open")


class TestNoMore:
    @pytest.mark.slow
    def test_what_nobody_has_registered_for_ends_with_a_rule_that_is_switched_off(self, desk: Client) -> None:
        rule = made()
        first, second = Event.objects.order_by("starts_at")
        services.registration_create(event=second, user=person("Ana"), now=NOW)
        assert "which stay as they are" in changed(desk, rule, is_active="")
        services.events_recur(now=NOW)
        assert hours() == [(20, "skipped"), (20, "open")]
        changed(desk, rule)
        assert services.events_recur(now=NOW) == 1
        assert sorted(each.starts_at for each in rule.events.filter(step="open")) == [
            first.starts_at,
            second.starts_at,
        ]

    def test_the_same_with_a_rule_that_is_deleted(self, desk: Client) -> None:
        rule = made()
        second = Event.objects.order_by("starts_at")[1]
        services.registration_create(event=second, user=person("Ana"), now=NOW)
        assert desk.post(url("recurringrule_delete", rule.pk), {"post": "yes"}).status_code == 302
        assert not RecurringRule.objects.exists()
        assert hours() == [(20, "skipped"), (20, "open")]

    @pytest.mark.slow
    def test_one_that_somebody_has_moved_stays(self, desk: Client) -> None:
        rule = made()
        first = Event.objects.order_by("starts_at")[0]
        held_at = first.starts_at.replace(hour=22)
        services.event_move(event=first, starts_at=held_at, title=first.title, now=NOW)
        changed(desk, rule, is_active="")
        services.events_recur(now=NOW)
        assert hours() == [(22, "open"), (20, "skipped")]
