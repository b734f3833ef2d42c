"""Consumer and publisher at a real RabbitMQ, with a client by pika."""

import bz2
import codecs
import gzip
import json
import lzma
import uuid
import zlib
from collections import Counter
from collections.abc import Callable
from contextlib import AbstractContextManager
from datetime import UTC, datetime
from decimal import Decimal

import orjson
import pytest
from django.db import transaction
from pytest_django import Settings

from accounts.models import Student, User
from notifications.brokers import failures, formats, sources
from notifications.brokers.amqp import AmqpIntake
from notifications.brokers.consumer import Consumer
from notifications.brokers.dead_letters import dead_message_replay
from notifications.brokers.formats import Format
from notifications.brokers.intake import Delivered
from notifications.brokers.messages import Answer, Malformed, Message
from notifications.brokers.publisher import PublisherLoop
from notifications.events.outbox import event_publish
from notifications.models import DeadMessage, Event, MessageFailure, OutgoingMessage
from tests.notifications.brokers.conftest import Client, Raw, at_work, eventually
from tests.notifications.brokers.odd import ODD

pytestmark = [pytest.mark.slow, pytest.mark.django_db(transaction=True)]

#: RabbitMQ counts redeliveries in these; in the last one since 4.3.
BY_THE_BROKER = ("x-delivery-count", "x-redelivered-count", "x-acquired-count")

Running = Callable[[], AbstractContextManager[None]]


def person(**fields: object) -> dict[str, object]:
    user_id = str(uuid.uuid4())
    return {
        "user_id": user_id,
        "email": f"{user_id}@example.com",
        "first_name": "John",
        "last_name": "Doe",
        "role": "student",
        **fields,
    }


def test_a_user_of_another_service_gets_an_account_and_the_message_is_acknowledged(
    client: Client, consuming: Running
) -> None:
    ana = person()
    client.publish(ana)
    with consuming():
        eventually(lambda: Event.objects.filter(routing_key="auth.user.created").exists())
    user = User.objects.get(pk=ana["user_id"])
    assert (user.email, user.role, user.has_usable_password()) == (ana["email"], "student", False)
    assert client.waiting() == 0


def test_what_came_from_the_exchange_does_not_go_out_again(
    client: Client, consuming: Running, publishing: Running
) -> None:
    heard = client.listen("#")
    client.publish(person())
    assert eventually(lambda: client.get(heard))
    with consuming():
        eventually(lambda: Event.objects.exists())
    assert not OutgoingMessage.objects.exists()
    event_publish(routing_key="test.mine", payload={"n": 1})
    with publishing():
        method, properties, body = eventually(lambda: client.get(heard))
    event = Event.objects.get(routing_key="test.mine")
    assert method.routing_key == "test.mine"
    assert (properties.message_id, properties.delivery_mode) == (str(event.pk), 2)
    assert orjson.loads(body)["_meta"]["event_id"] == str(event.pk)
    assert client.get(heard) is None


def test_the_products_own_event_that_comes_back_changes_nothing(
    client: Client, consuming: Running, publishing: Running
) -> None:
    event_publish(routing_key="test.mine", payload={"n": 1.0})
    with publishing(), consuming():
        eventually(lambda: not OutgoingMessage.objects.exists())
        client.publish({"n": 2}, key="test.last")
        eventually(lambda: Event.objects.filter(routing_key="test.last").exists())
    assert Event.objects.filter(routing_key="test.mine").count() == 1
    assert not DeadMessage.objects.exists()


def test_events_go_out_in_their_order_and_never_when_undone(client: Client, publishing: Running) -> None:
    heard = client.listen("test.#")
    for number in range(700):
        event_publish(routing_key="test.numbered", payload={"n": number})
    with transaction.atomic():
        event_publish(routing_key="test.undone", payload={})
        transaction.set_rollback(True)
    with publishing():
        got = [orjson.loads(eventually(lambda: client.get(heard))[2])["payload"]["n"] for _ in range(700)]
        eventually(lambda: not OutgoingMessage.objects.exists())
    assert got == list(range(700))
    assert client.get(heard) is None


HUGE = b'{"a":"' + b"x" * 3_000_000 + b'"}'
TOO_MUCH = {
    "bytes": (HUGE, None),
    "values": (b"[" + b"[]," * 300_000 + b"[]]", None),
    "depth": (b"[" * 900_000, None),
    "a number of 5,000 digits": (b'{"user_id":' + b"9" * 5_000 + b"}", None),
    "gzip": (zlib.compress(bytes(200_000_000), 1), "gzip"),
    "bzip2": (bz2.compress(bytes(20_000_000)), "bzip2"),
    "lzma": (lzma.compress(bytes(20_000_000)), "lzma"),
}


@pytest.mark.parametrize("name", TOO_MUCH)
def test_a_message_that_holds_too_much_is_a_dead_letter_of_which_little_was_read(
    client: Client, consuming: Running, name: str
) -> None:
    body, compression = TOO_MUCH[name]
    ana = person()
    client.publish(body, headers={"compression": compression} if compression else None)
    client.publish(ana)
    with consuming():
        eventually(lambda: User.objects.filter(pk=ana["user_id"]).exists())
        eventually(lambda: DeadMessage.objects.exists())
    assert DeadMessage.objects.get().size <= 1_000_001
    assert client.waiting() == 0


def test_a_compressed_message_within_bounds_is_read(client: Client, consuming: Running) -> None:
    ana = person()
    client.publish(zlib.compress(orjson.dumps(ana)), headers={"compression": "gzip"})
    with consuming():
        eventually(lambda: User.objects.filter(pk=ana["user_id"]).exists())


ENCODED: dict[str, Callable[[bytes], bytes]] = {
    "gzip": gzip.compress,
    "x-gzip": gzip.compress,
    "GZIP": lambda body: gzip.compress(body[:20]) + gzip.compress(body[20:]),
    "deflate": zlib.compress,
    "UTF-8": bytes,
    "utf8": bytes,
    "binary": bytes,
    "identity": codecs.BOM_UTF8.__add__,
    "utf-16": lambda body: body.decode().encode("utf-16"),
    "iso-8859-1": lambda body: body.decode().encode("latin-1"),
    "punycode": bytes,  # of Python's codecs, one that takes for ever
    "no-such-thing": bytes,
}


def test_a_message_is_read_whatever_its_content_encoding(client: Client, consuming: Running) -> None:
    people = {encoding: person(first_name="Zoé") for encoding in ENCODED}
    for encoding, encoded in ENCODED.items():
        body = encoded(json.dumps(people[encoding], ensure_ascii=False).encode())
        client.publish(body, content_encoding=encoding, content_type="application/octet-stream")
    with consuming():
        eventually(lambda: Event.objects.count() + DeadMessage.objects.count() >= len(ENCODED))
    told = {str(pk) for pk in User.objects.filter(first_name="Zoé").values_list("pk", flat=True)}
    assert [encoding for encoding, each in people.items() if each["user_id"] not in told] == []


def test_what_says_gzip_and_can_not_be_opened_is_a_dead_letter(client: Client, consuming: Running) -> None:
    whole = gzip.compress(orjson.dumps(person()))
    bodies = {
        "cut": (whole[:-9], "gzip"),
        "said by nobody": (whole, "utf-8"),
        "many members": (gzip.compress(b"") * 40_000, "gzip"),
        "a bomb": (gzip.compress(bytes(100_000_000), 1), "gzip"),
        "punycode": (b"a-" + b"9" * 900_000, "punycode"),
    }
    for body, encoding in bodies.values():
        client.publish(body, content_encoding=encoding)
    ana = person()
    client.publish(ana)
    with consuming():
        eventually(lambda: User.objects.filter(pk=ana["user_id"]).exists())
        eventually(lambda: DeadMessage.objects.count() == len(bodies))
    reasons = sorted(DeadMessage.objects.values_list("reason", flat=True))
    assert [("gzip" in reason) for reason in reasons].count(True) == 3
    assert client.waiting() == 0


def test_a_malformed_message_is_a_dead_letter_and_its_neighbours_take_effect(
    client: Client, consuming: Running
) -> None:
    client.publish(person())
    client.publish(b"{not json", key="auth.user.created", headers={"n": 7, "text": "x"})
    client.publish(person())
    with consuming():
        eventually(lambda: User.objects.count() == 2 and DeadMessage.objects.exists())
    dead = DeadMessage.objects.get()
    assert bytes(dead.body) == b"{not json"
    assert (dead.source, dead.attempts, dead.routing_key) == ("events", 1, "auth.user.created")
    assert dead.headers == {"n": 7, "text": "x"}
    assert "Expected JSON" in dead.reason
    assert client.waiting() == 0


class Flaky:
    """A format whose effects fail as often as they are told to; remembers what it did."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.done: list[str] = []
        self.failures: dict[str, int] = {}

    def translate(self, message: Message) -> str:
        text = message.body.decode()
        if text.startswith("malformed"):
            raise Malformed("It is malformed.", answers=[self.answer("refused", text)])
        return text

    def answer(self, what: str, text: str) -> Answer:
        return Answer(routing_key="nobody", body={what: text})

    def apply(self, commands: list[str]) -> list[Answer]:
        for text in commands:
            if self.failures.get(text, 0) > 0:
                self.failures[text] -= 1
                raise RuntimeError(f"{text} fails")
        self.done += commands
        return [self.answer("done", text) for text in commands]


@pytest.fixture
def flaky(client: Client, settings: Settings) -> Flaky:
    format_ = Flaky(f"flaky-{uuid.uuid4().hex[:8]}")
    formats.register(Format(format_.name, format_.translate, format_.apply))
    settings.SOURCES["events"]["format"] = format_.name
    return format_


def test_one_that_fails_is_tried_again_and_harms_no_neighbour(client: Client, flaky: Flaky) -> None:
    flaky.failures = {"b": 3}
    for text in "abc":
        client.publish(text.encode())
    with at_work(Consumer(sources.get("events"))):
        eventually(lambda: len(flaky.done) == 3)
        eventually(lambda: not MessageFailure.objects.filter(attempts=0).exists())
    assert sorted(flaky.done) == ["a", "b", "c"]
    assert flaky.done[-1] == "b"
    assert client.waiting() == 0
    assert not DeadMessage.objects.exists()


def test_one_that_always_fails_becomes_a_dead_letter(
    client: Client, flaky: Flaky, settings: Settings
) -> None:
    settings.MESSAGE_ATTEMPTS = 3
    flaky.failures = {"poison": 99}
    for text in ("poison", "good"):
        client.publish(text.encode())
    with at_work(Consumer(sources.get("events"))):
        dead = eventually(lambda: DeadMessage.objects.first())
        eventually(lambda: flaky.done == ["good"])
    assert (dead.attempts, dead.reason) == (3, "RuntimeError: poison fails")
    assert client.waiting() == 0
    assert not MessageFailure.objects.exists()


def test_the_answer_to_a_dead_letter_that_is_replayed_has_its_headers_with_their_types(
    client: Client, publishing: Running, settings: Settings
) -> None:
    name, refuses = f"echo-{uuid.uuid4().hex[:8]}", True

    def apply(messages: list[Message]) -> list[Answer]:
        if refuses:
            raise Malformed("It is malformed.")
        return [Answer(routing_key=name, body={}, headers=message.headers) for message in messages]

    formats.register(Format(name, lambda message: message, apply))
    settings.SOURCES["events"]["format"] = name
    client.channel.queue_declare(name, durable=True)
    headers = {
        "price": Decimal("1.50"),
        "sent": datetime(2026, 2, 6, 19, tzinfo=UTC),
        "raw": b"\x00\xff",
        "number": 7,
    }
    client.publish(b"x", headers=headers)
    with at_work(Consumer(sources.get("events"))):
        dead = eventually(lambda: DeadMessage.objects.first())
    refuses = False
    assert dead_message_replay(dead).state == "replayed"
    with publishing():
        _, properties, _ = eventually(lambda: client.get(name))
    assert properties.headers == headers
    client.channel.queue_delete(name)


def test_a_stop_gives_back_what_is_held(client: Client, flaky: Flaky, settings: Settings) -> None:
    settings.MESSAGE_RETRY_WAIT_S = 30
    flaky.failures = {"slow": 99}
    client.publish(b"slow")
    with at_work(Consumer(sources.get("events"))):
        eventually(lambda: MessageFailure.objects.filter(attempts=1).exists())
        assert client.waiting() == 0
    eventually(lambda: client.waiting() == 1)


def test_answers_are_stored_with_the_effect_and_published_once_the_broker_is_there(
    client: Client, flaky: Flaky, publishing: Running
) -> None:
    for text in ("a", "malformed 1"):
        client.publish(text.encode())
    queue = client.channel.queue_declare("nobody", durable=True).method.queue
    with at_work(Consumer(sources.get("events"))):
        eventually(lambda: OutgoingMessage.objects.count() == 2)
    with publishing():
        bodies = [orjson.loads(eventually(lambda: client.get(queue))[2]) for _ in range(2)]
    assert bodies == [{"done": "a"}, {"refused": "malformed 1"}]


def test_a_queue_that_was_made_otherwise_is_taken_as_it_is(client: Client, consuming: Running) -> None:
    client.channel.queue_delete(client.queue)
    client.channel.queue_declare(client.queue, durable=False, arguments={"x-max-length": 1000})
    client.channel.queue_bind(client.queue, client.exchange, "#")
    client.publish(person())
    with consuming():
        eventually(lambda: User.objects.count() == 1)
    assert Student.objects.count() == 0  # its handler runs in a worker


def test_of_two_publishers_one_works_so_that_the_order_is_kept(client: Client) -> None:
    heard = client.listen("test.#")
    with at_work(PublisherLoop()), at_work(PublisherLoop()):
        for number in range(300):
            event_publish(routing_key="test.numbered", payload={"n": number})
        got = [orjson.loads(eventually(lambda: client.get(heard))[2])["payload"]["n"] for _ in range(300)]
        eventually(lambda: not OutgoingMessage.objects.exists())
    assert got == list(range(300))
    assert client.get(heard) is None


def test_a_consumer_whose_queue_is_deleted_comes_back(client: Client, flaky: Flaky) -> None:
    consumer = Consumer(sources.get("events"))
    client.publish(b"first")
    with at_work(consumer):
        eventually(lambda: flaky.done == ["first"])
        client.channel.queue_delete(client.queue)
        client.channel.queue_declare(client.queue, durable=True)
        client.channel.queue_bind(client.queue, client.exchange, "#")
        client.publish(b"second")
        eventually(lambda: flaky.done == ["first", "second"])


def test_odd_headers_properties_and_keys_stop_neither_their_message_nor_the_next(
    client: Client, consuming: Running
) -> None:
    publish = client.channel.basic_publish
    for name, properties in ODD.items():
        publish(client.exchange, "test.odd", orjson.dumps({"name": name}), Raw(properties))
        publish(client.exchange, "test.odd", b'{"payload": []}', Raw(properties))
    publish(client.exchange, b"test.\xe9t\xe9", b'{"name": "key in Latin-1"}')
    client.publish({"name": "next"}, key="test.next")
    with consuming():
        eventually(lambda: Event.objects.filter(routing_key="test.next").exists())
        eventually(lambda: Event.objects.count() + DeadMessage.objects.count() == 2 * len(ODD) + 2)
    names = Event.objects.filter(routing_key="test.odd").values_list("payload__name", flat=True)
    assert sorted(names) == sorted(ODD)
    reasons = Counter(DeadMessage.objects.values_list("reason", flat=True))
    assert reasons.pop("Expected a JSON object in payload.") == len(ODD)
    assert [reason.partition(":")[0] for reason in reasons] == ["routing_key"]
    assert client.waiting() == 0


def test_headers_that_the_broker_adds_tell_no_redelivery_from_the_first(client: Client) -> None:
    for number in (1, 2):
        client.publish(b"same", headers=dict.fromkeys(BY_THE_BROKER, number) | {"mine": 1})
    intake = AmqpIntake(sources.get("events"))
    intake.connect()
    try:
        keys = {failures.key_of(each.message) for each in taken(intake, 2)}
    finally:
        intake.close()
    assert len(keys) == 1


def test_what_had_arrived_on_a_connection_that_broke_is_taken_once_on_the_next(client: Client) -> None:
    for number in range(3):
        client.publish(str(number).encode())
    intake = AmqpIntake(sources.get("events"))
    intake.connect()
    try:
        taken(intake, 1)
        eventually(lambda: client.waiting() == 0)
        for _ in range(10):  # reads on, so that the others have arrived here too
            intake.keep([])
        intake.close()
        eventually(lambda: client.waiting() == 3)
        intake.connect()
        again = taken(intake, 3)
        intake.acknowledge(again)
        assert [each.message.body for each in again] == [b"0", b"1", b"2"]
        assert all(each.message.redelivered for each in again)
        assert intake.take(most=1, timeout_s=0.1) == []
    finally:
        intake.close()
    assert client.waiting() == 0


def taken(intake: AmqpIntake, count: int) -> list[Delivered]:
    found: list[Delivered] = []

    def enough() -> bool:
        found.extend(intake.take(most=count, timeout_s=0.1))
        return len(found) >= count

    eventually(enough)
    return found
