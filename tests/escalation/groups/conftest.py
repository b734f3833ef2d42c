"""An integration whose policy rings somebody, and what it reports, by a clock that the tests hold."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from escalation.groups import ringing
from escalation.groups.taking import Made, occurrences_take
from escalation.intake.occurrence import Act, Occurrence
from escalation.models import AlertGroup, EscalationProcess, Integration, Policy
from escalation.policies.definition import Definition
from escalation.policies.parsing import steps_of
from escalation.services.policies import policy_create
from tests.factories import ContactPointFactory, UserFactory

NOON = datetime(2026, 3, 2, 12, tzinfo=UTC)


def policy_for(*people: Any, name: str = "Night shift", **more: Any) -> Policy:
    """A policy that tells these people at once, and again two minutes later."""
    targets = [{"type": "user", "user_id": str(person.pk), "channels": []} for person in people]
    steps = steps_of([{"after_s": 0, "targets": targets}, {"after_s": 120, "targets": targets}])
    policy, _ = policy_create(name=name, definition=Definition(steps=steps, **more))
    return policy


class Monitoring:
    """What posts to an integration, and Tocsin's second hand."""

    def __init__(self, integration: Integration) -> None:
        self.integration = integration
        self.now = NOON

    def say(self, *occurrences: Occurrence) -> list[Made]:
        return occurrences_take(integration=self.integration, occurrences=occurrences, now=self.now)

    def trigger(self, key: str, **more: Any) -> Made:
        return self.say(Occurrence(key, title=more.pop("title", key.title()), **more))[0]

    def resolve(self, key: str, **more: Any) -> Made:
        return self.say(Occurrence(key, Act.RESOLVE, **more))[0]

    def later(self, **time: float) -> None:
        """Let time pass, and the sweep look."""
        self.now += timedelta(**time)
        ringing.look(self.now)

    def group(self, key: str) -> AlertGroup:
        """The latest of a key."""
        return AlertGroup.objects.filter(key=key).select_related("process").order_by("-opened_at", "-pk")[0]


@pytest.fixture
def guard(db: None) -> Any:
    """Who is rung."""
    person = UserFactory()
    ContactPointFactory(user=person, created_at=NOON - timedelta(days=1))
    return person


@pytest.fixture
def monitoring(guard: Any) -> Iterator[Monitoring]:
    integration = Integration.objects.create(
        name="Prometheus", format=Integration.Format.ALERTMANAGER, policy=policy_for(guard)
    )
    return Monitoring(integration)


def ringing_now() -> list[str]:
    """The processes that are active, without the number behind their names."""
    active = EscalationProcess.objects.filter(state="active").order_by("started_at", "pk")
    return [each.process_id.rpartition(" #")[0] for each in active]
