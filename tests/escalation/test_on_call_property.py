"""Whoever is on call then is rung, and no process ends silently by accident: in any order of what happens.

The model knows the turns, what was asked for, and what time it is. The product is the real thing on
PostgreSQL: its looks run as the sweep runs them, and the machine marks what is due as sent or as failed.
Workers die: whatever the product does may end after any statement that writes or commits, and another worker
does it then.
"""

import logging
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from datetime import time, timedelta
from functools import partial
from typing import Any
from uuid import UUID

import psycopg
import pytest
from django.core.exceptions import PermissionDenied, ValidationError
from django.db import transaction
from django.db.models import F, Q
from django.test import TestCase
from hypothesis import HealthCheck, settings
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
from accounts.services.users import user_update
from config.rest.exceptions import Conflict
from escalation.models import CoverRequest, EscalationProcess, Schedule, ScheduleOverride
from escalation.policies.definition import Definition, Step, Target
from escalation.policies.selectors import version_named
from escalation.schedules.hours import WEEKDAYS, Restriction
from escalation.services import ending, last_resorts, resuming, rounds
from escalation.services.covers import cover_accept, cover_ask, cover_decline, cover_withdraw
from escalation.services.policies import planned, policy_create
from escalation.services.processes import process_acknowledge, process_start, process_stop
from escalation.services.schedules import (
    LayerSaid,
    override_create,
    override_remove,
    schedule_create,
    schedule_update,
)
from notifications.models import Delivery, Outgoing
from tests.escalation.on_call_model import (
    EVERY,
    HOLDS,
    HOURS,
    LEASE,
    NOON,
    ROUNDS,
    SHIFT,
    STEPS_S,
    Asked,
    Model,
    Run,
    Span,
    StandIn,
)
from tests.factories import ContactPointFactory, UserFactory

IS_RESORT = Q(notification__data__has_key="last_resort")
IS_OF_ESCALATION = Q(notification__source_type=EscalationProcess.SOURCE)
EVENING = Restriction(WEEKDAYS, time(HOURS.start), time(HOURS.stop))

# How statements begin; what is committed here is a savepoint of the machine's transaction.
COMMITS = ("RELEASE",)
WRITES = (*COMMITS, "INSERT", "UPDATE", "DELETE", "WITH")

DEADLY = st.sampled_from([COMMITS, WRITES])

WHO = st.integers(0, 2)
IN_S = st.sampled_from([0, 100, 600, 3000])
FOR_S = st.sampled_from([1, 100, 600, 2000])


class Died(BaseException):
    """A worker was killed."""


class Errors(logging.Handler):
    """Counts the errors about processes that ended by themselves."""

    def __init__(self) -> None:
        super().__init__(logging.ERROR)
        self.of: Counter[str] = Counter()

    def emit(self, record: logging.LogRecord) -> None:
        said = record.msg
        if isinstance(said, dict) and said["event"] in ("escalation_unanswered", "escalation_reached_nobody"):
            self.of[said["process"]] += 1


class OnCall(RuleBasedStateMachine):
    def __init__(self) -> None:
        super().__init__()
        self._rollback = ExitStack()
        self._rollback.enter_context(transaction.atomic())
        self.errors = Errors()
        logging.getLogger().addHandler(self.errors)
        self.writes_left, self.writes = 0, COMMITS
        self.deaths = 0
        people = [UserFactory() for _ in range(3)]
        for number, person in enumerate(people):
            ContactPointFactory(user=person, channel="phone", address=f"+3361234567{number}")
        self.now = NOON
        self.model = Model([person.pk for person in people])
        self.schedule, _ = schedule_create(name="Hours", layers=said(self.model.layers))
        on_call = Target("schedule", self.schedule.pk, channels=("phone",))
        definition = Definition(
            steps=tuple(Step(after_s, (on_call,)) for after_s in STEPS_S),
            repeats=ROUNDS - 1,
            repeat_every_s=int(EVERY.total_seconds()),
            acknowledge_timeout_s=int(HOLDS.total_seconds()),
            last_resort=(Target("address", address="+33612345679", channels=("sms",)),),
        )
        policy_create(name="Nights", definition=definition)

    def teardown(self) -> None:
        logging.getLogger().removeHandler(self.errors)
        transaction.set_rollback(True)
        self._rollback.close()

    # --- Escalations ------------------------------------------------------------------------------------

    @initialize()
    def begin(self) -> None:
        self.start()

    @rule()
    def start(self) -> None:
        def act() -> None:
            version = version_named("Nights")
            plan = planned(version, started_at=self.now, process_id="order")
            process_start(process_id="order", now=self.now, policy_version=version, **plan._asdict())

        self._do(act)
        self.model.start(self.now)

    @rule(is_stop=st.booleans())
    def act(self, is_stop: bool) -> None:
        if is_stop:
            self._do(partial(process_stop, process_id="order", by="Ana", now=self.now))
            self.model.stop()
        elif process := EscalationProcess.objects.order_by("started_at", "pk").last():
            self._do(partial(process_acknowledge, process=process, by="Ana", via="api", now=self.now))
            self.model.acknowledge(self.now)

    # --- The schedule -----------------------------------------------------------------------------------

    @rule(who=WHO, in_s=IN_S, for_s=FOR_S)
    def stand_in(self, who: int, in_s: int, for_s: int) -> None:
        one = StandIn(self.model.people[who], self._span(in_s, for_s))
        since, until = one.span
        self._do(
            partial(
                override_create, schedule=self.schedule, user_id=one.person, starts_at=since, ends_at=until
            )
        )
        self.model.stand_in(one)

    @precondition(lambda self: self.model.stand_ins)
    @rule(data=st.data())
    def stand_in_no_more(self, data: st.DataObject) -> None:
        number = data.draw(st.integers(0, len(self.model.stand_ins) - 1))
        pk = ScheduleOverride.objects.order_by("pk").values_list("pk", flat=True)[number]

        def act() -> None:
            for override in ScheduleOverride.objects.filter(pk=pk):
                override_remove(override=override)

        self._do(act)
        del self.model.stand_ins[number]

    @rule(order=st.permutations(range(3)), count=st.integers(1, 3), upper=st.none() | WHO)
    def layers_change(self, order: list[int], count: int, upper: int | None) -> None:
        people = self.model.people
        layers = [[people[who] for who in order[:count]], *([[people[upper]]] if upper is not None else [])]
        # Whoever is locked out may be all that a layer has.
        self._do(lambda: schedule_update(schedule=self._schedule(), layers=said(layers), may_have_holes=True))
        self.model.change_layers(layers)

    @rule(who=WHO, is_locked_out=st.booleans())
    def somebody_is_locked_out_or_let_in(self, who: int, is_locked_out: bool) -> None:
        person = self.model.people[who]
        self._do(lambda: user_update(user=User.objects.get(pk=person), is_active=not is_locked_out))
        if is_locked_out:
            self.model.lock_out(person)
        else:
            self.model.locked_out.discard(person)

    # --- Covers and swaps -------------------------------------------------------------------------------

    @rule(in_s=IN_S, for_s=FOR_S, of=WHO, in_h=st.integers(0, 2))
    def whoever_is_on_call_asks(self, in_s: int, for_s: int, of: int, in_h: int) -> None:
        """One of the others, or all of them, for nothing; or whoever is on call in some hours, as a swap."""
        span = self._span(in_s, for_s)
        back = self._span(in_h * 3600 + in_s, for_s) if in_h else None
        by, asked = self.model.on_call(span.since), [*self.model.people[:2], None][of]
        if back:
            asked = self.model.on_call(back.since)
        if by is None or (back and asked is None):
            return
        since, until = back or (None, None)
        self._do(
            lambda: cover_ask(
                schedule=self._schedule(), by=User.objects.get(pk=by), now=self.now, asked_id=asked,
                starts_at=span.since, ends_at=span.until, return_starts_at=since, return_ends_at=until,
            )
        )  # fmt: skip
        self.model.ask(Asked(by, asked, span, back), self.now)

    @rule(in_s=IN_S, for_s=FOR_S, of=WHO, in_h=st.integers(0, 2), other=st.none() | WHO, who=st.none() | WHO)
    def they_ask_and_somebody_accepts(
        self, in_s: int, for_s: int, of: int, in_h: int, other: int | None, who: int | None
    ) -> None:
        """At once; another one may have been told to stand in meanwhile."""
        self.whoever_is_on_call_asks(in_s, for_s, of, in_h)
        if other is not None:
            self.stand_in(other, in_s, for_s)
        if self.model.asked:
            self.somebody_accepts(ago=0, who=who)

    @precondition(lambda self: self.model.asked)
    @rule(ago=st.integers(0, 2), who=st.none() | WHO)
    def somebody_accepts(self, ago: int, who: int | None) -> None:
        """Whoever was asked, or anybody."""
        asked = self.model.asked[-1 - ago % len(self.model.asked)]
        anybody = next(person for person in self.model.people if person != asked.by)
        by = (asked.of or anybody) if who is None else self.model.people[who]
        self._answer(asked, by, cover_accept, self.model.accept)

    @precondition(lambda self: self.model.asked)
    @rule(ago=st.integers(0, 2), who=WHO, is_decline=st.booleans())
    def somebody_declines_or_withdraws(self, ago: int, who: int, is_decline: bool) -> None:
        asked = self.model.asked[-1 - ago % len(self.model.asked)]
        if is_decline:
            self._answer(asked, self.model.people[who], cover_decline, self.model.decline)
        else:
            self._answer(asked, self.model.people[who], cover_withdraw, self.model.withdraw)

    def _answer(
        self, asked: Asked, by: UUID, service: Callable[..., object], model: Callable[..., None]
    ) -> None:
        if by in self.model.locked_out:  # and can't log in
            return
        pk = CoverRequest.objects.order_by("pk").values_list("pk", flat=True)[self.model.asked.index(asked)]
        self._do(
            lambda: service(request=CoverRequest.objects.get(pk=pk), by=User.objects.get(pk=by), now=self.now)
        )
        model(asked, by, self.now)

    # --- Time and death ---------------------------------------------------------------------------------

    @rule(times=st.lists(st.sampled_from([1, 30, 60, 298, 300, 900, 2500]), min_size=1, max_size=6))
    def time_passes(self, times: list[int]) -> None:
        for seconds in times:
            self._jump(seconds, sender="is heard")

    @rule(seconds=st.sampled_from([1, 60, 300, 900]), count=st.integers(1, 4))
    def nobody_hears(self, seconds: int, count: int) -> None:
        for _ in range(count):
            self._jump(seconds, sender="is not heard")

    @rule(seconds=st.sampled_from([1, 60, 300]))
    def a_sender_dies(self, seconds: int) -> None:
        """Between taking what is due and storing what became of it."""
        self._jump(seconds, sender="dies")

    @rule(count=st.integers(1, 8), is_heard=st.booleans(), writes=st.integers(0, 4), of=DEADLY)
    def what_is_next_happens(self, count: int, is_heard: bool, writes: int, of: tuple[str, ...]) -> None:
        """One thing after the other; the worker of the last may die of it."""
        for number in range(1, count + 1):
            if number == count:
                self.a_worker_is_going_to_die(writes, of)
            next_at = self.model.next_at(self.now)
            self._jump(
                int((next_at - self.now).total_seconds()), sender="is heard" if is_heard else "is not heard"
            )

    @rule(writes=st.integers(1, 8), of=DEADLY)
    def a_worker_is_going_to_die(self, writes: int, of: tuple[str, ...]) -> None:
        self.writes_left, self.writes = writes, of

    # --- How --------------------------------------------------------------------------------------------

    def _schedule(self) -> Schedule:
        return Schedule.objects.get(pk=self.schedule.pk)

    def _span(self, in_s: int, for_s: int) -> Span:
        since = self.now + timedelta(seconds=in_s)
        return Span(since, since + timedelta(seconds=for_s))

    def _jump(self, seconds: int, *, sender: str) -> None:
        """Let so much time pass in which nobody looked, and do what the sweep does."""
        self.now += timedelta(seconds=seconds)
        self._do(partial(rounds.look, self.now))
        self._send(sender)
        for look in (ending.look, last_resorts.look, resuming.look):
            self._do(partial(look, self.now))
        self.model.time_is(self.now, sender=sender)

    def _send(self, sender: str) -> None:
        """Leave the rows as a sender does: those of one that died are free again after its lease."""
        free = Outgoing.objects.filter(due_at__lte=self.now).exclude(lease_until__gte=self.now)
        stopped = free.filter(revoked_at__isnull=False)
        became = {"status": "sent"} if sender == "is heard" else {"status": "failed", "reason": "exhausted"}
        ends = [(stopped, {"status": "cancelled", "reason": "revoked_lost"}), (free, became)]
        if sender == "dies":
            calls = Delivery.objects.filter(IS_OF_ESCALATION).exclude(IS_RESORT)
            taken = free.filter(revoked_at=None, delivery__in=calls.values("pk"))
            taken.update(lease_until=self.now + LEASE, attempts=F("attempts") + 1)
        for outgoing, became in ends:
            ended = list(outgoing.values_list("pk", flat=True))
            Delivery.objects.filter(pk__in=ended).update(**became)
            Outgoing.objects.filter(pk__in=ended).delete()

    def _do(self, act: Callable[[], object]) -> None:
        """Have a worker do something; where it dies of it, another one does it then.

        What was to be done after its commit is lost with it, such as what it would have put into Redis.
        """
        with suppress(ValidationError, PermissionDenied, Conflict):  # what was stored says so
            if self.writes_left:
                try:
                    with self._mortal(), TestCase.captureOnCommitCallbacks() as later:
                        act()
                except Died:
                    self.deaths += 1
                else:
                    for callback in later:
                        callback()
                    return
            with TestCase.captureOnCommitCallbacks(execute=True):
                act()

    @contextmanager
    def _mortal(self) -> Iterator[None]:
        execute = psycopg.Cursor.execute

        def executed(*args: Any, **kwargs: Any) -> Any:
            result = execute(*args, **kwargs)
            if self.writes_left and str(args[1]).lstrip().startswith(self.writes):
                self.writes_left -= 1
                if not self.writes_left:
                    raise Died
            return result

        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(psycopg.Cursor, "execute", executed)
            yield

    # --- What holds -------------------------------------------------------------------------------------

    @invariant()
    def each_ring_is_one_of_the_models(self) -> None:
        calls = Delivery.objects.filter(IS_OF_ESCALATION).exclude(IS_RESORT | Q(status="cancelled"))
        rung = Counter(calls.values_list("due_at", "user_id"))
        assert rung == Counter((ring.at, ring.person) for run in self.model.runs for ring in run.rings)

    @invariant()
    def processes_are_in_the_states_of_the_model(self) -> None:
        for process, run in self._runs():
            assert (process.state, process.next_round_at) == (run.state, run.next_at)
            assert process.resume_at == run.resume_at

    @invariant()
    def each_ends_silently_only_by_somebodys_act_or_with_its_error(self) -> None:
        for process, run in self._runs():
            # A worker that dies over it may have said it already.
            assert 0 <= self.errors.of[str(process.pk)] - run.errors <= self.deaths
            if not process.is_active:
                assert process.ended_by == "Ana" or run.errors

    @invariant()
    def its_last_resort_is_told_once(self) -> None:
        for process, run in self._runs():
            told = Delivery.objects.filter(IS_RESORT, notification__source_id=str(process.pk)).count()
            assert told == (run.resort in ("being told", "over"))

    @invariant()
    def people_stand_in_only_where_it_was_said_or_accepted(self) -> None:
        overrides = ScheduleOverride.objects.order_by("pk")
        assert [
            StandIn(one.user_id, Span(one.starts_at, one.ends_at), one.instead_of_id) for one in overrides
        ] == self.model.stand_ins
        states = CoverRequest.objects.order_by("pk").values_list("state", flat=True)
        assert list(states) == [asked.state for asked in self.model.asked]

    def _runs(self) -> list[tuple[EscalationProcess, Run]]:
        processes = EscalationProcess.objects.order_by("started_at", "pk")
        return list(zip(processes, self.model.runs, strict=True))


def said(layers: list[list[UUID]]) -> list[LayerSaid]:
    """Layers of the model as the product is told them."""
    day, hour = NOON.date(), NOON.time()
    shift_h = SHIFT // timedelta(hours=1)
    return [
        LayerSaid("UTC", day, hour, shift_h, tuple(people), restrictions=(EVENING,) if upper else ())
        for upper, people in enumerate(layers)
    ]


@pytest.mark.slow
@pytest.mark.django_db
def test_whoever_is_on_call_then_is_rung_and_nothing_ends_silently_by_accident() -> None:
    run_state_machine_as_test(
        OnCall,
        settings=settings(
            max_examples=30,
            stateful_step_count=30,
            deadline=None,
            suppress_health_check=list(HealthCheck),
        ),
    )
