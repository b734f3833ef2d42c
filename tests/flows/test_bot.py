"""The dating bot, by a client like the original (pika): commands in, answers out, and an evening by it.

Its exchange and queues are of the original's own making: not durable, which the product takes as they are.
"""

import json
import uuid
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from struct import pack
from typing import Any

import pika
import pytest
from pytest_django import Settings
from rest_framework.test import APIClient

from dating.models import Event, Reaction, Registration
from notifications.brokers import sources
from notifications.brokers.consumer import Consumer
from notifications.brokers.publisher import PublisherLoop
from notifications.engine import wake
from notifications.engine.fanout import alerts_fan_out
from notifications.engine.sender import Sender
from notifications.models import DeadMessage, Delivery
from notifications.models import OutgoingMessage as Outgoing
from tests.clock import Clock
from tests.dating.cast import DAY, EIGHT, MINUTE, SECOND, Evening, event
from tests.factories import AlertFactory, MembershipFactory, ShopFactory
from tests.notifications.brokers.conftest import Raw, at_work, eventually
from tests.notifications.brokers.odd import (
    BEFORE_1970,
    MILLISECONDS,
    header,
    long,
    nested,
    timestamp,
    with_headers,
)

pytestmark = [pytest.mark.flow, pytest.mark.django_db(transaction=True)]

ANA, BEN = 77001234, 77005678
Told = tuple[Any, dict[str, Any]]


@dataclass
class Bot:
    """The original's bot: publishes commands, and reads what it is answered and told."""

    channel: Any
    exchange: str
    commands: str
    replies: str
    #: What has come so far, and nobody has asked for yet.
    heard: list[Told] = field(default_factory=list)

    def say(self, body: str, **headers: Any) -> None:
        properties = pika.BasicProperties(headers=headers)
        self.channel.basic_publish(self.exchange, self.commands, body.encode(), properties)

    def ask(self, body: str, user: int, message: int, **headers: Any) -> Any:
        """Send a command; returns the answer, which is known by its headers."""
        sent = {"user_id": user, "chat_id": user, "message_id": message, **headers}
        self.say(body, **sent)
        return eventually(lambda: self._take(lambda _, got: got == sent), f"no answer to {body}")[0]

    def told(self, command: str, user: int) -> Told:
        """Return what the bot is to do for somebody, once it has come, and in which chat."""
        found = eventually(
            lambda: self._take(lambda body, headers: headers["user_id"] == user and _is(command, body)),
            f"{command} was not told to {user}; these were: {self.heard}",
        )
        assert "message_id" not in found[1]
        return found

    def _take_any(self) -> bool:
        """Wait for one more message, whatever it is; its headers are not looked at."""
        return bool(eventually(lambda: self.channel.basic_get(self.replies, auto_ack=True)[0]))

    def _take(self, wanted: Callable[[Any, dict[str, Any]], bool]) -> Told | None:
        method, properties, body = self.channel.basic_get(self.replies, auto_ack=True)
        if method:
            text = body.decode()
            is_json = properties.content_type == "application/json"
            assert properties.message_id
            assert properties.delivery_mode == 2
            self.heard.append((json.loads(text) if is_json else text, properties.headers))
        for place, each in enumerate(self.heard):
            if wanted(*each):
                return self.heard.pop(place)
        return None


def _is(command: str, body: Any) -> bool:
    return body == command or (isinstance(body, dict) and list(body) == [command])


@pytest.fixture
def bot(rabbitmq: str, settings: Settings) -> Iterator[Bot]:
    """A bot with an exchange and queues of its own, and the product at work for it."""
    name = uuid.uuid4().hex[:8]
    settings.DATING_EXCHANGE, settings.DATING_QUEUE = f"chathub_{name}", f"date_maker_{name}"
    settings.DATING_REPLY_QUEUE = f"tg_bot_{name}"
    source = {
        **settings.SOURCES["dating"],
        "url": rabbitmq,
        "exchange": settings.DATING_EXCHANGE,
        "queue": settings.DATING_QUEUE,
        "keys": [settings.DATING_QUEUE],
        "answers_to": [settings.DATING_REPLY_QUEUE],
    }
    settings.SOURCES = {**settings.SOURCES, "dating": source}
    parameters = pika.URLParameters(rabbitmq)
    parameters.heartbeat = 0
    connection = pika.BlockingConnection(parameters)
    channel = connection.channel()
    channel.exchange_declare(settings.DATING_EXCHANGE, "direct", durable=False, auto_delete=True)
    for queue in (settings.DATING_QUEUE, settings.DATING_REPLY_QUEUE):
        channel.queue_declare(queue, durable=False)
        channel.queue_bind(queue, settings.DATING_EXCHANGE, queue)
    with at_work(Consumer(sources.get("dating"))), at_work(PublisherLoop()):
        yield Bot(channel, settings.DATING_EXCHANGE, settings.DATING_QUEUE, settings.DATING_REPLY_QUEUE)
    for queue in (settings.DATING_QUEUE, settings.DATING_REPLY_QUEUE):
        channel.queue_delete(queue)
    connection.close()


@pytest.fixture
def people(bot: Bot, as_machine: Callable[..., APIClient]) -> dict[int, str]:
    """The bot has said who they are; returns their ids by its numbers."""
    client = as_machine("dating:write")
    made = {}
    for number, name in ((ANA, "Ana"), (BEN, "Ben")):
        about = {"first_name": name, "birthday": "1999-05-01"}
        made[number] = client.put(f"/api/v1/dating/bot-accounts/{number}/", about).json()["user_id"]
    return made


@pytest.fixture
def sending(transactional_db: None, monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[[], Clock]]:
    """Start a sender, to which small alerts are handed; returns its clock."""
    clock = Clock()
    sender = Sender(clock=clock)

    def start() -> Clock:
        sender.start()
        monkeypatch.setattr(wake, "sender", sender)
        return clock

    yield start
    sender.stop()


@pytest.fixture
def send_until(transactional_db: None, settings: Settings) -> Iterator[Callable[[datetime], None]]:
    """Have a sender send what is due by a time."""
    # What is due at once is due by the clock of this machine, which that of the evening leaves far behind.
    settings.DELIVERY_MAX_AGE_H = 24 * 60
    clock = Clock()
    sender = Sender(clock=clock)

    def until(moment: datetime) -> None:
        clock.forward((moment - clock()).total_seconds())
        assert sender.drain(60)

    sender.start()
    yield until
    sender.stop()


def test_registering_is_answered_with_the_same_headers(bot: Bot, people: dict[int, str]) -> None:
    number = event().number
    assert bot.ask("register_event", ANA, 1, event_id=number) == {"user_registered": True}
    assert bot.ask("list_events", ANA, 2, trace={"hops": [1, "x"]}, first=True) == [
        {str(number): {"start_time": f"{EIGHT:%Y-%m-%d} 23:00:00", "users_limit": 20}}
    ]
    assert bot.ask('{"commands": ["confirm_registration"]}', ANA, 3, event_id=str(number)) == {
        "registration_confirmed": False
    }
    assert bot.ask("cancel_registration", ANA, 4, event_id=0) == {"registration_cancelled": True}
    assert bot.ask("register_event", 5005, 5, event_id=number) == {"success": False}
    assert list(Registration.objects.values_list("state", flat=True)) == ["cancelled"]


@pytest.fixture
def wires(monkeypatch: pytest.MonkeyPatch) -> list[bytes]:
    """The properties of what pika receives, as bytes: it has no room for some of AMQP's types itself."""
    found: list[bytes] = []
    decode = pika.BasicProperties.decode

    def note(properties: pika.BasicProperties, encoded: bytes, offset: int = 0) -> pika.BasicProperties:
        found.append(encoded[offset:])
        try:
            return decode(properties, encoded, offset)
        except (ArithmeticError, ValueError):
            return properties

    monkeypatch.setattr(pika.BasicProperties, "decode", note)
    return found


WHO = (
    header(b"user_id", b"x", long(b"77001234"))
    + header(b"chat_id", b"S", long(b"77001234"))
    + header(b"message_id", b"s", pack(">h", 7))
)
TYPED = {
    "bytes": header(b"raw", b"x", long(b"\x00\xff")),
    "text in bytes": header(b"raw", b"x", long(b"594286000")),
    "decimal": header(b"price", b"D", pack(">Bi", 2, 150)),
    "timestamp": header(b"sent", b"T", pack(">Q", 1_700_000_000)),
    "milliseconds": timestamp(MILLISECONDS),
    "before 1970": timestamp(BEFORE_1970),
    "small numbers": header(b"a", b"b", b"\xff")
    + header(b"b", b"B", b"\xff")
    + header(b"c", b"u", b"\xff\xfe"),
    "float": header(b"f", b"f", pack(">f", 0.1)),
    "large": header(b"l", b"l", pack(">q", -(2**63))),
    "void": header(b"nothing", b"V", b""),
    "within": header(
        b"trace", b"A", long(b"F" + long(header(b"when", b"T", bytes(8)) + header(b"x", b"x", long(b"\xff"))))
    ),
    "Latin-1": header(b"\xe9t\xe9", b"S", long(b"\xe9t\xe9")),
    "a long name": header(b"\0" * 255, b"I", pack(">i", 1)),
    "deep": nested(900),
    "much": header(b"much", b"S", long(b"x" * 100_000)),
    "more text than JSON keeps": header(b"much", b"S", long(b"\0" * 60_000)),
}


def test_answers_carry_headers_of_every_type_as_they_came(
    bot: Bot, people: dict[int, str], wires: list[bytes]
) -> None:
    for name, headers in TYPED.items():
        for body in ("list_events", "register_event"):  # one that is done, and one that makes no sense
            bot.channel.basic_publish(
                bot.exchange, bot.commands, body.encode(), Raw(with_headers(WHO, headers))
            )
            assert bot._take_any(), f"no answer to {name}"
            assert long(WHO + headers) in wires[-1], name
    assert bot.ask("register_event", ANA, 2, event_id=event().number) == {"user_registered": True}
    eventually(lambda: not Outgoing.objects.exists())


def test_headers_that_leave_no_room_in_a_frame_cost_the_answer_its_headers_and_nobody_else(
    bot: Bot, people: dict[int, str]
) -> None:
    room = 131_072 - 8 - 12 - 2 - 4
    filling = room - len(WHO) - len(header(b"much", b"S", long(b"")))
    wide = with_headers(WHO, header(b"much", b"S", long(b"x" * filling)))
    bot.channel.basic_publish(bot.exchange, bot.commands, b"list_events", Raw(wide))
    assert bot._take_any(), "no answer"
    assert bot.ask("register_event", ANA, 2, event_id=event().number) == {"user_registered": True}


def test_what_makes_no_sense_is_a_dead_letter_and_holds_up_nobody(bot: Bot, people: dict[int, str]) -> None:
    bot.say("hello", user_id=ANA, chat_id=ANA, message_id=1)
    bot.say("")
    assert bot.ask("register_event", ANA, 2) == {"success": False}
    assert bot.ask("register_event", ANA, 3, event_id=event().number) == {"user_registered": True}
    dead = {bytes(each.body): each for each in DeadMessage.objects.filter(source="dating")}
    assert dead.keys() == {b"hello", b"", b"register_event"}
    unclear = dead[b"register_event"]
    assert unclear.reason == "register_event: Expected a number or a UUID in the header event_id."
    assert unclear.headers == {"user_id": ANA, "chat_id": ANA, "message_id": 2}


AWAY = {
    "listens nowhere": lambda url, port: f"amqp://guest:guest@127.0.0.1:{port}//",
    "refuses the log-in": lambda url, port: url.replace("guest:guest", "guest:wrong"),
    "knows no such host": lambda url, port: url.replace("%2F", "nowhere"),
}


@pytest.mark.parametrize("how", AWAY)
def test_what_it_is_to_be_told_waits_for_a_broker_that_is_away(
    bot: Bot,
    people: dict[int, str],
    sending: Callable[[], Clock],
    settings: Settings,
    closed_port: int,
    how: str,
) -> None:
    assert bot.ask("register_event", ANA, 1, event_id=event().number) == {"user_registered": True}
    there = settings.SOURCES["dating"]
    away = {**there, "url": AWAY[how](there["url"], closed_port)}
    settings.SOURCES = {**settings.SOURCES, "dating": away}
    clock = sending()
    waiting = Delivery.objects.filter(channel="bot", user=people[ANA])

    def tried(attempts: int) -> bool:
        # Not while one is under way, which would be taken for lost.
        if not waiting.filter(outgoing__lease_until__gt=clock()).exists():
            clock.forward(10)
        return waiting.filter(attempts__gte=attempts).exists()

    eventually(lambda: tried(3 * settings.RETRY_ATTEMPTS))
    delivery = waiting.get()
    assert (delivery.status, delivery.reason) == ("pending", "away")
    settings.SOURCES = {**settings.SOURCES, "dating": there}
    clock.forward(10)
    assert bot.told("send_message", ANA)
    eventually(lambda: waiting.get().status == "sent")


def test_it_is_told_by_the_number_of_a_person_and_in_their_chat(
    bot: Bot, as_machine: Callable[..., APIClient], sending: Callable[[], Clock]
) -> None:
    about = {"first_name": "Zoe", "birthday": "1999-05-01", "chat_id": -5005}
    path = "/api/v1/dating/bot-accounts/77009999/"
    user_id = as_machine("dating:write").put(path, about).json()["user_id"]
    number = event().number
    assert bot.ask("register_event", 77009999, 1, event_id=number) == {"user_registered": True}
    sending()
    _, headers = bot.told("send_message", 77009999)
    assert headers == {"user_id": 77009999, "chat_id": -5005, "event_id": number}
    shop = ShopFactory()
    MembershipFactory(shop=shop, user_id=user_id)
    AlertFactory(shop=shop, label="theft")
    alerts_fan_out()  # whose rows the sender is handed without a look at the database
    _, headers = bot.told("send_message", 77009999)
    assert headers == {"user_id": 77009999, "chat_id": -5005}


def test_an_evening_by_the_bot(
    bot: Bot, people: dict[int, str], send_until: Callable[[datetime], None]
) -> None:
    evening = Evening(event())
    number = evening.event.number
    headers = {user: {"user_id": user, "chat_id": user, "event_id": number} for user in people}
    for user in people:
        assert bot.ask("register_event", user, 1, event_id=number) == {"user_registered": True}
        body, sent_with = bot.told("send_message", user)
        assert "Friday at eight" in body["send_message"]["text"]
        assert sent_with == headers[user]

    evening.at(EIGHT - DAY)
    for user in people:
        assert bot.told("confirm_registration", user) == ("confirm_registration", headers[user])
        assert bot.ask("confirm_registration", user, 2, event_id=number) == {"registration_confirmed": True}
    for moment in ("close_at", "rules_at"):
        evening.at(getattr(evening.event, moment))
    for user in people:
        assert bot.told("send_rules", user) == ("send_rules", headers[user])
        bot.told("send_ready_for_event_request", user)

    evening.at(EIGHT)
    send_until(EIGHT + SECOND)
    for user in people:
        (invitation,) = bot.told("invite_to_meeting", user)[0].values()
        assert "/dating/join/" in invitation["url"]
    evening.at(EIGHT + 5 * MINUTE)
    for user in people:
        bot.told("send_break_message", user)
        (partner,) = bot.told("send_partner_rating_request", user)[0].values()
        liked = bot.ask("like_partner", user, 3, event_id=number, partner_id=partner["partner_id"])
        assert liked == {"reaction_recorded": True}
    evening.at(EIGHT + timedelta(hours=1))
    for user, partner in ((ANA, "Ben"), (BEN, "Ana")):
        bot.told("send_final_dating_message", user)
        assert bot.told("send_match_message", user)[0] == {"send_match_message": {"matches": [partner]}}

    assert Event.objects.get().state == 4
    assert Reaction.objects.filter(kind="like").count() == 2
    eventually(lambda: not Delivery.objects.filter(channel="bot").exclude(status="sent").exists())
    assert not DeadMessage.objects.exists()
