"""Registering, confirming, cancelling, the waiting list; and what happens when registration closes."""

import threading
from collections.abc import Callable
from datetime import date, timedelta

import pytest
from django.core.exceptions import ValidationError
from django.db import connection
from django.db.models import Q
from django.test.utils import CaptureQueriesContext

from accounts.models import User
from config.rest.exceptions import Conflict
from dating import services
from dating.models import Date, DatingProfile, Event, RecurringRule, Registration, Room
from notifications.models import Delivery, Notification
from tests.dating.cast import DAY, EIGHT, HOUR, MINUTE, Evening, event, messages, person, told

pytestmark = pytest.mark.django_db


def states(evening: Evening) -> list[str]:
    return [evening.member(each).state for each in evening.people]


@pytest.mark.slow
def test_the_same_again_changes_nothing() -> None:
    ana, bob = person("Ana"), person("Bob")
    evening = Evening(event()).registered(ana, ana, bob).confirmed()
    services.registration_confirm(event=evening.event, user=ana, now=evening.now)
    for _ in range(2):
        services.registration_cancel(event=evening.event, user=bob, now=evening.now)
    assert told(ana) == ["registered", "confirm", "confirmed"]
    assert told(bob) == ["registered", "confirm", "confirmed", "cancelled"]
    assert Registration.objects.count() == 2


@pytest.mark.slow
def test_a_full_event_has_a_waiting_list_that_moves_up_by_itself() -> None:
    ana, bob, tom, eve = (person(name) for name in ("Ana", "Bob", "Tom", "Eve"))
    evening = Evening(event(places=2)).registered(ana, bob, tom, eve)
    assert states(evening) == ["registered", "registered", "waiting", "waiting"]
    with pytest.raises(Conflict, match="too early to confirm"):
        services.registration_confirm(event=evening.event, user=tom, now=evening.now)
    services.registration_cancel(event=evening.event, user=ana, now=evening.now)
    assert states(evening) == ["cancelled", "registered", "registered", "waiting"]
    assert told(tom) == ["waiting", "moved_up"]
    # Once confirmations are asked for, whoever moves up is asked at once.
    evening.at(EIGHT - DAY)
    services.registration_cancel(event=evening.event, user=bob, now=evening.now)
    assert states(evening) == ["cancelled", "declined", "registered", "registered"]
    assert told(eve) == ["waiting", "confirm", "moved_up", "confirm"]
    # Whoever comes back stands at the end.
    evening.registered(ana)
    assert evening.member(ana).state == "waiting"
    services.registration_confirm(event=evening.event, user=tom, now=evening.now)
    services.registration_confirm(event=evening.event, user=eve, now=evening.now)
    evening.at(EIGHT - HOUR)
    assert evening.member(ana).left_out == Registration.LeftOut.NO_PLACE


@pytest.mark.slow
@pytest.mark.django_db(transaction=True)
def test_the_last_place_goes_to_one_only() -> None:
    crowd = [person(str(number)) for number in range(6)]
    made, barrier = event(places=2), threading.Barrier(6)

    def register(user: User) -> None:
        try:
            barrier.wait(30)
            services.registration_create(event=made, user=user, now=EIGHT - 9 * DAY)
        finally:
            connection.close()

    threads = [threading.Thread(target=register, args=[each]) for each in crowd]
    for each in threads:
        each.start()
    for each in threads:
        each.join()
    found = list(Registration.objects.values_list("state", flat=True))
    assert sorted(found) == ["registered"] * 2 + ["waiting"] * 4


@pytest.mark.slow
def test_nobody_confirms_before_being_asked_nor_after_the_groups_are_made() -> None:
    ana, bob, late = person("Ana"), person("Bob"), person("Late")
    evening = Evening(event()).registered(ana, bob, late)
    with pytest.raises(Conflict, match="too early to confirm"):
        services.registration_confirm(event=evening.event, user=ana, now=evening.now)
    evening.at(EIGHT - DAY)
    for each in (ana, bob):
        services.registration_confirm(event=evening.event, user=each, now=evening.now)
    evening.at(EIGHT - HOUR)
    for refused, user, words in (
        (services.registration_confirm, late, "too late to confirm"),
        (services.registration_confirm, ana, "too late to confirm"),
        (services.registration_cancel, ana, "too late to cancel"),
        (services.registration_create, late, "closed"),
    ):
        with pytest.raises(Conflict, match=words):
            refused(event=evening.event, user=user, now=EIGHT)
    assert evening.member(late).state == Registration.State.LEFT_OUT
    assert evening.pairs(1) == {frozenset({"Ana", "Bob"})}


@pytest.mark.slow
def test_whose_birthday_is_missing_is_told_so_and_left_out_unless_it_comes() -> None:
    ana, bob, eve = person("Ana"), person("Bob"), person("Eve", birthday=None)
    tom = person("Tom", birthday=None)
    evening = Evening(event()).registered(ana, bob, eve, tom)
    assert told(eve) == ["registered", "profile_incomplete"]
    DatingProfile.objects.filter(user=tom).update(birthday="2000-02-29")
    evening.confirmed().at(EIGHT - HOUR)
    assert told(eve)[-1] == "left_out"
    assert evening.member(eve).left_out == Registration.LeftOut.NO_BIRTHDAY
    assert told(tom)[-1] == "taking_part"


@pytest.mark.slow
@pytest.mark.parametrize(
    ("seeks", "reason"),
    [([], "too_few"), (["men"], "too_few"), (["men"] * 3, "pool_empty")],
    ids=["nobody", "one", "one pool"],
)
def test_an_event_that_nobody_can_meet_at_is_skipped_and_everybody_told(
    seeks: list[str], reason: str
) -> None:
    crowd = [person(str(number), seeks=each) for number, each in enumerate(seeks)]
    unconfirmed = person("Late", seeks="women")
    evening = Evening(event(two_pools=True)).registered(*crowd).confirmed().registered(unconfirmed)
    assert evening.at(EIGHT - HOUR) == ["skipped"]
    evening.event.refresh_from_db()
    assert (evening.event.state, evening.event.skipped_reason) == (5, reason)
    assert evening.event.deadline_at is None
    assert all(told(each)[-1] == "skipped" for each in (*crowd, unconfirmed))
    assert evening.at(EIGHT + DAY) == []


@pytest.mark.slow
def test_partial_groups_take_place_and_nobody_meets_somebody_of_another_group() -> None:
    crowd = [person(str(number)) for number in range(11)]
    evening = Evening(event(users_limit=4)).registered(*crowd).confirmed()
    evening.at(EIGHT - HOUR)
    groups = evening.event.groups.all()
    sizes = sorted(each.members.count() for each in groups)
    assert sizes == [3, 4, 4]
    for held in Date.objects.select_related("first", "second"):
        assert held.first.group_id == held.second.group_id == held.group_id
    # Everybody meets everybody of the group, in as many rooms as there are pairs at a time, and no more.
    assert Date.objects.count() == 6 + 6 + 3
    assert Room.objects.count() == 2 + 2 + 1
    in_rooms = Date.objects.exclude(Q(room=None) | Q(round=None))
    assert in_rooms.count() == Date.objects.count()


@pytest.mark.slow
def test_anyone_goes_to_the_smaller_pool() -> None:
    crowd = [
        person(str(number), seeks=each) for number, each in enumerate(["men", "men", "anyone", "anyone"])
    ]
    evening = Evening(event(two_pools=True)).registered(*crowd).confirmed()
    evening.at(EIGHT - HOUR)
    assert [evening.member(each).pool for each in crowd] == [0, 0, 1, 1]


@pytest.mark.slow
def test_with_a_limit_of_rounds_each_has_that_many_dates_at_most() -> None:
    crowd = [person(str(number), seeks=("men", "women")[number % 2]) for number in range(12)]
    evening = Evening(event(two_pools=True, max_rounds=2)).registered(*crowd).confirmed()
    evening.at(EIGHT - HOUR)
    assert len(evening.rounds()) == 2
    for each in crowd:
        member = evening.member(each)
        assert Date.objects.filter(Q(first=member) | Q(second=member)).count() == 2


@pytest.mark.slow
@pytest.mark.parametrize("two_pools", [True, False])
def test_with_a_limit_of_rounds_who_suits_nobody_hears_so_and_does_not_sit_through_byes(
    two_pools: bool,
) -> None:
    crowd = [person(str(number), seeks=("men", "women")[number % 2]) for number in range(4)]
    older = person("Old", seeks="women", birthday=date(1939, 5, 1))
    evening = Evening(event(two_pools=two_pools, max_rounds=2)).registered(*crowd, older).confirmed()
    evening.at(EIGHT - HOUR)
    evening.at(EIGHT - 5 * MINUTE)
    assert told(older)[-1] == "left_out"
    assert evening.member(older).left_out == Registration.LeftOut.NO_PARTNER
    assert all(told(each)[-1] in ("link", "rules") for each in crowd)
    assert messages()["bye"] == 0


@pytest.mark.slow
@pytest.mark.parametrize("two_pools", [True, False])
def test_a_limit_of_rounds_is_no_reason_to_hold_none(two_pools: bool) -> None:
    young = [person(f"Young {n}", seeks="women", birthday=date(2000, 5, 1)) for n in range(2)]
    old = [person(f"Old {n}", seeks="men", birthday=date(1960 - 30 * n, 5, 1)) for n in range(2)]
    crowd = [*young, *old] if two_pools else old
    evening = Evening(event(two_pools=two_pools, max_rounds=2)).registered(*crowd).confirmed()
    assert evening.at(EIGHT - HOUR) == ["closed"]
    assert all(told(each)[-1] == "taking_part" for each in crowd)
    assert len(evening.pairs(1)) == len(crowd) // 2


@pytest.mark.slow
def test_somebody_cancels_everything_at_once() -> None:
    ana = person("Ana")
    first, second = event(), event(title="Saturday")
    for each in (first, second):
        services.registration_create(event=each, user=ana, now=EIGHT - 9 * DAY)
    for _ in range(2):
        assert services.registrations_cancel(user=ana, now=EIGHT - 9 * DAY) == 2
    assert services.registrations_cancel(user=person("Bob"), now=EIGHT - 9 * DAY) == 0
    assert set(Registration.objects.values_list("state", flat=True)) == {"cancelled"}


@pytest.mark.slow
@pytest.mark.parametrize("leave", [services.registrations_cancel, services.person_leaves])
def test_several_evenings_are_held_in_the_order_of_their_ids(leave: Callable[..., object]) -> None:
    """As everywhere else, so that two who hold several can't wait for each other."""
    ana = person()
    made = [event(starts_at=EIGHT + days * DAY) for days in (2, 0, 1)]
    for each in made:
        services.registration_create(event=each, user=ana, now=EIGHT - 3 * DAY)
    with CaptureQueriesContext(connection) as queries:
        leave(user=ana, now=EIGHT - 3 * DAY)
    locks = [each["sql"] for each in queries if "FOR UPDATE" in each["sql"]]
    of_events = [sql for sql in locks if 'FROM "dating_event"' in sql]
    held = [each.pk for sql in of_events for each in made if each.pk.hex in sql]
    assert held == sorted(held)
    assert len(held) == 3


@pytest.mark.slow
def test_messages_go_to_contact_points_too_and_heed_what_people_switched_off() -> None:
    ana, bob = person("Ana"), person("Bob")
    for each in (ana, bob):
        each.contact_points.create(
            channel="webhook",
            address="https://hooks.example.com/x",
            created_at=EIGHT - 60 * DAY,
            confirmed_at=EIGHT - 60 * DAY,
        )
    bob.subscriptions.create(channel="webhook", kind="dating.link", is_enabled=False)
    evening = Evening(event()).registered(ana, bob).confirmed()
    evening.at(EIGHT - HOUR)
    evening.at(EIGHT - 5 * MINUTE)
    of_links = Delivery.objects.filter(notification__kind="dating.link")
    found = sorted(of_links.values_list("user__first_name", "channel"))
    assert found == [("Ana", "inbox"), ("Ana", "webhook"), ("Bob", "inbox")]
    assert set(of_links.values_list("status", "due_at", "expires_at")) == {
        ("pending", EIGHT, EIGHT + 5 * MINUTE)
    }


def test_an_event_can_be_made_until_its_registration_would_close() -> None:
    closes_at = event().close_at
    with pytest.raises(ValidationError, match="already be closed"):
        services.event_create(title="Now", starts_at=EIGHT, now=closes_at)
    services.event_create(title="Soon", starts_at=EIGHT, now=closes_at - timedelta(seconds=1))


def test_an_event_whose_registration_would_be_over_is_not_made() -> None:
    with pytest.raises(ValidationError) as refused:
        services.event_create(title="Now", starts_at=EIGHT, now=EIGHT - MINUTE)
    assert list(refused.value.message_dict) == ["starts_at"]
    with pytest.raises(ValidationError):
        event(close_before_s=60, rules_before_s=120)
    assert Event.objects.count() == 0


def test_breaks_are_long_enough_for_calls_to_be_ended_where_the_provider_is_asked_to() -> None:
    for fields in ({"break_s": 0}, {"break_s": 15, "provider": "google_meet"}):
        assert event(**fields).pk
    for short in (0, 14):
        with pytest.raises(ValidationError) as caught:
            event(break_s=short, provider="google_meet")
        assert list(caught.value.message_dict) == ["break_s"]
        rule = RecurringRule(title="Fridays", starts_on=EIGHT.date(), at=EIGHT.time(), break_s=short)
        rule.full_clean()
        rule.provider = "google_meet"
        with pytest.raises(ValidationError) as caught:
            rule.full_clean()
        assert list(caught.value.message_dict) == ["break_s"]
    # What is there already can still be given another title.
    Event.objects.update(break_s=0)
    for each in Event.objects.all():
        each.full_clean()


def test_events_are_numbered_from_one() -> None:
    assert [event().number, event().number] == [1, 2]


def test_a_rule_makes_each_event_once_and_by_the_clocks_of_its_place() -> None:
    rule = RecurringRule.objects.create(
        title="Friday at eight",
        starts_on=(EIGHT - 30 * DAY).date(),
        at="20:00",
        time_zone="Europe/Paris",
        days_ahead=14,
        users_limit=8,
    )
    RecurringRule.objects.create(title="Bad", rrule="FREQ=NEVER", starts_on=EIGHT.date(), at="20:00")
    assert [services.events_recur(now=EIGHT), services.events_recur(now=EIGHT)] == [2, 0]
    first, second = rule.events.order_by("starts_at")
    # One that is held at another time is still that occurrence's.
    moved = services.event_move(event=second, starts_at=second.starts_at + HOUR, title="Late", now=EIGHT)
    assert services.events_recur(now=EIGHT) == 0
    services.event_move(event=moved, starts_at=second.starts_at, title=second.title, now=EIGHT)
    assert (second.starts_at - first.starts_at).days == 7
    assert first.users_limit == 8
    assert first.starts_at.astimezone().weekday() == 4 or first.starts_at.weekday() == 4
    assert services.events_recur(now=EIGHT + timedelta(days=7)) == 1


def test_everything_that_is_told_has_texts() -> None:
    evening = Evening(event()).registered(person("Ana"))
    assert evening.step == "open"
    assert messages()["registered"] == 1
    assert "You are registered" in Notification.objects.get().title
