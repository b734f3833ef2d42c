"""Nothing that a client puts into a message ends a consumer or the publisher, or stops what is behind it."""

import contextlib
import random
import uuid
from collections.abc import Iterator
from struct import pack
from typing import Any

import orjson
import pika
import pytest
from amqp.serialization import decode_properties_basic
from amqp.spec import Basic
from django.db import connection
from hypothesis import given
from hypothesis import strategies as st
from pytest_django import Settings

from escalation.models import EscalationProcess
from notifications.brokers import frames, sources
from notifications.brokers.amqp import _given
from notifications.brokers.consumer import Consumer
from notifications.brokers.publisher import PublisherLoop
from notifications.models import Event, OutgoingMessage
from tests.notifications.brokers.conftest import Raw, at_work, eventually
from tests.notifications.brokers.odd import ODD, header, long, short
from tracing.models import Case, Device

HEAD = pack(">HHQ", Basic.CLASS_ID, 0, 8)
SIZES = {b"V": 0, b"t": 1, b"b": 1, b"B": 1, b"U": 2, b"u": 2, b"s": 2, b"I": 4, b"i": 4, b"f": 4, b"D": 5}
SIZES |= {b"l": 8, b"L": 8, b"d": 8, b"T": 8}
ROUNDS = 60

scalars = st.sampled_from(sorted(SIZES)).flatmap(
    lambda letter: st.binary(min_size=SIZES[letter], max_size=SIZES[letter]).map(lambda value: letter + value)
)
texts = st.tuples(st.sampled_from([b"S", b"x"]), st.binary(max_size=40)).map(
    lambda each: each[0] + long(each[1])
)
names = st.one_of(
    st.sampled_from([b"user_id", b"chat_id", b"event_id", b"compression"]), st.binary(max_size=255)
)


def tables(values: st.SearchStrategy[bytes]) -> st.SearchStrategy[bytes]:
    entries = st.lists(st.tuples(names, values).map(lambda each: short(each[0]) + each[1]), max_size=5)
    return entries.map(b"".join)


values = st.recursive(
    scalars | texts,
    lambda inner: st.one_of(
        tables(inner).map(lambda each: b"F" + long(each)),
        st.lists(inner, max_size=5).map(lambda each: b"A" + long(b"".join(each))),
    ),
    max_leaves=20,
)
#: Properties in their order, each with its flag.
SHORT_FLAGS = (0x0400, 0x0200, 0x0100, 0x0080)


@st.composite
def properties(draw: st.DrawFn) -> bytes:
    flags, written = 0, b""
    for flag in (0x8000, 0x4000):
        if draw(st.booleans()):
            flags, written = flags | flag, written + short(draw(st.binary(max_size=60)))
    if draw(st.booleans()):
        flags, written = flags | 0x2000, written + long(draw(tables(values)))
    for flag in (0x1000, 0x0800):
        if draw(st.booleans()):
            flags, written = flags | flag, written + draw(st.binary(min_size=1, max_size=1))
    for flag in SHORT_FLAGS:
        if draw(st.booleans()):
            flags, written = flags | flag, written + short(draw(st.binary(max_size=60)))
    if draw(st.booleans()):
        flags, written = flags | 0x0040, written + draw(st.binary(min_size=8, max_size=8))
    whole = pack(">H", flags | draw(st.sampled_from([0, 0, 0, 1]))) + written
    return whole[: draw(st.integers(0, len(whole)))] if draw(st.booleans()) else whole


@pytest.mark.slow
@given(properties() | st.binary(max_size=200))
def test_whatever_stands_in_properties_can_be_read(written: bytes) -> None:
    found, _ = decode_properties_basic(frames.readable(HEAD + written), len(HEAD))
    table = frames.table_of(HEAD + written)
    given_headers = _given(found.get("application_headers") or {}, table)
    assert orjson.dumps(given_headers)
    assert given_headers.wire in (b"", table) or len(given_headers.wire) < len(table)


class Fuzz:
    """A client that publishes whatever comes to its mind, and begins anew when the broker has had enough."""

    def __init__(self, url: str, exchange: str, chance: random.Random) -> None:
        self.url, self.exchange, self.chance = url, exchange, chance
        self.connection: Any = None
        self.open()

    def close(self) -> None:
        with contextlib.suppress(Exception):  # it may be closed
            self.connection.close()

    def open(self) -> None:
        self.close()
        self.connection = pika.BlockingConnection(pika.URLParameters(self.url))
        self.channel = self.connection.channel()
        self.channel.confirm_delivery()

    def publish(self, key: str, body: bytes, properties: Any = None) -> bool:
        try:
            self.channel.basic_publish(self.exchange, key, body, properties)
        except (pika.exceptions.AMQPError, AssertionError):
            self.open()
            return False
        return True

    def value(self, depth: int = 0) -> bytes:
        chance = self.chance
        letter = chance.choice([*SIZES, b"S", b"x", *([b"F", b"A"] if depth < 4 else [])])
        if letter in SIZES:
            return letter + chance.randbytes(SIZES[letter])
        if letter in (b"S", b"x"):
            return letter + long(
                chance.choice([chance.randbytes(chance.randrange(60)), b"7", b"\\0", b"\\xff"])
            )
        inner = [self.value(depth + 1) for _ in range(chance.randrange(4))]
        if letter == b"F":
            inner = [short(chance.randbytes(chance.randrange(20))) + each for each in inner]
        return letter + long(b"".join(inner))

    def properties(self) -> bytes:
        chance = self.chance
        if chance.random() < 0.2:
            return chance.choice(list(ODD.values()))
        table = b"".join(
            short(chance.choice([b"user_id", b"chat_id", b"event_id", b"compression", chance.randbytes(9)]))
            + self.value()
            for _ in range(chance.randrange(5))
        )
        flags, written = 0x2000, long(table)
        if chance.random() < 0.3:
            encoding = chance.choice([b"gzip", b"utf-16", b"punycode", b"idna", chance.randbytes(5)])
            flags, written = flags | 0x4000, short(encoding) + written
        if chance.random() < 0.3:
            flags, written = flags | 0x0080, written + short(chance.randbytes(20))
        if chance.random() < 0.3:
            flags, written = flags | 0x0040, written + chance.randbytes(8)
        whole = pack(">H", flags) + written
        return whole[: chance.randrange(len(whole))] if chance.random() < 0.1 else whole


BODIES = {
    "events": [b'{"payload": {}, "_meta": {}}', b'{"user_id": "x"}', b'{"payload": {"a": "\\\\u0000"}}'],
    "dating": [b"list_events", b"register_event", b"like_partner", b"cancel_registration"],
    "escalation": [
        b'{"process-id": "a", "action": "stop"}',
        b'{"process-id": 1e999}',
        b'{"action": "start"}',
    ],
    "tracing": [b'{"device_id": 9, "status": 1}', b'{"round": {}}', b'{"recurrent": {"device_ids": [1e99]}}'],
}


@pytest.fixture
def queues(rabbitmq: str, settings: Settings) -> Iterator[str]:
    """A queue of each format on one exchange, by the format's name; returns the exchange's."""
    exchange = f"fuzz-{uuid.uuid4().hex[:8]}"
    settings.DATING_EXCHANGE, settings.DATING_REPLY_QUEUE = exchange, f"{exchange}.replies"
    settings.MESSAGE_RETRY_WAIT_S, settings.MESSAGE_ATTEMPTS = 0.01, 2
    settings.SOURCES = {
        name: {
            "url": rabbitmq,
            "exchange": exchange,
            "exchange_type": "direct",
            "queue": f"{exchange}.{name}",
            "keys": [name],
            "format": name,
            "answers_to": [settings.DATING_REPLY_QUEUE] if name == "dating" else [],
        }
        for name in BODIES
    }
    with pika.BlockingConnection(pika.URLParameters(rabbitmq)) as made:
        channel = made.channel()
        channel.exchange_declare(exchange, "direct", durable=True)
        for name in BODIES:
            channel.queue_declare(f"{exchange}.{name}", durable=True)
            channel.queue_bind(f"{exchange}.{name}", exchange, name)
        yield exchange
        for name in BODIES:
            channel.queue_delete(f"{exchange}.{name}")
        channel.queue_delete(settings.DATING_REPLY_QUEUE)
        channel.exchange_delete(exchange)


@pytest.mark.slow
@pytest.mark.django_db(transaction=True)
def test_what_lies_behind_takes_effect_at_every_queue(queues: str, rabbitmq: str, settings: Settings) -> None:
    Device.objects.create(pk=123)
    seed = random.randrange(2**32)
    fuzz, taken = Fuzz(rabbitmq, queues, random.Random(seed)), 0
    for name, bodies in BODIES.items():
        for _ in range(ROUNDS):
            body = fuzz.chance.choice([*bodies, fuzz.chance.randbytes(40), b""])
            taken += fuzz.publish(name, body, Raw(fuzz.properties()))
    assert taken > ROUNDS, f"with the seed {seed} the broker took nearly nothing"
    good = {
        "events": {"event_type": "test.last", "payload": {"seed": seed}},
        "dating": b"register_event",
        "escalation": {
            "process-id": "last",
            "action": "start",
            "notifications": [{"channel": "email", "at": 4_000_000_000, "email": "a@example.org"}],
        },
        "tracing": {"device_id": 123, "status": 1},
    }
    mine = header(b"user_id", b"I", pack(">i", 7)) + header(b"mine", b"x", long(b"\xff"))
    for name, body in good.items():
        wire = Raw(pack(">H", 0x2000) + long(mine))
        assert fuzz.publish(name, body if isinstance(body, bytes) else orjson.dumps(body), wire)
    with contextlib.ExitStack() as running:
        running.callback(fuzz.close)
        running.enter_context(at_work(PublisherLoop()))
        for name in BODIES:
            running.enter_context(at_work(Consumer(sources.get(name))))
        said = f"with the seed {seed}"
        eventually(Event.objects.filter(routing_key="test.last").exists, said)
        eventually(EscalationProcess.objects.filter(process_id="last").exists, said)
        eventually(Case.objects.filter(device=123).exists, said)
        eventually(lambda: answered(fuzz, settings.DATING_REPLY_QUEUE), said)
        eventually(lambda: not OutgoingMessage.objects.exists(), said)
    connection.close()


def answered(fuzz: Fuzz, queue: str) -> bool:
    """Whether the last command has been answered; pika can't read the headers of some answers to odd ones."""
    found: list[bytes] = []
    stock = pika.BasicProperties.decode

    def note(properties: Any, encoded: bytes, offset: int = 0) -> Any:
        found.append(encoded)
        with contextlib.suppress(Exception):
            stock(properties, encoded, offset)
        return properties

    pika.BasicProperties.decode = note
    try:
        while fuzz.channel.basic_get(queue, auto_ack=True)[0]:
            pass
    finally:
        pika.BasicProperties.decode = stock
    return any(header(b"mine", b"x", long(b"\xff")) in each for each in found)
