"""Whoever is on call then is rung, and no process ends silently by accident: in any order of what happens.

The model knows the turns, what was asked for, and what time it is. The product is the real thing on
PostgreSQL: its looks run as the sweep runs them, and the machine marks what is due as sent or as failed.
"""

import logging
from collections import Counter
from contextlib import ExitStack
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Final
from uuid import UUID

import pytest
from django.db import transaction
from django.db.models import Q
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule, run_state_machine_as_test

from escalation.models import EscalationProcess
from escalation.policies.definition import Definition, Step, Target
from escalation.policies.selectors import version_named
from escalation.services import ending, last_resorts, resuming, rounds
from escalation.services.policies import planned, policy_create
from escalation.services.processes import process_acknowledge, process_start, process_stop
from escalation.services.rotations import rotation_create
from escalation.services.schedules import override_create
from notifications.models import Delivery, Outgoing
from tests.factories import ContactPointFactory, UserFactory

NOON: Final = datetime(2026, 3, 2, 12, tzinfo=UTC)
STEPS_S: Final = (0, 60)
ROUNDS: Final = 3
EVERY: Final = timedelta(seconds=300)
HOLDS: Final = timedelta(seconds=900)
AHEAD: Final = timedelta(seconds=2)
IS_RESORT: Final = Q(notification__data__has_key="last_resort")


@dataclass
class Ring:
    """A call to one person: not made yet, heard, or lost."""

    at: datetime
    person: UUID
    is_made: bool = False
    is_heard: bool = False


@dataclass
class Run:
    """A process as the model sees it; ``resort`` is told, and over one look later."""

    state: str = "active"
    round: int = 1
    next_at: datetime | None = None
    resume_at: datetime | None = None
    acknowledged_at: datetime | None = None
    rings: list[Ring] = field(default_factory=list)
    resort: str = "not told"
    errors: int = 0

    @property
    def ran_out(self) -> bool:
        return self.state in ("unanswered", "reached_nobody")

    def begin(self, number: int, at: datetime, model: "Model") -> None:
        self.round, self.next_at = number, at + EVERY if number < ROUNDS else None
        for after_s in STEPS_S:
            due = at + timedelta(seconds=after_s)
            self.rings.append(Ring(due, model.on_call(due)))

    def end(self, state: str) -> None:
        self.state, self.next_at, self.resume_at = state, None, None
        self.rings = [ring for ring in self.rings if ring.is_made]
        self.resort = "over" if self.resort == "being told" else self.resort

    def run_out(self) -> None:
        since = self.acknowledged_at
        heard = any(ring.is_heard and (since is None or ring.at > since) for ring in self.rings)
        self.state, self.errors = "unanswered" if heard else "reached_nobody", self.errors + 1
        self.resort = "being told" if self.resort == "not told" else self.resort


class Model:
    """What the product promises, in a few lines."""

    def __init__(self, people: list[UUID]) -> None:
        self.people = people
        self.stand_ins: list[tuple[UUID, datetime, datetime]] = []
        self.runs: list[Run] = []

    def on_call(self, at: datetime) -> UUID:
        for person, since, until in reversed(self.stand_ins):
            if since <= at < until:
                return person
        return self.people[(at - NOON) // timedelta(hours=1) % len(self.people)]

    def start(self, now: datetime) -> None:
        if any(run.state == "active" for run in self.runs):
            return
        for run in self.runs:
            run.resume_at = None
        self.runs.append(Run())
        self.runs[-1].begin(1, now, self)

    def acknowledge(self, now: datetime) -> None:
        run = self.runs[-1]
        if run.state == "active" or run.ran_out:
            run.end("acknowledged")
        elif run.resume_at is None:
            return
        run.acknowledged_at, run.resume_at = now, now + HOLDS

    def stop(self) -> None:
        for run in self.runs:
            if run.state == "active" or run.resume_at or (run.ran_out and run.resort == "being told"):
                run.end("stopped")

    def time_is(self, now: datetime, *, is_heard: bool) -> None:
        for run in self.runs:
            if run.resort == "being told":
                run.resort = "over"
            if run.next_at is not None and run.next_at <= now + AHEAD:
                run.begin(run.round + 1, max(run.next_at, now), self)
            for ring in run.rings:
                if not ring.is_made and ring.at <= now:
                    ring.is_made, ring.is_heard = True, is_heard
            if run.state == "active" and run.next_at is None and all(ring.is_made for ring in run.rings):
                run.run_out()
            if run.resume_at is not None and run.resume_at <= now:
                run.state, run.resume_at = "active", None
                run.begin(run.round, now, self)


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
        people = [UserFactory(), UserFactory()]
        for number, person in enumerate(people):
            ContactPointFactory(user=person, channel="phone", address=f"+3361234567{number}")
        self.rotation, _ = rotation_create(
            name="Hours",
            kind="custom",
            shift_h=1,
            time_zone="UTC",
            starts_on=NOON.date(),
            handoff_at=NOON.time(),
            members=[person.pk for person in people],
        )
        on_call = Target("rotation", self.rotation.pk, channels=("phone",))
        definition = Definition(
            steps=tuple(Step(after_s, (on_call,)) for after_s in STEPS_S),
            repeats=ROUNDS - 1,
            repeat_every_s=int(EVERY.total_seconds()),
            acknowledge_timeout_s=int(HOLDS.total_seconds()),
            last_resort=(Target("address", address="+33612345679", channels=("sms",)),),
        )
        policy_create(name="Nights", definition=definition)
        self.now = NOON
        self.model = Model([person.pk for person in people])

    def teardown(self) -> None:
        logging.getLogger().removeHandler(self.errors)
        transaction.set_rollback(True)
        self._rollback.close()

    # --- What happens -----------------------------------------------------------------------------------

    @rule()
    def start(self) -> None:
        version = version_named("Nights")
        plan = planned(version, started_at=self.now, process_id="order")
        process_start(process_id="order", now=self.now, policy_version=version, **plan._asdict())
        self.model.start(self.now)

    @rule(is_stop=st.booleans())
    def act(self, is_stop: bool) -> None:
        if is_stop:
            process_stop(process_id="order", by="Ana", now=self.now)
            self.model.stop()
        elif process := EscalationProcess.objects.order_by("started_at", "pk").last():
            process_acknowledge(process=process, by="Ana", via="api", now=self.now)
            self.model.acknowledge(self.now)

    @rule(whom=st.integers(0, 1), in_s=st.integers(0, 600), for_s=st.integers(1, 2000))
    def stand_in(self, whom: int, in_s: int, for_s: int) -> None:
        since = self.now + timedelta(seconds=in_s)
        until = since + timedelta(seconds=for_s)
        person = self.model.people[whom]
        override_create(schedule=self.rotation, user_id=person, starts_at=since, ends_at=until)
        self.model.stand_ins.append((person, since, until))

    @rule(times=st.lists(st.sampled_from([1, 30, 60, 298, 300, 900, 4000]), min_size=1, max_size=6))
    def time_passes(self, times: list[int]) -> None:
        for seconds in times:
            self._jump(seconds, is_heard=True)

    @rule(seconds=st.sampled_from([1, 60, 300, 900]), count=st.integers(1, 4))
    def nobody_hears(self, seconds: int, count: int) -> None:
        for _ in range(count):
            self._jump(seconds, is_heard=False)

    def _jump(self, seconds: int, *, is_heard: bool) -> None:
        """Let so much time pass in which nobody looked, and do what the sweep does."""
        self.now += timedelta(seconds=seconds)
        rounds.look(self.now)
        due = list(Outgoing.objects.filter(due_at__lte=self.now).values_list("pk", flat=True))
        became = {"status": "sent"} if is_heard else {"status": "failed", "reason": "exhausted"}
        Delivery.objects.filter(pk__in=due).update(**became)
        Outgoing.objects.filter(pk__in=due).delete()
        ending.look(self.now)
        last_resorts.look(self.now)
        resuming.look(self.now)
        self.model.time_is(self.now, is_heard=is_heard)

    # --- What holds -------------------------------------------------------------------------------------

    @invariant()
    def each_ring_is_one_of_the_models(self) -> None:
        calls = Delivery.objects.exclude(IS_RESORT | Q(status="cancelled"))
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
            assert self.errors.of[str(process.pk)] == run.errors
            if not process.is_active:
                assert process.ended_by == "Ana" or run.errors

    @invariant()
    def its_last_resort_is_told_once(self) -> None:
        for process, run in self._runs():
            told = Delivery.objects.filter(IS_RESORT, notification__source_id=str(process.pk)).count()
            assert told == (run.resort != "not told")

    def _runs(self) -> list[tuple[EscalationProcess, Run]]:
        processes = EscalationProcess.objects.order_by("started_at", "pk")
        return list(zip(processes, self.model.runs, strict=True))


@pytest.mark.slow
@pytest.mark.django_db
def test_whoever_is_on_call_then_is_rung_and_nothing_ends_silently_by_accident() -> None:
    run_state_machine_as_test(
        OnCall,
        settings=settings(
            max_examples=50,
            stateful_step_count=20,
            deadline=None,
            suppress_health_check=list(HealthCheck),
        ),
    )
