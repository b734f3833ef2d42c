"""A policy that tells one webhook, heartbeats that it tells of, and time that has passed for them."""

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from django.db.models import F

from escalation.heartbeats.changing import heartbeat_create
from escalation.models import Heartbeat, Policy
from escalation.policies.definition import Definition
from escalation.policies.parsing import steps_of
from escalation.services.policies import policy_create

TARGET = {"type": "address", "channel": "webhook", "address": "https://hooks.example.com/bell"}


@pytest.fixture
def policy(db: None) -> Policy:
    definition = Definition(steps_of([{"after_s": 0, "targets": [TARGET]}]))
    return policy_create(name="Night shift", definition=definition)[0]


@pytest.fixture
def make(policy: Policy) -> Callable[..., Heartbeat]:
    """Make a heartbeat that is to come every minute, with ten seconds of grace."""

    def make(name: str = "Back-up", **fields: Any) -> Heartbeat:
        fields = {"policy": policy, "period_s": 60, "grace_s": 10} | fields
        return heartbeat_create(name=name, **fields)[0]

    return make


@pytest.fixture
def heartbeat(make: Callable[..., Heartbeat]) -> Heartbeat:
    return make()


def pass_by(heartbeat: Heartbeat, seconds: float) -> None:
    """Let so much time have passed for a heartbeat: all that it knows is so much older."""
    times = ("last_ping_at", "last_start_at", "expected_at", "due_at")
    by = timedelta(seconds=seconds)
    Heartbeat.objects.filter(pk=heartbeat.pk).update(**{name: F(name) - by for name in times})
    heartbeat.refresh_from_db()
