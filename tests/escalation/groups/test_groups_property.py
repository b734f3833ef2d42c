"""Triggers, resolves, silences, snoozes, time and crashes in any order, against a model of a few lines."""

from contextlib import ExitStack, suppress
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

import pytest
from django.db import transaction
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule, run_state_machine_as_test

from escalation.groups import audit, ringing
from escalation.groups.ending import group_acknowledge, group_resolve, group_snooze
from escalation.groups.silencing import silence_cancel, silence_create
from escalation.groups.taking import occurrences_take
from escalation.intake.occurrence import Act, Occurrence
from escalation.models import AlertGroup, Integration, Silence
from escalation.services import last_resorts, rounds
from escalation.services.ending import processes_finish
from notifications.audited import Asked
from notifications.models import Delivery, Outgoing
from tests.escalation.groups.conftest import NOON, policy_for
from tests.factories import ContactPointFactory, UserFactory

KEYS = ("disk", "cpu", "net", "db", "web", "mail", "dns", "cache")
KEY = st.sampled_from(KEYS)


class Killed(BaseException):
    """The process dies."""


@dataclass
class Known:
    """What the model knows of a key: whether it is wrong, and whether somebody has it."""

    is_open: bool = False
    is_taken: bool = False


class Groups(RuleBasedStateMachine):
    def __init__(self) -> None:
        super().__init__()
        self._rollback = ExitStack()
        self._rollback.enter_context(transaction.atomic())
        person = UserFactory()
        ContactPointFactory(user=person, created_at=NOON - timedelta(days=1))
        policy = policy_for(person, repeats=2, repeat_every_s=600)
        self.integration = Integration.objects.create(name="Prometheus", format="generic", policy=policy)
        self.now = NOON
        self.known = {key: Known() for key in KEYS}

    def teardown(self) -> None:
        try:
            self._nothing_is_forgotten()
        finally:
            transaction.set_rollback(True)
            self._rollback.close()

    def say(self, *occurrences: Occurrence) -> None:
        occurrences_take(integration=self.integration, occurrences=occurrences, now=self.now)

    def open_group(self, key: str) -> AlertGroup | None:
        return AlertGroup.objects.filter(key=key).exclude(state="resolved").first()

    # --- What happens -----------------------------------------------------------------------------------

    @rule(keys=st.lists(KEY, min_size=1, max_size=8))
    def trigger(self, keys: list[str]) -> None:
        self.say(*map(Occurrence, keys))
        for key in keys:
            known = self.known[key]
            known.is_taken = known.is_open and known.is_taken
            known.is_open = True

    @rule(keys=st.lists(KEY, min_size=1, max_size=3))
    def resolve(self, keys: list[str]) -> None:
        self.say(*(Occurrence(key, Act.RESOLVE) for key in keys))
        for key in keys:
            self.known[key] = Known()

    @rule(key=KEY)
    def acknowledge(self, key: str) -> None:
        self.say(Occurrence(key, Act.ACKNOWLEDGE, by="Ana"))
        self.known[key].is_taken = self.known[key].is_open

    @rule(key=KEY, how=st.sampled_from(["take", "close", "snooze"]), minutes=st.integers(1, 40))
    def act(self, key: str, how: str, minutes: int) -> None:
        group = self.open_group(key)
        if group is None:
            return
        by: dict[str, Any] = {"group": group, "by": "Ana", "via": "web", "now": self.now}
        match how:
            case "take":
                assert group_acknowledge(**by)
                self.known[key].is_taken = True
            case "close":
                assert group_resolve(**by)
                self.known[key] = Known()
            case _:
                assert group_snooze(**by, until=self.now + timedelta(minutes=minutes))
                self.known[key].is_taken = False

    @rule(key=KEY, minutes=st.integers(1, 40))
    def silence(self, key: str, minutes: int) -> None:
        silence_create(
            reason="works",
            matchers=[{"label": "key", "op": "=", "value": key}],
            starts_at=self.now,
            ends_at=self.now + timedelta(minutes=minutes),
            now=self.now,
        )

    @rule()
    def end_a_silence(self) -> None:
        if silence := Silence.objects.filter(cancelled_at=None).order_by("pk").first():
            silence_cancel(silence=silence, now=self.now)

    @rule(seconds=st.sampled_from([1, 5, 30, 300, 3000]))
    def wait(self, seconds: int) -> None:
        self.now += timedelta(seconds=seconds)
        ringing.look(self.now)
        rounds.look(self.now)
        self._send_what_is_due()
        processes_finish(self.now)
        last_resorts.look(self.now)
        assert not [gap for each in audit.look(Asked(now=self.now, limit=1)) for gap in each.gaps]

    @rule(survives=st.integers(0, 2))
    def die_while_telling(self, survives: int) -> None:
        """The worker dies between two groups; what it had begun is undone."""
        ring, left = ringing._ring, [survives]

        def dying(*given: Any) -> None:
            if not left[0]:
                raise Killed
            left[0] -= 1
            ring(*given)

        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(ringing, "_ring", dying)
            with suppress(Killed):
                ringing.look(self.now)

    @rule(key=KEY, act=st.sampled_from([Act.TRIGGER, Act.RESOLVE]))
    def die_while_taking(self, key: str, act: Act) -> None:
        try:
            with transaction.atomic():
                self.say(Occurrence(key, act))
                raise Killed
        except Killed:
            pass

    def _send_what_is_due(self) -> None:
        due = Outgoing.objects.filter(due_at__lte=self.now).values("delivery_id")
        Delivery.objects.filter(pk__in=due).update(status="sent")
        Outgoing.objects.filter(delivery__status="sent").delete()

    # --- What holds -------------------------------------------------------------------------------------

    @invariant()
    def what_is_wrong_is_open_and_nothing_else(self) -> None:
        groups = AlertGroup.objects.filter(is_storm=False).exclude(state="resolved")
        assert sorted(groups.values_list("key", flat=True)) == sorted(
            key for key, known in self.known.items() if known.is_open
        )

    @invariant()
    def nothing_is_sent_any_more_of_what_is_closed_taken_or_silenced(self) -> None:
        quiet = AlertGroup.objects.filter(process__isnull=False).exclude(state="open", quiet="")
        sources = [str(pk) for pk in quiet.values_list("process", flat=True)]
        waiting = Delivery.objects.filter(notification__source_id__in=sources, status="pending")
        assert not waiting.exists()

    def _nothing_is_forgotten(self) -> None:
        """Whatever held them back, and however often a worker died: in the end each open one was told."""
        for _ in range(6):
            self.now += timedelta(hours=2)
            ringing.look(self.now)
            self._send_what_is_due()
        for key, known in self.known.items():
            if not known.is_open or known.is_taken:
                continue
            group = AlertGroup.objects.select_related("storm").get(
                key=key, state__in=["open", "acknowledged"]
            )
            told = group.storm if group.quiet == "storm" else group
            assert told is not None
            assert told.process is not None, f"{key} is {group.quiet or 'open'} and was never told"
            assert group.quiet in ("", "storm"), f"{key} is {group.quiet} after all this time"


@pytest.mark.slow
@pytest.mark.django_db
def test_no_call_begins_after_a_resolve_or_silence_and_nothing_open_is_forgotten() -> None:
    run_state_machine_as_test(
        Groups,
        settings=settings(
            max_examples=60,
            stateful_step_count=25,
            deadline=None,
            suppress_health_check=list(HealthCheck),
        ),
    )
