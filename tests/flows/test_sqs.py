"""SQS, by a client like the originals' (boto3): escalation requests in order, and marks of devices."""

import json
import time
import uuid
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from typing import Any

import psycopg
import pytest
from django.db import connection
from pytest_django import Settings

from escalation.models import EscalationProcess
from notifications.brokers import sources
from notifications.brokers.consumer import Consumer
from notifications.models import DeadMessage, MessageFailure
from tests.notifications.brokers.conftest import at_work, eventually
from tests.servers.sqs import KEYS, REGION, SQS
from tracing.models import Case, Device

pytestmark = [pytest.mark.flow, pytest.mark.django_db(transaction=True)]


@pytest.fixture(scope="module")
def sqs() -> Iterator[SQS]:
    with SQS() as server:
        yield server


@dataclass
class Client:
    """The original's backend: it sends, and never reads."""

    sqs: SQS
    url: str
    name: str

    def send(self, body: Any, *, group: str = "", once: str = "") -> None:
        """Send one message; to a FIFO queue within its group, under an id that is sent once."""
        more: dict[str, str] = {}
        if group:
            more = {"MessageGroupId": group, "MessageDeduplicationId": once or str(uuid.uuid4())}
        text = body if isinstance(body, str) else json.dumps(body)
        self.sqs.client.send_message(QueueUrl=self.url, MessageBody=text, **more)

    def start(self, process: str, *, once: str = "") -> None:
        told = {"channel": "email", "at": str(int(time.time()) + 3600), "email": "me@example.org"}
        body = {"process-id": process, "action": "start", "notifications": [told]}
        self.send(body, group=process, once=once)

    def stop(self, process: str) -> None:
        self.send({"process-id": process, "action": "stop"}, group=process)

    def consuming(self) -> AbstractContextManager[None]:
        return at_work(Consumer(sources.get(self.name)))

    def all_taken(self) -> bool:
        return self.sqs.left(self.url) == 0


@pytest.fixture
def client_of(sqs: SQS, settings: Settings, monkeypatch: pytest.MonkeyPatch) -> Callable[[str, str], Client]:
    """A client of a source's queue, which is the test's own."""

    def build(name: str, suffix: str = "") -> Client:
        queue = f"{name}-{uuid.uuid4().hex[:8]}{suffix}"
        source = {**settings.SOURCES[name], "url": "sqs://", "queue": queue}
        settings.SOURCES = {**settings.SOURCES, name: source}
        return Client(sqs, sqs.queue(queue), name)

    for variable, value in KEYS.items():
        monkeypatch.setenv(variable.upper(), value)
    settings.SQS_REGION, settings.SQS_ENDPOINT_URL = REGION, sqs.url
    settings.MESSAGE_RETRY_WAIT_S = 0.2
    return build


@pytest.fixture
def backend(client_of: Callable[..., Client]) -> Client:
    return client_of("escalation", ".fifo")


def states(process: str) -> list[str]:
    runs = EscalationProcess.objects.filter(process_id=process).order_by("started_at", "id")
    return list(runs.values_list("state", flat=True))


@contextmanager
def impatient() -> Iterator[None]:
    """Whoever connects to the database within ``with`` waits for a lock for a moment only."""
    name = connection.ops.quote_name(connection.settings_dict["NAME"])
    with connection.cursor() as cursor:
        cursor.execute(f"ALTER DATABASE {name} SET lock_timeout = '100ms'")
        try:
            yield
        finally:
            cursor.execute(f"ALTER DATABASE {name} RESET lock_timeout")


@contextmanager
def held(process: str) -> Iterator[Callable[[], None]]:
    """Somebody else holds what a process is to send, which a stop has to cancel, until they let go of it."""
    with psycopg.connect(**connection.get_connection_params()) as other:
        run = EscalationProcess.objects.get(process_id=process)
        other.execute(
            "SELECT FROM notifications_delivery AS delivery JOIN notifications_notification AS told"
            " ON told.id = delivery.notification_id WHERE told.source_id = %s FOR UPDATE OF delivery",
            [str(run.pk)],
        )
        yield other.rollback


def test_starts_and_stops_of_one_group_keep_their_order(backend: Client) -> None:
    for _ in range(8):  # more than SQS hands out at once
        backend.start("restaurant")
        backend.stop("restaurant")
        backend.start("other")
    backend.start("restaurant")
    with backend.consuming():
        eventually(backend.all_taken)
    assert states("restaurant") == ["stopped"] * 8 + ["active"]
    assert states("other") == ["active"]
    assert not DeadMessage.objects.exists()


def test_what_is_sent_twice_under_one_id_takes_effect_once(backend: Client) -> None:
    backend.start("restaurant", once="order-17")
    backend.stop("restaurant")
    backend.start("restaurant", once="order-17")
    with backend.consuming():
        eventually(backend.all_taken)
    assert states("restaurant") == ["stopped"]


def test_a_malformed_one_is_a_dead_letter_and_its_group_goes_on(backend: Client) -> None:
    backend.start("restaurant")
    backend.send('{"process-id": "restaurant", "action": "stop",}', group="restaurant")
    backend.send({"process-id": "restaurant", "action": "start", "policy": "no-such"}, group="restaurant")
    backend.stop("restaurant")
    backend.start("other")
    with backend.consuming():
        eventually(backend.all_taken)
    assert states("restaurant") == ["stopped"]
    assert states("other") == ["active"]
    dead = {each.reason.split(":")[0]: each for each in DeadMessage.objects.all()}
    assert dead.keys() == {"Expected JSON", "policy"}
    assert {(each.source, each.group) for each in dead.values()} == {("escalation", "restaurant")}
    assert bytes(dead["Expected JSON"].body) == b'{"process-id": "restaurant", "action": "stop",}'


def test_after_a_failure_that_passes_a_group_goes_on_where_it_was(backend: Client) -> None:
    """The stop waits for what somebody else holds; the start behind it need not, and must not pass it."""
    backend.start("restaurant")
    with backend.consuming():
        eventually(backend.all_taken)
    with held("restaurant") as release, impatient():
        backend.stop("restaurant")
        backend.start("restaurant")
        backend.start("other")
        with backend.consuming():
            eventually(lambda: states("other") == ["active"])
            backend.start("restaurant")
            eventually(MessageFailure.objects.filter(attempts__gte=2).exists)
            assert states("restaurant") == ["active"]
            release()
            eventually(backend.all_taken)
    assert states("restaurant") == ["stopped", "active"]
    assert not DeadMessage.objects.exists()


def test_marks_of_devices_open_and_close_cases(client_of: Callable[..., Client]) -> None:
    doctors = client_of("tracing")
    Device.objects.bulk_create([Device(pk=number) for number in (123, 124)])
    doctors.send({"device_id": "123", "status": 1})
    doctors.send({"device_id": 999, "status": 9})
    doctors.send({"device_id": 124, "status": 2})
    doctors.send({"round": 2})
    with doctors.consuming():
        eventually(doctors.all_taken)
        assert list(Case.objects.values_list("device", "state")) == [(123, "open")]
        doctors.send({"device_id": 123, "status": 3})
        doctors.send({"recurrent": {"device_ids": [123], "timestamp_min_unix": 1586127477}})
        eventually(doctors.all_taken)
    assert list(Case.objects.values_list("device", "state")) == [(123, "healed")]
    assert Device.objects.get(pk=124).status == Device.Status.SUSPECT
    reasons = sorted(DeadMessage.objects.values_list("reason", flat=True))
    assert [reason.split(":")[0] for reason in reasons] == ["round", "status"]


def test_what_sns_passes_on_is_taken_as_the_message_within(client_of: Callable[..., Client]) -> None:
    doctors = client_of("tracing")
    Device.objects.bulk_create([Device(pk=number) for number in (123, 124)])

    def passed_on(message: Any, **fields: Any) -> dict[str, Any]:
        return {
            "Type": "Notification",
            "MessageId": str(uuid.uuid4()),
            "TopicArn": "arn:aws:sns:eu-west-1:123456789012:marks",
            "Message": message,
            "Timestamp": "2026-01-31T10:00:00.000Z",
            "SignatureVersion": "1",
            **fields,
        }

    marked = passed_on('{"device_id": 123, "status": 1}')
    doctors.send(marked)
    doctors.send(passed_on('{"device_id": 123, "status": 3}'))
    doctors.send(marked)  # SNS passes one on at least once
    doctors.send(passed_on("no JSON"))
    doctors.send(passed_on({"device_id": 124, "status": 1}))
    doctors.send(passed_on('{"device_id": 124, "status": 2}', Type="SubscriptionConfirmation"))
    with doctors.consuming():
        eventually(doctors.all_taken)
    assert list(Case.objects.values_list("device", "state")) == [(123, "healed")]
    assert Device.objects.get(pk=124).status == Device.Status.NORMAL
    assert DeadMessage.objects.count() == 3
    assert b"no JSON" in {bytes(dead.body) for dead in DeadMessage.objects.all()}


def test_a_dead_letter_shows_a_body_as_it_was_sent(client_of: Callable[..., Client]) -> None:
    """Some clients take whatever looks like base64 for that."""
    doctors = client_of("tracing")
    bodies = ["1234", "true", "cGFy", "eyJkZXZpY2VfaWQiOiAxMjMsICJzdGF0dXMiOiAxfQ=="]
    for body in bodies:
        doctors.send(body)
    with doctors.consuming():
        eventually(doctors.all_taken)
    assert sorted(bytes(dead.body).decode() for dead in DeadMessage.objects.all()) == sorted(bodies)
