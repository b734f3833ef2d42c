"""For each channel, a local destination that can be told to fail: what the conformance tests run against."""

import socket
from abc import ABC, abstractmethod
from collections import deque
from contextlib import ExitStack
from dataclasses import dataclass
from types import TracebackType
from typing import ClassVar, Self
from uuid import uuid4

import pika
from pytest_django.fixtures import Settings

from notifications.channels.transport import web_push
from tests.servers.fcm import FCM
from tests.servers.provider import Provider
from tests.servers.pubnub import PubNub
from tests.servers.push_service import PushService, encoded
from tests.servers.refusing import refusing
from tests.servers.smtp import MailServer
from tests.servers.telegram import Telegram
from tests.servers.third_party import ThirdParty
from tests.servers.twilio import ACCOUNT_SID, Twilio

#: Part of every secret, and of every address that can hold letters, so that a test can look for it where
#: neither may be.
CANARY = "canary7f3a"


class Destination(ABC):
    """Something that a channel sends to. Used within ``with``."""

    #: False: there is nothing that could fail, and the tests of failures are left out.
    can_fail: ClassVar[bool] = True
    #: Fixtures that it takes beside the settings.
    needs: ClassVar[tuple[str, ...]] = ()
    #: What may be shown nowhere: parts of the address, and of the secrets that go with it.
    hidden: ClassVar[tuple[str, ...]] = (CANARY,)

    def __init__(self, settings: Settings) -> None:
        self.settings = settings
        self._running = ExitStack()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._running.close()

    def _closed_port(self) -> int:
        """A port that refuses connections until this ends."""
        return self._running.enter_context(refusing())

    @property
    @abstractmethod
    def address(self) -> str:
        """An address here; holds one of ``hidden``."""

    @abstractmethod
    def received(self) -> int | None:
        """How many messages have come in; None where there is no telling."""

    def fail_for_good(self) -> None:
        """From now on, refuse in a way that won't pass."""
        raise NotImplementedError

    def fail_for_now(self) -> None:
        """From now on, fail in a way that may pass."""
        raise NotImplementedError

    def hang(self) -> None:
        """From now on, accept and never answer."""
        raise NotImplementedError

    def listen_nowhere(self) -> None:
        """From now on, refuse connections."""
        raise NotImplementedError

    def cut_the_next(self) -> None:
        """End the connection of the next request instead of answering it; for those that are posted to."""
        raise NotImplementedError


class HttpDestination(Destination):
    """For channels whose address is a URL that is posted to."""

    def __enter__(self) -> Self:
        self._server = self._running.enter_context(ThirdParty())
        self._port = self._server.port
        return self

    @property
    def address(self) -> str:
        return f"http://127.0.0.1:{self._port}/{CANARY}?token={CANARY}"

    def received(self) -> int:
        return len(self._server.requests)

    def fail_for_good(self) -> None:
        self._server.behave("status:404")

    def fail_for_now(self) -> None:
        self._server.behave("status:503")

    def hang(self) -> None:
        self._server.behave("hang")

    def cut_the_next(self) -> None:
        self._server.behave("cut:1")

    def listen_nowhere(self) -> None:
        self._port = self._closed_port()


class MailDestination(Destination):
    """For email: the server comes from the settings. It fails as real ones do, naming the recipient."""

    def __enter__(self) -> Self:
        self._server = self._running.enter_context(MailServer(log_in=("tocsin", f"password-{CANARY}")))
        self.settings.SMTP_HOST, self.settings.SMTP_PORT = self._server.host, self._server.port
        self.settings.SMTP_USERNAME, self.settings.SMTP_PASSWORD = "tocsin", f"password-{CANARY}"
        self.settings.SMTP_SECURITY = "none"
        return self

    @property
    def address(self) -> str:
        return f"{CANARY}@example.org"

    def received(self) -> int:
        return len(self._server.mails)

    def fail_for_good(self) -> None:
        self._server.fail("RCPT", "550")

    def fail_for_now(self) -> None:
        self._server.fail("RCPT", "450")

    def hang(self) -> None:
        self._server.fail("DATA", "hang")

    def listen_nowhere(self) -> None:
        self.settings.SMTP_PORT = self._closed_port()


class TwilioDestination(Destination):
    """For sms and phone: the server comes from the settings. It fails as the real one, naming the number."""

    hidden = (CANARY, "612345678")

    def __enter__(self) -> Self:
        self._server = self._running.enter_context(Twilio(auth_token=f"token-{CANARY}"))
        self.settings.TWILIO_BASE_URL = self._server.origin
        self.settings.TWILIO_ACCOUNT_SID, self.settings.TWILIO_AUTH_TOKEN = ACCOUNT_SID, f"token-{CANARY}"
        self.settings.TWILIO_SMS_FROM = self.settings.TWILIO_CALL_FROM = "+33755555555"
        self.settings.TWILIO_TWIML_URL = f"https://twiml.example.com/{CANARY}"
        return self

    @property
    def address(self) -> str:
        return "+33612345678"

    def received(self) -> int:
        return len(self._server.requests)

    def fail_for_good(self) -> None:
        self._server.refuse(400, 21211, "The 'To' number {To} is not a valid phone number.")

    def fail_for_now(self) -> None:
        self._server.refuse(429, 20429, "Too Many Requests to {To}")

    def hang(self) -> None:
        self._server.behave("hang")

    def cut_the_next(self) -> None:
        self._server.behave("cut:1")

    def listen_nowhere(self) -> None:
        self.settings.TWILIO_BASE_URL = f"http://127.0.0.1:{self._closed_port()}"


class ProviderDestination(Destination):
    """For channels whose provider comes from the settings, behind a local server of `Provider`."""

    #: The setting of the provider's base URL.
    base_url: ClassVar[str]
    _server: Provider

    def received(self) -> int:
        return len(self._server.requests)

    def fail_for_now(self) -> None:
        self._server.behave("status:503")

    def hang(self) -> None:
        self._server.behave("hang")

    def cut_the_next(self) -> None:
        self._server.behave("cut:1")

    def listen_nowhere(self) -> None:
        setattr(self.settings, self.base_url, f"http://127.0.0.1:{self._closed_port()}")


class TelegramDestination(ProviderDestination):
    base_url = "TELEGRAM_BASE_URL"
    hidden = (CANARY, "77001234")

    def __enter__(self) -> Self:
        token = f"123456:{CANARY}"
        self._server = server = self._running.enter_context(Telegram(token=token))
        self.settings.TELEGRAM_BASE_URL, self.settings.TELEGRAM_BOT_TOKEN = server.origin, token
        return self

    @property
    def address(self) -> str:
        return "-10077001234"

    def fail_for_good(self) -> None:
        assert isinstance(self._server, Telegram)
        self._server.refuse(403, f"Forbidden: bot was blocked by the user {CANARY}")


class PubNubDestination(ProviderDestination):
    base_url = "PUBNUB_BASE_URL"

    def __enter__(self) -> Self:
        keys = {"publish_key": f"pub-c-{CANARY}", "subscribe_key": f"sub-c-{CANARY}"}
        self._server = server = self._running.enter_context(PubNub(**keys))
        self.settings.PUBNUB_BASE_URL = server.origin
        self.settings.PUBNUB_PUBLISH_KEY = keys["publish_key"]
        self.settings.PUBNUB_SUBSCRIBE_KEY = keys["subscribe_key"]
        return self

    @property
    def address(self) -> str:
        return f"shop-{CANARY}"

    def fail_for_good(self) -> None:
        assert isinstance(self._server, PubNub)
        self._server.refuse(403, f"Forbidden {CANARY}")


class PushDestination(ProviderDestination):
    """Counts messages only, not requests for access tokens; it is those that ``on_begin`` is about."""

    base_url = "FCM_BASE_URL"

    def __enter__(self) -> Self:
        self._server = server = self._running.enter_context(FCM(token_prefix=f"ya29.{CANARY}"))
        self.settings.FCM_BASE_URL = server.origin
        self.settings.FCM_SERVICE_ACCOUNT, self.settings.FCM_TOKEN_URL = server.service_account, ""
        return self

    @property
    def address(self) -> str:
        return f"token:{CANARY}"

    def received(self) -> int:
        return len([each for each in self._server.requests if each.path != "/token"])

    def fail_for_good(self) -> None:
        assert isinstance(self._server, FCM)
        self._server.refuse(404, "UNREGISTERED", message=f"{CANARY} was not found")


class WebPushDestination(HttpDestination):
    """A push service that decrypts; it stays the same browser's when it listens nowhere."""

    def __enter__(self) -> Self:
        self.settings.WEB_PUSH_KEY = web_push.new_key()
        self._server = self._service = self._running.enter_context(PushService(path=f"/{CANARY}"))
        self._port = self._server.port
        return self

    @property
    def hidden(self) -> tuple[str, ...]:  # type: ignore[override]
        return (CANARY, encoded(self._service.secret))

    @property
    def address(self) -> str:
        return f"http://127.0.0.1:{self._port}/{CANARY}#{self._service.keys}"


@dataclass(frozen=True, slots=True)
class Letter:
    """A message as the bot gets it."""

    body: bytes
    content_type: str
    headers: dict[str, object]
    message_id: str
    delivery_mode: int


class BotDestination(Destination):
    """RabbitMQ, with the exchange and queues of a bot of its own."""

    needs = ("rabbitmq",)
    hidden = ("77001234", "guest:")

    def __init__(self, settings: Settings, url: str) -> None:
        super().__init__(settings)
        name = uuid4().hex
        self._exchange, self._queue = f"chathub_{name}", f"tg_bot_{name}"
        settings.DATING_EXCHANGE, settings.DATING_REPLY_QUEUE = self._exchange, self._queue
        self._at(url)
        self._rabbit = pika.BlockingConnection(pika.URLParameters(url))
        self._running.callback(self._rabbit.close)
        self._channel = self._rabbit.channel()
        self._letters: deque[Letter] = deque()
        self._channel.exchange_declare(self._exchange, "direct")
        self.listen()

    def listen(self) -> None:
        self._channel.queue_declare(self._queue)
        self._channel.queue_bind(self._queue, self._exchange, self._queue)

    def take(self) -> Letter:
        """Return the oldest message that the bot has not taken yet."""
        self.received()
        return self._letters.popleft()

    def _at(self, url: str) -> None:
        source = {**self.settings.SOURCES["dating"], "url": url}
        self.settings.SOURCES = {**self.settings.SOURCES, "dating": source}

    @property
    def address(self) -> str:
        return "77001234"

    def received(self) -> int:
        """Return how many wait; by fetching them, since a queue's own count may run ahead of its messages."""
        while (got := self._channel.basic_get(self._queue, auto_ack=True))[0]:
            _, properties, body = got
            self._letters.append(
                Letter(
                    body,
                    properties.content_type,
                    properties.headers,
                    properties.message_id,
                    properties.delivery_mode,
                )
            )
        return len(self._letters)

    def fail_for_good(self) -> None:
        self.settings.DATING_EXCHANGE = f"internal_{self._exchange}"
        # Only other exchanges may publish to it.
        self._channel.exchange_declare(self.settings.DATING_EXCHANGE, "direct", internal=True)

    def fail_for_now(self) -> None:
        self._channel.queue_delete(self._queue)

    def hang(self) -> None:
        listener = self._running.enter_context(socket.create_server(("127.0.0.1", 0)))
        self._at(f"amqp://guest:guest@127.0.0.1:{listener.getsockname()[1]}//")

    def listen_nowhere(self) -> None:
        self._at(f"amqp://guest:guest@127.0.0.1:{self._closed_port()}//")


class NothingToFail(Destination):
    """For channels that reach nothing outside the process."""

    can_fail = False

    @property
    def address(self) -> str:
        return ""

    def received(self) -> None:
        return None


#: Every channel's. A new channel's line goes here.
DESTINATIONS: dict[str, type[Destination]] = {
    "bot": BotDestination,
    "console": NothingToFail,
    "email": MailDestination,
    "inbox": NothingToFail,
    "phone": TwilioDestination,
    "pubnub": PubNubDestination,
    "push": PushDestination,
    "sms": TwilioDestination,
    "telegram": TelegramDestination,
    "third_party": HttpDestination,
    "webhook": HttpDestination,
    "webpush": WebPushDestination,
}


def destination_for(channel: str) -> type[Destination]:
    """Return a channel's destination.

    Raises:
        LookupError: there is none; says what to add.
    """
    if channel not in DESTINATIONS:
        raise LookupError(
            f"The channel {channel!r} is not tested. Add a line for it to DESTINATIONS in {__name__}:"
            " HttpDestination if it posts to its address, NothingToFail if it reaches nothing outside"
            " the process, else a Destination of its own around a local server from tests/servers."
        )
    return DESTINATIONS[channel]
