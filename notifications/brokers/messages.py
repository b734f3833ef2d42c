"""What comes from a broker and what goes to one, whatever broker it is."""

import codecs
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Final

import orjson
from django.conf import settings

from config.bounds import values_in

#: More than any of the formats needs; RabbitMQ itself takes bodies of many megabytes.
BODY_MAX_BYTES: Final = 1_000_000
#: What gzip's output begins with (RFC 1952).
GZIP: Final = b"\x1f\x8b"


class Malformed(Exception):
    """A message that can never take effect. Its text is the reason that the dead letter gives.

    ``answers`` tell whoever waits for one that nothing came of it; they are stored with the dead letter.
    """

    def __init__(self, reason: str, *, answers: "Sequence[Answer]" = ()) -> None:
        super().__init__(reason)
        self.answers = tuple(answers)


@dataclass(frozen=True, slots=True, kw_only=True)
class Message:
    """One message as it was delivered."""

    source: str
    body: bytes
    #: When it reached the consumer.
    delivered_at: datetime
    #: Application headers (AMQP), or message attributes (SQS), without their types.
    headers: Mapping[str, object] = field(default_factory=dict)
    #: Empty where the broker has none.
    routing_key: str = ""
    #: The publisher's own id of it, or the broker's; RabbitMQ gives none by itself.
    message_id: str | None = None
    #: Messages of one group are handled one after the other, in order (SQS: MessageGroupId).
    group: str | None = None
    #: When it was published, if the broker or the publisher says.
    sent_at: datetime | None = None
    #: It may have been handled before, by a consumer that was lost.
    redelivered: bool = False

    def json(self) -> Any:
        """Return the body as JSON; raises Malformed if it is none, or too large."""
        if len(self.body) > BODY_MAX_BYTES:
            raise Malformed(f"Expected at most {BODY_MAX_BYTES} bytes, unpacked.")
        if len(self.body) > (most := settings.REQUEST_MAX_VALUES) and values_in(self.body) > most:
            raise Malformed(f"Expected at most {most} values.")
        try:
            return orjson.loads(self.body.removeprefix(codecs.BOM_UTF8))
        except orjson.JSONDecodeError as error:
            if self.body.startswith(GZIP):
                raise Malformed("Expected JSON; this is compressed by gzip.") from None
            raise Malformed(f"Expected JSON: {error}.") from None

    def json_object(self) -> dict[str, Any]:
        """Return the body as a JSON object; raises Malformed if it is none, or too large."""
        value = self.json()
        if not isinstance(value, dict):
            raise Malformed("Expected a JSON object.")
        return value


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """A message to be published: stored with the effect that it tells of, and sent until it is confirmed."""

    #: Empty: the broker's default exchange, whose routing keys are the names of queues.
    exchange: str = ""
    routing_key: str
    body: Any
    headers: Mapping[str, object] = field(default_factory=dict)
