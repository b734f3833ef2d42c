"""Escalation requests from a queue do what HTTP's do."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import timedelta
from typing import Any

import psycopg
import pytest
from django.core.exceptions import ValidationError
from django.db import connection, transaction
from django.utils.timezone import now

from config.slices import Run
from escalation.brokers import FORMAT
from escalation.models import EscalationProcess
from notifications.brokers import formats
from notifications.brokers.messages import Malformed, Message
from notifications.brokers.retention import received_messages_expire
from notifications.brokers.sources import Source
from notifications.brokers.taking import messages_take
from notifications.models import Delivery, ReceivedMessage
from tests.factories import UserFactory
from tests.samples import message_of, samples


def understood(body: Any, **fields: Any) -> Any:
    return FORMAT.translate(message_of({"body": body}, **fields))


def start_of(process_id: str = "r", **fields: Any) -> dict[str, Any]:
    told = {"channel": "email", "at": (now() + timedelta(hours=1)).timestamp(), "email": "me@example.org"}
    return {"process-id": process_id, "action": "start", "notifications": [told], **fields}


def stop_of(process_id: str = "r") -> dict[str, Any]:
    return {"process-id": process_id, "action": "stop"}


def start(process_id: str = "r", *, message_id: str | None = None) -> Any:
    return understood(start_of(process_id), delivered_at=now(), message_id=message_id)


def stop(process_id: str = "r", *, message_id: str | None = None) -> Any:
    return understood(stop_of(process_id), delivered_at=now(), message_id=message_id)


def states(process_id: str = "") -> list[str]:
    runs = EscalationProcess.objects.order_by("started_at", "pk")
    chosen = runs.filter(process_id=process_id) if process_id else runs
    return list(chosen.values_list("state", flat=True))


@contextmanager
def held_deliveries() -> Iterator[None]:
    """Somebody else holds what is to be sent so far, which a stop has to cancel."""
    with psycopg.connect(**connection.get_connection_params()) as other:
        other.execute("SELECT FROM notifications_delivery FOR UPDATE")
        yield


@pytest.mark.parametrize("sample", samples("escalation"))
def test_samples(sample: dict[str, Any]) -> None:
    message = message_of(sample)
    if "reason" in sample:
        with pytest.raises(Malformed) as malformed:
            FORMAT.translate(message)
        assert sample["reason"] in str(malformed.value)
        return
    command = FORMAT.translate(message)
    expected = {"policy": "", "notifications": [], **sample["command"]}
    assert command.at == message.delivered_at
    assert {
        "process_id": command.request.process_id,
        "action": command.request.action,
        "policy": command.request.policy,
        "notifications": [
            {"channel": each.channel, "at": each.due_at.isoformat(), "address": each.address}
            for each in command.request.notifications
        ],
    } == expected


def test_the_format_is_known_by_its_name() -> None:
    assert formats.get("escalation") is FORMAT


@pytest.mark.slow
@pytest.mark.django_db
def test_starts_and_stops_take_effect_in_their_order() -> None:
    assert FORMAT.apply([start("a"), start("b"), stop("a"), start("a"), stop("b")]) == []
    assert sorted(EscalationProcess.objects.values_list("process_id", "state")) == [
        ("a", "active"),
        ("a", "stopped"),
        ("b", "stopped"),
    ]
    assert set(EscalationProcess.objects.filter(state="stopped").values_list("ended_via")) == {("queue",)}


@pytest.mark.django_db
def test_a_start_of_what_is_active_and_a_stop_of_what_is_not_change_nothing() -> None:
    FORMAT.apply([stop(), start(), start()])
    assert states() == ["active"]
    assert Delivery.objects.count() == 1


@pytest.mark.django_db
def test_what_is_delivered_again_after_it_took_effect_rings_nobody() -> None:
    both = [start(message_id="a"), stop(message_id="b")]
    FORMAT.apply(both)
    FORMAT.apply(both)
    FORMAT.apply([start(message_id="a")])
    assert states() == ["stopped"]
    FORMAT.apply([start(message_id="c"), start(message_id="c")])
    assert states() == ["stopped", "active"]


@pytest.mark.django_db
def test_what_has_failed_may_come_again() -> None:
    nobody = understood({"process-id": "r", "action": "start", "policy": "no-such"}, message_id="b")
    with pytest.raises(ValidationError), transaction.atomic():
        FORMAT.apply([start(message_id="a"), nobody])
    FORMAT.apply([start(message_id="a")])
    assert states() == ["active"]


@pytest.mark.django_db
def test_an_id_is_its_sources_own_and_forgotten_after_all_brokers_have_it() -> None:
    FORMAT.apply([start("a", message_id="1")])
    FORMAT.apply([replace(start("b", message_id="1"), source="other")])
    assert EscalationProcess.objects.count() == 2
    later = now()
    received_messages_expire(Run(now=later + timedelta(days=14)))
    assert ReceivedMessage.objects.count() == 2
    received_messages_expire(Run(now=later + timedelta(days=16)))
    assert not ReceivedMessage.objects.exists()


@pytest.mark.django_db(transaction=True)
def test_what_is_behind_one_that_failed_in_its_group_waits_with_it_and_nobody_else_does() -> None:
    """SQS hands out several of one group at once; moto, in the flow test, never does."""
    FORMAT.apply([start("r")])
    source = Source(name="test", url="sqs://", queue="q.fifo", format="escalation", ordered=True)
    batch = [
        message_of({"body": body}, message_id=str(number), group=body["process-id"], delivered_at=now())
        for number, body in enumerate([stop_of("r"), start_of("r"), start_of("other"), stop_of("r")])
    ]
    with held_deliveries(), connection.cursor() as cursor:
        cursor.execute("SET lock_timeout = '50ms'")
        taken = messages_take(source, FORMAT, batch, now=now())
        cursor.execute("RESET lock_timeout")
    assert [each.outcome.name for each in taken] == ["AGAIN", "BEHIND", "DONE", "BEHIND"]
    again = [message for message, each in zip(batch, taken, strict=True) if each.outcome.name != "DONE"]
    assert {each.outcome.name for each in messages_take(source, FORMAT, again, now=now())} == {"DONE"}
    assert states("r") == ["stopped", "stopped"]
    assert states("other") == ["active"]


@pytest.mark.django_db
def test_a_start_that_names_nobody_is_refused_for_good() -> None:
    nobody = understood(
        {
            "process-id": "r",
            "action": "start",
            "notifications": [
                {"channel": "user", "at": 1, "user-id": "33cbb18c-3e9d-4acc-9667-2fbe7bf29137"}
            ],
        }
    )
    with pytest.raises(ValidationError, match="no such user"):
        FORMAT.apply([nobody])
    policy = understood({"process-id": "r", "action": "start", "policy": "no-such"})
    with pytest.raises(ValidationError, match="no policy"):
        FORMAT.apply([policy])
    assert states() == []


@pytest.mark.django_db
def test_a_person_is_told_by_their_own_contact_points() -> None:
    user = UserFactory()
    told = {"channel": "user", "at": "1555057084", "user-id": str(user.pk)}
    FORMAT.apply([understood({"process-id": "r", "action": "start", "notifications": [told]})])
    assert set(Delivery.objects.values_list("user", flat=True)) == {user.pk}


def test_a_body_that_is_too_large_is_refused() -> None:
    with pytest.raises(Malformed, match="at most"):
        FORMAT.translate(Message(source="test", body=b" " * 1_000_001, delivered_at=now()))
