"""What becomes of messages, batch by batch: on a real PostgreSQL, without a broker."""

import uuid
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any

import psycopg
import pytest
from django.db import connection
from pytest_django import Settings

from config.rest.exceptions import Conflict
from notifications.brokers import failures, formats, taking
from notifications.brokers.formats import Format
from notifications.brokers.messages import Answer, Malformed, Message
from notifications.brokers.sources import Source
from notifications.brokers.taking import DatabaseAway, Outcome
from notifications.database import connection_parameters
from notifications.models import Alert, DeadMessage, MessageFailure, OutgoingMessage, ReceivedMessage

pytestmark = pytest.mark.django_db
NOW = datetime(2026, 1, 31, 10, tzinfo=UTC)
SOURCE = Source(name="test", url="amqp://nowhere", queue="q", format="test")
FIFO = Source(name="test", url="sqs://", queue="q.fifo", format="test", ordered=True)


def message(text: str, **fields: Any) -> Message:
    return Message(source="test", body=text.encode(), delivered_at=NOW, **fields)


class Effects:
    """A format whose effect is a row; ``fails`` says what each text raises."""

    def __init__(self, **fails: Exception) -> None:
        self.fails = fails
        self.batches: list[list[str]] = []
        self.format = Format("test", self.translate, self.apply)

    def translate(self, given: Message) -> str:
        text = given.body.decode()
        if text == "malformed":
            raise Malformed(
                "It is malformed.", answers=[Answer(routing_key="reply", body={"success": False})]
            )
        return text

    def apply(self, commands: Sequence[str]) -> list[Answer]:
        self.batches.append(list(commands))
        for text in commands:
            ReceivedMessage.objects.get_or_create(source="effect", message_id=text)
            if error := self.fails.get(text):
                raise error
        return [Answer(routing_key="reply", body={"done": text}) for text in commands]

    def take(self, *messages: Message, source: Source = SOURCE) -> list[Outcome]:
        return [each.outcome for each in taking.messages_take(source, self.format, messages, now=NOW)]


def effects() -> list[str]:
    return sorted(ReceivedMessage.objects.values_list("message_id", flat=True))


def test_a_batch_is_one_transaction_with_its_answers() -> None:
    test = Effects()
    assert test.take(message("a"), message("b")) == [Outcome.DONE, Outcome.DONE]
    assert test.batches == [["a", "b"]]
    assert [each.body for each in OutgoingMessage.objects.all()] == [{"done": "a"}, {"done": "b"}]


def test_a_malformed_one_is_kept_with_its_answer_and_the_rest_stays_one_batch() -> None:
    test = Effects()
    assert test.take(message("a"), message("malformed"), message("b")) == [
        Outcome.DONE,
        Outcome.DEAD,
        Outcome.DONE,
    ]
    assert test.batches == [["a", "b"]]
    assert DeadMessage.objects.get().reason == "It is malformed."
    assert {"success": False} in [each.body for each in OutgoingMessage.objects.all()]


@pytest.mark.parametrize("name", sorted({*formats.names()} - {"dating"}))  # which reads no JSON
def test_more_values_than_the_limit_are_a_dead_letter_of_every_format(name: str) -> None:
    """Counted before they are built of what may be a megabyte of empty lists."""
    body = '{"a": [' + "[]," * 200_000 + "[]]}"
    (taken,) = taking.messages_take(SOURCE, formats.get(name), [message(body)], now=NOW)
    assert taken.outcome is Outcome.DEAD
    assert DeadMessage.objects.get().reason == "Expected at most 100000 values."


@pytest.mark.parametrize("error", [Malformed("No."), Conflict("No.")])
def test_what_can_never_take_effect_is_a_dead_letter_at_once_and_undoes_nothing_else(
    error: Exception,
) -> None:
    test = Effects(bad=error)
    assert test.take(*map(message, ("a", "bad", "b"))) == [Outcome.DONE, Outcome.DEAD, Outcome.DONE]
    assert effects() == ["a", "b"]
    assert DeadMessage.objects.get().reason == "No."
    assert OutgoingMessage.objects.count() == 2


def test_one_that_fails_is_tried_again_with_growing_waits_then_dead(settings: Settings) -> None:
    settings.MESSAGE_ATTEMPTS, settings.MESSAGE_RETRY_WAIT_S = 4, 1.0
    test = Effects(bad=RuntimeError("at john@example.com"))
    results = [taking.messages_take(SOURCE, test.format, [message("bad")], now=NOW)[0] for _ in range(4)]
    assert [each.outcome for each in results] == [Outcome.AGAIN] * 3 + [Outcome.DEAD]
    assert [each.wait_s for each in results] == [1.0, 2.0, 4.0, 0.0]
    dead = DeadMessage.objects.get()
    assert (dead.attempts, dead.reason) == (4, "RuntimeError: at …@…")
    assert not MessageFailure.objects.exists()


def test_in_a_group_nothing_passes_one_that_is_tried_again_and_other_groups_go_on() -> None:
    test = Effects(bad=RuntimeError("no"))
    batch = [
        message("a", group="1"),
        message("bad", group="1"),
        message("b", group="1"),
        message("c", group="2"),
    ]
    assert test.take(*batch, source=FIFO) == [Outcome.DONE, Outcome.AGAIN, Outcome.BEHIND, Outcome.DONE]
    assert effects() == ["a", "c"]


def test_a_dead_letter_does_not_block_its_group() -> None:
    test = Effects(bad=Malformed("no"))
    batch = [message("bad", group="1"), message("b", group="1")]
    assert test.take(*batch, source=FIFO) == [Outcome.DEAD, Outcome.DONE]


def test_without_groups_others_pass_it() -> None:
    test = Effects(bad=RuntimeError("no"))
    batch = [message("bad", group="1"), message("b", group="1")]
    assert test.take(*batch) == [Outcome.AGAIN, Outcome.DONE]


def test_what_comes_again_the_first_time_is_one_batch_the_second_time_one_by_one() -> None:
    test = Effects()
    again = [message(text, redelivered=True) for text in "ab"]
    assert failures.suspects("test", again[:1], now=NOW) == set()
    test.take(*again)
    assert test.batches == [["a"], ["b"]]
    test.take(*again, message("c"))
    assert test.batches[2:] == [["a", "b", "c"]], "what was done with is forgotten"


def test_one_that_its_consumers_are_lost_with_becomes_a_dead_letter_and_never_its_neighbours(
    settings: Settings,
) -> None:
    """The consumer is lost in the middle of a message, as by SIGKILL: nothing is committed but the count."""

    class Lost(BaseException):
        pass

    class Deadly(Effects):
        def apply(self, commands: Sequence[str]) -> list[Answer]:
            if "deadly" in commands:
                raise Lost
            return super().apply(commands)

    settings.MESSAGE_ATTEMPTS = 3
    test = Deadly()
    texts = ["a", "deadly", "b"]
    for _ in range(20):
        held = [message(text, redelivered=bool(test.batches) or text == "deadly") for text in texts]
        try:
            test.take(*held)
        except Lost:
            texts = [text for text in texts if text not in effects()]
            held_again = [message(text, redelivered=True) for text in texts]
            failures.suspects("test", held_again, now=NOW)
            continue
        break
    assert effects() == ["a", "b"]
    dead = DeadMessage.objects.get()
    assert (bytes(dead.body), dead.reason) == (b"deadly", taking.CONSUMERS_LOST)


def test_a_dead_letter_is_kept_once_though_its_consumer_was_lost_before_the_acknowledgement() -> None:
    test = Effects()
    test.take(message("malformed"))
    test.take(message("malformed", redelivered=True))
    assert DeadMessage.objects.count() == 1
    test.take(message("malformed"))
    assert DeadMessage.objects.count() == 2, "another message that says the same"


def test_a_large_body_is_cut_and_odd_headers_are_kept_as_text(settings: Settings) -> None:
    settings.MESSAGE_KEPT_BYTES = 10
    headers = {"when": NOW, "raw": b"\xff", "nested": {"a": [1, 2.5, float("nan")]}, "nul": "a\x00b"}
    text = "malformed"
    test = Effects()
    test.take(message(text, headers=headers))
    kept = DeadMessage.objects.get()
    assert not kept.is_cut
    assert kept.headers == {
        "when": NOW.isoformat(), "raw": "/w==", "nested": {"a": [1, 2.5, "nan"]}, "nul": "a\ufffdb",
    }  # fmt: skip
    settings.MESSAGE_KEPT_BYTES = 4
    test.take(message(text, message_id=str(uuid.uuid4())))
    cut = DeadMessage.objects.first()
    assert cut
    assert (bytes(cut.body), cut.size, cut.is_cut) == (b"malf", 9, True)


@pytest.mark.django_db(transaction=True)
def test_while_the_database_is_away_nothing_is_counted() -> None:
    def lose(commands: Sequence[str]) -> list[Answer]:
        """End this connection from another, as a restart of PostgreSQL would."""
        with connection.cursor() as cursor:
            cursor.execute("SELECT pg_backend_pid()")
            (pid,) = cursor.fetchone()
        with psycopg.connect(**connection_parameters()) as other:
            other.execute("SELECT pg_terminate_backend(%s)", [pid])
        Alert.objects.count()
        raise AssertionError("the connection is still there")

    test = Effects()
    lost = Format("test", test.translate, lose)
    with pytest.raises(DatabaseAway):
        taking.messages_take(SOURCE, lost, [message("a")], now=NOW)
    assert not MessageFailure.objects.exists()
    assert test.take(message("a")) == [Outcome.DONE]
