"""The format ``events``: the envelopes of the originals' topic exchange, in every shape that they come in.

``{"payload": …, "_meta": …}``; the same without ``_meta``, ``event_type`` or the like beside the payload; all
fields on one level, ``event_type`` among them; nothing but the fields, the routing key being the message's.
"""

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Final
from uuid import UUID, uuid5

import orjson
from django.core.exceptions import ValidationError

from accounts.models import User
from accounts.services import mirroring
from notifications.brokers.formats import Format
from notifications.brokers.messages import Answer, Malformed, Message
from notifications.events import people
from notifications.events.incoming import Incoming, events_accept
from notifications.events.later import KEYS, Later, said_later
from notifications.events.payloads import SOURCE_MAX_LENGTH, check_event
from notifications.events.signals import told_elsewhere

#: Ids of events that came with none: made of what they say, so that the same message again has the same.
NAMESPACE: Final = UUID("6f0d5a0c-6f8c-5f0e-9a4e-1c0c6f2f7a51")
#: What describes an event, where it stands among its fields.
ENVELOPE: Final = ("event_type", "routing_key", "event_id", "timestamp", "source", "_meta")
IDS: Final = ("user_id", "student_id", "encadrant_id")
LISTS: Final = ("user_ids", "student_ids")
#: Earlier and later times are a mistake of units.
YEARS: Final = range(2000, 2101)


class NotYet(Exception):
    """What an event is about is not there; the event that makes it may be on its way."""


@dataclass(frozen=True, slots=True)
class Command:
    """An event to be stored; ``mirror`` is the account that it tells of, where it tells of a new one.

    ``source`` is the queue that it came from, and not what the message says of itself.
    """

    event: Incoming
    source: str
    mirror: User | None = None


def translate(message: Message) -> Command:
    """Return the event that a message carries, in whichever shape; raises Malformed if it carries none."""
    body = message.json_object()
    payload, meta = _opened(body)
    routing_key = _text(meta, "routing_key") or _text(meta, "event_type") or message.routing_key
    source = _text(meta, "source") or f"broker:{message.source}"
    # The ids of people as this product writes them.
    ids: dict[str, Any] = {name: _uuid(payload[name]) for name in IDS if name in payload}
    lists = {name: payload[name] for name in LISTS if isinstance(payload.get(name), list)}
    payload = payload | ids | {name: list(map(_uuid, each)) for name, each in lists.items()}
    incoming = Incoming(
        event_id=_event_id(meta.get("event_id"), message, routing_key, body),
        routing_key=routing_key,
        source=source[:SOURCE_MAX_LENGTH],
        payload=payload,
        occurred_at=_time(meta.get("timestamp")) or message.sent_at,
    )
    try:
        check_event(routing_key=routing_key, payload=payload, source=incoming.source)
        return Command(incoming, message.source, _mirror(incoming, message.source))
    except ValidationError as error:
        faults = [f"{field}: {' '.join(found)}" for field, found in error.message_dict.items()]
        raise Malformed("; ".join(faults)) from None


def apply(commands: Sequence[Command]) -> list[Answer]:
    """Store events, and make, change and delete the accounts that those of them tell of which are new."""
    new = events_accept([command.event for command in commands])
    later = said_later([each.event for each in commands if each.event.event_id in new and _is_about(each)])
    mirrors: list[User] = []
    for command in commands:
        event_id = command.event.event_id
        if event_id not in new or not _is_about(command):
            continue
        new.discard(event_id)
        if command.mirror is None:
            mirroring.mirrors_store(users=mirrors)
            mirrors = []
            _follow(command.event, command.source, later[event_id])
        elif later[event_id].is_there is not False:
            mirrors.append(command.mirror)
    mirroring.mirrors_store(users=mirrors)
    return []


def _is_about(command: Command) -> bool:
    """Whether an event makes, changes or deletes an account."""
    return command.event.routing_key in KEYS


def _follow(event: Incoming, source: str, later: Later) -> None:
    """Change or delete an account as the service did that made it, but for what it did later."""
    user_id = UUID(event.payload["user_id"])
    with told_elsewhere():
        if event.routing_key == people.USER_DELETED:
            if later.is_there is None:
                mirroring.mirror_delete(user_id=user_id, source=source)
            return
        if later.is_there is False:
            return
        details = {name: value for name, value in event.payload.items() if name not in later.fields}
        if not mirroring.mirror_update(user_id=user_id, details=details, source=source):
            raise NotYet(f"There is no user {user_id}.")


def _opened(body: dict[str, Any]) -> tuple[dict[str, Any], dict[str, Any]]:
    """Return payload and envelope of any of the shapes."""
    meta = body.get("_meta")
    if meta is not None and not isinstance(meta, dict):
        raise Malformed("Expected a JSON object in _meta.")
    beside: dict[str, Any] = {name: body[name] for name in ENVELOPE if name in body}
    if "payload" not in body:
        return {name: value for name, value in body.items() if name not in ENVELOPE}, beside | (meta or {})
    payload = body["payload"]
    if isinstance(payload, str):  # encoded twice
        try:
            payload = orjson.loads(payload)
        except orjson.JSONDecodeError:
            payload = None
    if not isinstance(payload, dict):
        raise Malformed("Expected a JSON object in payload.")
    return payload, beside | (meta or {})


def _text(meta: Mapping[str, Any], name: str) -> str:
    value = meta.get(name)
    if value is None:
        return ""
    if not isinstance(value, str):
        raise Malformed(f"Expected text in {name}.")
    return value


def _uuid(value: Any) -> Any:
    """Return a UUID as text with dashes in lower case; anything else as it is."""
    try:
        return str(UUID(value)) if isinstance(value, str) else value
    except ValueError:
        return value


def _event_id(given: Any, message: Message, routing_key: str, body: dict[str, Any]) -> UUID:
    """Return the event's id: its own, or one made of the message's, or one made of what it says."""
    if given not in (None, ""):
        try:
            return UUID(given)
        except (ValueError, TypeError, AttributeError):
            return uuid5(NAMESPACE, f"event:{routing_key}:{given}")
    if message.message_id:
        return uuid5(NAMESPACE, f"message:{message.source}:{routing_key}:{message.message_id}")
    digest = hashlib.sha256(orjson.dumps(body, option=orjson.OPT_SORT_KEYS)).hexdigest()
    sent_at = message.sent_at.isoformat() if message.sent_at else ""
    return uuid5(NAMESPACE, f"body:{message.source}:{routing_key}:{sent_at}:{digest}")


def _time(value: Any) -> datetime | None:
    """Return a time given in ISO 8601, or in Unix seconds or milliseconds, as a number or as text."""
    if value in (None, ""):
        return None
    try:
        # Not the underscores that Python takes between digits.
        number = None if "_" in str(value) else float(value)
    except (ValueError, TypeError):
        number = None
    try:
        if number is not None:
            found = datetime.fromtimestamp(number / 1000 if number > 1e11 else number, UTC)
        else:
            found = datetime.fromisoformat(value)
    except (ValueError, TypeError, OverflowError, OSError):
        found = None
    if found is None or found.year not in YEARS:
        raise Malformed("Expected a time in ISO 8601 or Unix seconds in timestamp.")
    return found.astimezone(UTC) if found.tzinfo else found.replace(tzinfo=UTC)


def _mirror(event: Incoming, source: str) -> User | None:
    if event.routing_key not in KEYS:
        return None
    try:
        user_id = UUID(event.payload.get("user_id"))
    except (ValueError, TypeError, AttributeError):
        raise Malformed("payload: Expected a UUID in user_id.") from None
    if event.routing_key != people.USER_CREATED:
        return None
    return mirroring.mirror_of(user_id=user_id, details=event.payload, source=source)


FORMAT: Final = Format(name="events", translate=translate, apply=apply)
