"""Integrations of each format, a policy that tells a person, and ways to send to them."""

import hashlib
import hmac
import json
from collections.abc import Callable
from typing import Any

import pytest
from django.http import HttpResponse
from django.test import Client

from accounts.models import User
from escalation.models import Integration, Policy
from escalation.policies.definition import Definition
from escalation.policies.parsing import steps_of
from escalation.services.policies import policy_create
from tests.factories import ContactPointFactory

Make = Callable[..., Integration]


@pytest.fixture
def policy(owner: User) -> Policy:
    """Tells the owner at once."""
    ContactPointFactory(user=owner)
    steps = steps_of([{"after_s": 0, "targets": [{"type": "user", "user_id": str(owner.pk)}]}])
    return policy_create(name="On call", definition=Definition(steps=steps))[0]


@pytest.fixture
def integration(policy: Policy) -> Make:
    def make(format_: str, **fields: Any) -> Integration:
        return Integration.objects.create(**{"name": format_, "format": format_, "policy": policy, **fields})

    return make


class Sender:
    """Something that posts here, and gets whatever a client would get."""

    def __init__(self) -> None:
        self.client = Client(raise_request_exception=False)

    def send(self, path: str, body: Any, method: str = "POST", **headers: str) -> HttpResponse:
        raw = body if isinstance(body, bytes) else json.dumps(body).encode()
        kind = headers.pop("content_type", "application/json")
        return self.client.generic(
            method,
            path,
            raw,
            content_type=kind,
            headers={name.replace("_", "-"): value for name, value in headers.items()},
        )


@pytest.fixture
def sender() -> Sender:
    return Sender()


def alert(name: str, status: str = "firing", **more: Any) -> dict[str, Any]:
    """One alert as Alertmanager and Grafana send it."""
    labels = {"alertname": name, "severity": "critical"}
    return {
        "status": status,
        "labels": labels,
        "annotations": {"summary": f"{name} is wrong"},
        "startsAt": "2026-01-31T10:00:00Z",
        "endsAt": "0001-01-01T00:00:00Z",
        "generatorURL": "http://prometheus.example.com/graph?g0.expr=up",
        "fingerprint": hashlib.sha256(name.encode()).hexdigest()[:16],
        **more,
    }


def body_of(*alerts: dict[str, Any]) -> dict[str, Any]:
    """A body of version 4."""
    is_firing = any(each["status"] == "firing" for each in alerts)
    return {
        "version": "4",
        "groupKey": "{}:{}",
        "truncatedAlerts": 0,
        "status": "firing" if is_firing else "resolved",
        "receiver": "tocsin",
        "groupLabels": {},
        "commonLabels": {},
        "commonAnnotations": {},
        "externalURL": "http://alertmanager.example.com",
        "alerts": list(alerts),
    }


def signature_of(raw: bytes, secret: str) -> str:
    return hmac.new(secret.encode(), raw, hashlib.sha256).hexdigest()
