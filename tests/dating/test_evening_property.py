"""Two evenings at nearly the same time, and whatever can happen to them, in any order."""

from collections.abc import Callable
from contextlib import ExitStack
from datetime import timedelta
from typing import Any

import pytest
from django.core.exceptions import ValidationError
from django.db import connection, transaction
from hypothesis import HealthCheck, Phase, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    precondition,
    rule,
    run_state_machine_as_test,
)

from accounts.models import User
from accounts.services.users import user_delete
from config.rest.exceptions import Conflict
from dating import services
from dating.evening.steps import OVER
from dating.evening.timeline import longest
from dating.models import Date, Event, Registration, Seat, Step
from dating.services.places import COMING, WITH_PLACE
from dating.services.reminding import longest_pause
from tests.dating.calendar_program import CalendarProgram, sent_to, shown_to, truth
from tests.dating.cast import DAY, EIGHT, MINUTE, SECOND, event, person, told

PEOPLE, EVENTS = st.integers(0, 6), st.integers(0, 1)
BEFORE = (Step.OPEN, Step.CONFIRMING)


class Killed(BaseException):
    """The process dies."""


class Evenings(RuleBasedStateMachine):
    def __init__(self) -> None:
        super().__init__()
        self._rollback = ExitStack()
        self._rollback.enter_context(transaction.atomic())
        self.now = EIGHT - 3 * DAY
        self.people = [
            person(name, seeks=seeks)
            for name, seeks in (
                ("Ana", "women"), ("Bob", "women"), ("Tom", "women"), ("Eve", "men"), ("Sam", "anyone"),
                ("Pia", "men"), ("Leo", "women"),
            )
        ]  # fmt: skip
        self.gone: set[int] = set()
        self.events = [
            event(places=3),
            event(title="The other", starts_at=EIGHT + 20 * MINUTE, two_pools=True, max_rounds=2, places=4),
        ]
        self.holders: list[set[Any]] = [set(), set()]
        self.calendars = {each.pk: CalendarProgram() for each in self.people}
        self.read: set[Any] = set()

    def teardown(self) -> None:
        try:
            self._end_all()
        finally:
            transaction.set_rollback(True)
            self._rollback.close()

    # --- What people do ---------------------------------------------------------------------------------

    def attempt(self, change: Callable[..., object], **given: object) -> None:
        """Do it, if it can be done now."""
        self.now += SECOND
        try:
            with transaction.atomic():
                change(now=self.now, **given)
        except (Conflict, ValidationError):
            pass

    def someone(self, number: int) -> User | None:
        return None if number in self.gone else self.people[number]

    def here(self) -> list[User]:
        return [each for number, each in enumerate(self.people) if number not in self.gone]

    def of_person(self, change: Callable[..., object], number: int, which: int) -> None:
        if user := self.someone(number):
            self.attempt(change, event=self.events[which], user=user)

    @initialize(which=EVENTS, silent=PEOPLE, looks=st.integers(0, 4))
    def begin(self, which: int, silent: int, looks: int) -> None:
        """Most examples would never see an evening that takes place, if all were left to chance."""
        for number in range(6):
            self.of_person(services.registration_create, number, which)
        for done in range(looks):
            self.time_passes()
            if done == 0:
                self.nearly_all_confirm(which, silent)

    @rule(number=PEOPLE, which=EVENTS)
    def register(self, number: int, which: int) -> None:
        self.of_person(services.registration_create, number, which)

    @rule(number=PEOPLE, which=EVENTS)
    def confirm(self, number: int, which: int) -> None:
        self.of_person(services.registration_confirm, number, which)

    @rule(which=EVENTS, silent=PEOPLE)
    def nearly_all_confirm(self, which: int, silent: int) -> None:
        for number in range(len(self.people)):
            if number != silent:
                self.of_person(services.registration_confirm, number, which)

    @rule(number=PEOPLE, which=EVENTS)
    def cancel(self, number: int, which: int) -> None:
        self.of_person(services.registration_cancel, number, which)

    @rule(number=PEOPLE, which=EVENTS)
    def be_ready(self, number: int, which: int) -> None:
        self.of_person(services.ready_mark, number, which)

    @rule(number=PEOPLE, which=EVENTS)
    def enter_the_call(self, number: int, which: int) -> None:
        self.of_person(services.join_mark, number, which)

    @precondition(lambda self: len(self.gone) < 3)
    @rule(number=PEOPLE, is_deleted=st.booleans())
    def account_ends(self, number: int, is_deleted: bool) -> None:
        user = self.someone(number)
        if user is None:
            return
        self.gone.add(number)
        if is_deleted:
            user_delete(user=user)
        else:
            user.is_active = False
            user.save(update_fields=["is_active"])

    # --- What those do who run them ---------------------------------------------------------------------

    @rule(which=EVENTS, places=st.sampled_from([2, 3, 4, None]))
    def more_or_fewer_places(self, which: int, places: int | None) -> None:
        if Event.objects.filter(pk=self.events[which].pk, step__in=BEFORE).exists():
            self.attempt(services.places_set, event=self.events[which], places=places)

    @rule(which=EVENTS, by=st.sampled_from([-30 * MINUTE, 20 * MINUTE, 21 * DAY]), title=st.booleans())
    def move_or_rename(self, which: int, by: timedelta, title: bool) -> None:
        made = Event.objects.get(pk=self.events[which].pk)
        starts_at, name = (made.starts_at, f"{made.title}!") if title else (made.starts_at + by, made.title)
        self.attempt(services.event_move, event=made, starts_at=starts_at, title=name)

    @rule(which=EVENTS)
    def pause(self, which: int) -> None:
        self.attempt(services.event_pause, event=self.events[which])

    @rule(which=EVENTS)
    def resume(self, which: int) -> None:
        self.attempt(services.event_resume, event=self.events[which])

    @rule(which=EVENTS)
    def extend(self, which: int) -> None:
        self.attempt(services.event_extend_round, event=self.events[which], by=MINUTE)

    @rule(number=PEOPLE, which=EVENTS)
    def drop(self, number: int, which: int) -> None:
        member = Registration.objects.filter(user=self.someone(number), event=self.events[which]).first()
        if member is not None:
            self.attempt(services.event_drop, event=self.events[which], registration_id=member.pk)

    @rule(which=EVENTS, really=st.integers(0, 3))
    def end_early(self, which: int, really: int) -> None:
        if really == 0:
            self.attempt(services.event_end, event=self.events[which])

    # --- Time, and deaths -------------------------------------------------------------------------------

    @rule()
    def time_passes(self) -> None:
        self._to_what_is_due()
        self._look()

    @rule(late=st.sampled_from([MINUTE, 7 * MINUTE, 90 * MINUTE]))
    def time_passes_and_nobody_looks(self, late: timedelta) -> None:
        self._to_what_is_due()
        self.now += late
        self._look()

    @rule(statement=st.integers(0, 60))
    def time_passes_and_the_runner_dies(self, statement: int) -> None:
        """In the middle of a step, before its n-th statement; somebody else takes it again."""
        self._to_what_is_due()
        left = statement

        def die(execute: Any, sql: str, params: Any, many: bool, context: Any) -> Any:
            nonlocal left
            left -= 1
            if left < 0:
                raise Killed
            return execute(sql, params, many, context)

        try:
            with transaction.atomic(), connection.execute_wrapper(die):
                self._look()
        except Killed:
            pass
        self._look()

    def _to_what_is_due(self) -> None:
        ends = [
            each.paused_at + longest_pause() if each.paused_at else each.deadline_at
            for each in Event.objects.exclude(step__in=OVER)
        ]
        self.now = max([self.now, *([min(end for end in ends if end)] if ends else [])])

    def _look(self) -> None:
        services.pauses_end(now=self.now)
        for each in self.events:
            services.event_advance(event_id=each.pk, now=self.now)

    def _end_all(self) -> None:
        """Each evening comes to its end by itself, whatever has been done to it."""
        for _ in range(60):
            if not Event.objects.exclude(step__in=OVER).exists():
                break
            self._to_what_is_due()
            self._look()
            self.places_are_given_in_order()
        assert {each.is_over for each in Event.objects.all()} == {True}
        self.calendars_are_right()
        for each in self.here():
            # In whatever order their mails come.
            assert shown_to(each) == self.calendars[each.pk].shown
            members = Registration.objects.filter(user=each, group__isnull=False, state="confirmed")
            assert told(each).count("finished") == members.filter(event__step=Step.FINISHED).count()
        assert not Registration.objects.filter(state__in=("waiting", "registered")).exists()

    # --- What always holds ------------------------------------------------------------------------------

    @invariant()
    def calendars_are_right(self) -> None:
        for pk, user_id, ics in sent_to(self.here()):
            if pk not in self.read:
                self.read.add(pk)
                self.calendars[user_id].take(ics)
        for user_id, true in truth(self.here()).items():
            assert self.calendars[user_id].shown == true

    @invariant()
    def places_are_given_in_order(self) -> None:
        for which, each in enumerate(Event.objects.filter(pk__in=[made.pk for made in self.events])):
            coming = list(each.registrations.filter(state__in=COMING).select_related("user__dating_profile"))
            holders = {one.pk for one in coming if one.state in WITH_PLACE}
            waiting = [one for one in coming if one.state == "waiting"]
            if each.step in BEFORE:
                for one in waiting:
                    # Of two pools, each has its own order and half of the places.
                    seeks = one.user.dating_profile.seeks
                    alike = [
                        holder.registered_at
                        for holder in coming
                        if holder.pk in holders
                        and (not each.two_pools or holder.user.dating_profile.seeks == seeks)
                    ]
                    assert each.places is not None
                    is_half = each.two_pools and seeks != "anyone" and len(alike) >= each.places / 2
                    assert len(holders) >= each.places or is_half
                    assert all(registered_at < one.registered_at for registered_at in alike)
                for one in coming:
                    if each.two_pools and each.places and one.pk in holders - self.holders[which]:
                        seeks = one.user.dating_profile.seeks
                        same = [it.user.dating_profile.seeks == seeks for it in coming if it.pk in holders]
                        assert seeks == "anyone" or sum(same) <= (each.places + 1) // 2
                if each.places is not None and len(holders) > each.places:
                    assert holders <= self.holders[which]
            else:
                assert not waiting
            self.holders[which] = holders

    @invariant()
    def nobody_is_left_out_for_a_place_that_is_empty(self) -> None:
        left_out = Registration.objects.filter(left_out="no_place")
        held = Event.objects.exclude(step=Step.SKIPPED)
        for each in held.filter(registrations__in=left_out).distinct():
            had_a_place = each.registrations.filter(group__isnull=False)
            in_vain = each.registrations.filter(left_out="no_partner")
            # Whoever was deleted since has left no row.
            assert each.places is not None
            assert had_a_place.count() + in_vain.count() + len(self.gone) >= each.places

    @invariant()
    def nobody_is_in_two_places_or_meets_anybody_twice(self) -> None:
        planned = Registration.objects.filter(
            group__isnull=False, state="confirmed", event__step__in=(Step.CLOSED, Step.READY_CHECK)
        ).select_related("event")
        seen: dict[Any, Event] = {}
        for each in planned:
            other = seen.setdefault(each.user_id, each.event)
            if other != each.event:
                first, second = sorted((other, each.event), key=lambda one: one.starts_at)
                assert first.starts_at + longest(first) <= second.starts_at
        pairs = [frozenset(pair) for pair in Date.objects.values_list("first", "second")]
        assert len(pairs) == len(set(pairs))
        seats = list(Seat.objects.values_list("round", "registration"))
        assert len(seats) == len(set(seats))
        dates = Date.objects.select_related("first", "second")
        assert all(each.first.group_id == each.second.group_id == each.group_id for each in dates)

    @invariant()
    def who_is_gone_has_no_part(self) -> None:
        accounts = [self.people[number].pk for number in self.gone]
        theirs = Registration.objects.filter(user__in=accounts, state__in=COMING)
        assert not theirs.exclude(event__step__in=OVER).exists()


@pytest.mark.slow
@pytest.mark.django_db
def test_whatever_happens_each_evening_ends_and_everybody_knows_where_they_are() -> None:
    run_state_machine_as_test(
        Evenings,
        settings=settings(
            max_examples=15,
            stateful_step_count=12,
            deadline=None,
            derandomize=True,
            # Twelve steps can be read as they are; making them fewer would take minutes.
            phases=[Phase.generate],
            suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large],
        ),
    )
