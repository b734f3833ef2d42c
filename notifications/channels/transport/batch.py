"""Several deliveries in one request: its formats, and what an answer says of each of them. Pure.

An answer of 2xx tells all of them, unless it is JSON with `results` (docs/api.md).
"""

from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any, Final, NamedTuple
from uuid import uuid5

import orjson
from django.conf import settings

from notifications.channels.message import Message, Receipt, Rejected, Unavailable
from notifications.channels.transport import outcome
from notifications.channels.transport.http1 import Answer

#: The bounds of what a destination may ask for.
MOST: Final = 1000
LINGER_MS_MOST: Final = 10_000
#: Each format's media type.
FORMATS: Final = {"cloudevents": "application/cloudevents-batch+json", "ndjson": "application/x-ndjson"}
# What an answer may take for each delivery, beside RESPONSE_MAX_BYTES.
BYTES_FOR_EACH: Final = 128


class Batching(NamedTuple):
    """How a destination is told of several at once: at most so many, which wait so long for each other."""

    most: int
    linger_ms: int
    format: str


def body_of(messages: Sequence[Message], data_of: Callable[[Message], bytes], form: str) -> bytes:
    """Return what is posted: a CloudEvents batch (JSON, version 1.0), or a JSON object a line."""
    if form == "ndjson":
        line = b'{%b,"data":%b}\n'
        return b"".join([line % (_head(each, time="timestamp"), data_of(each)) for each in messages])
    source = orjson.dumps(settings.PUBLIC_URL)
    event = b'{"specversion":"1.0","source":%b,"datacontenttype":"application/json",%b,"data":%b}'
    events = [event % (source, _head(each, time="time"), data_of(each)) for each in messages]
    return b"[%b]" % b",".join(events)


def _head(message: Message, *, time: str) -> bytes:
    """Return the fields that say what it is, without their braces; ``time`` names that of the time."""
    head = {"id": message.delivery_id, "type": message.kind, time: message.created_at.astimezone(UTC)}
    return orjson.dumps(head, option=orjson.OPT_UTC_Z)[1:-1]


def request_id(messages: Sequence[Message]) -> str:
    """Return the id of a request: the same where the same deliveries are told together again."""
    return str(uuid5(messages[0].delivery_id, ",".join([str(each.delivery_id) for each in messages])))


def answer_max_bytes(count: int) -> int:
    """Return how much of the answer to so many is read."""
    return int(settings.RESPONSE_MAX_BYTES) + count * BYTES_FOR_EACH


def verdicts(
    answer: Answer, messages: Sequence[Message], *, now: datetime
) -> list[Receipt | Rejected | Unavailable]:
    """Return what an answer says of each delivery, in their order.

    Raises:
        Rejected, Unavailable: the same of all, as for a single one.
        Unavailable: its results can't be read; whoever got all of them meets the repeats by their ids.
    """
    outcome.judged(answer, now=now)
    named = _named(answer)
    return [_verdict(named.get(str(message.delivery_id), answer.status), now) for message in messages]


def _named(answer: Answer) -> Mapping[str, Any]:
    unreadable = Unavailable("its results can't be read", status_code=answer.status)
    try:
        content = orjson.loads(answer.body)
    except orjson.JSONDecodeError:
        if answer.status == 207 or b'"results"' in answer.body:
            raise unreadable from None
        return {}
    results = content.get("results") if isinstance(content, dict) else None
    if results is None and answer.status != 207:
        return {}
    if not isinstance(results, list):
        raise unreadable
    try:
        return {each["id"].lower(): each["status"] for each in results}
    except (TypeError, KeyError, AttributeError):
        raise unreadable from None


def _verdict(status: Any, now: datetime) -> Receipt | Rejected | Unavailable:
    if not isinstance(status, int) or not 200 <= status <= 599:
        return Unavailable("its result can't be read")
    answer = Answer(status, None)
    return Receipt(status) if answer.is_success else outcome.refusal(answer, now=now)
