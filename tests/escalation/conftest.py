"""Escalations against local providers: start, fast-forward, expect this call and that text message."""

import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from pytest_django import Settings
from rest_framework.response import Response
from rest_framework.test import APIClient

from escalation.models import EscalationProcess
from escalation.services import ending
from notifications.engine.sender import Sender
from notifications.models import Delivery
from tests.clock import Clock
from tests.servers.smtp import MailServer
from tests.servers.third_party import ThirdParty
from tests.servers.twilio import Twilio

PHONE, OTHER_PHONE = "+3851111111", "+33612345678"


class StoppedClock:
    """A clock that stands still until it is moved."""

    def __init__(self) -> None:
        self.now = datetime(2026, 1, 31, 10, tzinfo=UTC)

    def __call__(self) -> datetime:
        return self.now

    def forward(self, seconds: float) -> None:
        self.now += timedelta(seconds=seconds)


class Bells:
    """Everything that can ring, and a clock to wait by."""

    def __init__(
        self,
        client: APIClient,
        sender: Sender,
        clock: Clock,
        twilio: Twilio,
        mail: MailServer,
        hooks: ThirdParty,
    ) -> None:
        self.client, self.sender, self.clock = client, sender, clock
        self.twilio, self.mail, self.hooks = twilio, mail, hooks

    def post(self, body: Any) -> Response:
        return self.client.post("/api/v1/escalations/", body)

    def start(self, process_id: str, *notifications: dict[str, Any]) -> Response:
        return self.post({"process-id": process_id, "action": "start", "notifications": list(notifications)})

    def stop(self, process_id: str) -> Response:
        return self.post({"process-id": process_id, "action": "stop"})

    def forward(self, seconds: float) -> None:
        """Let so much time pass, send what is due by then, and do what the sweep does."""
        self.clock.forward(seconds)
        assert self.sender.drain(20)
        ending.look(self.clock())

    def call(self, in_s: float, number: str = PHONE) -> dict[str, Any]:
        return {"channel": "phone", "at": time.time() + in_s, "phone-number": number}

    def text(self, in_s: float, number: str = PHONE) -> dict[str, Any]:
        return {"channel": "sms", "at": time.time() + in_s, "phone-number": number}

    def email(self, in_s: float, address: str = "me@example.org") -> dict[str, Any]:
        return {"channel": "email", "at": time.time() + in_s, "email": address}

    def hook(self, in_s: float, path: str = "/orders") -> dict[str, Any]:
        return {"channel": "webhook", "at": time.time() + in_s, "url": self.hooks.origin + path}

    @property
    def calls(self) -> list[str]:
        return [call.to for call in self.twilio.calls]

    @property
    def texts(self) -> list[str]:
        return [message.to for message in self.twilio.messages]

    @property
    def mails(self) -> list[str]:
        return [address for mail in self.mail.mails for address in mail.recipients]

    @property
    def hooked(self) -> list[str]:
        return [request.path for request in self.hooks.requests]

    def state(self, process_id: str) -> str:
        return EscalationProcess.objects.filter(process_id=process_id).latest("started_at").state


@pytest.fixture
def hooks(settings: Settings) -> Iterator[ThirdParty]:
    settings.WEBHOOK_ALLOWED_NETWORKS = ["127.0.0.0/8"]
    with ThirdParty() as server:
        yield server


@pytest.fixture
def mail(settings: Settings) -> Iterator[MailServer]:
    with MailServer() as server:
        settings.SMTP_HOST, settings.SMTP_PORT, settings.SMTP_SECURITY = server.host, server.port, "none"
        yield server


@pytest.fixture
def stopped_clock() -> StoppedClock:
    return StoppedClock()


@pytest.fixture
def run_sender(transactional_db: None) -> Iterator[Callable[..., Sender]]:
    running: list[Sender] = []

    def run(by: Callable[[], datetime]) -> Sender:
        sender = Sender(clock=by)
        sender.start()
        running.append(sender)
        return sender

    yield run
    for sender in running:
        sender.stop()


@pytest.fixture
def bells(
    run_sender: Callable[..., Sender],
    as_machine: Callable[..., APIClient],
    clock: Clock,
    twilio: Twilio,
    mail: MailServer,
    hooks: ThirdParty,
) -> Bells:
    client = as_machine("escalations:write", "escalations:read")
    return Bells(client, run_sender(clock), clock, twilio, mail, hooks)


def statuses(process_id: str) -> list[str]:
    """The states of the deliveries of all runs of a process, in the order of their numbers."""
    runs = EscalationProcess.objects.filter(process_id=process_id).order_by("started_at")
    found: list[str] = []
    for run in runs:
        deliveries = Delivery.objects.filter(notification__source_id=str(run.pk)).select_related(
            "notification"
        )
        numbered = sorted(deliveries, key=lambda each: each.notification.data["number"])
        found += [each.status for each in numbered]
    return found
