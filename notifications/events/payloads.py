"""What an event may hold. Checked where it is published, so that whatever is stored can be handled."""

import json
import re
from collections.abc import Mapping
from typing import Any, Final
from uuid import UUID

from django.core.exceptions import ValidationError

from notifications.events import topics
from notifications.messages.catalogue import texts_of

MAX_BYTES: Final = 262_144
SOURCE_MAX_LENGTH: Final = 100
#: Routing keys of what only this service can know.
RESERVED: Final = "auth.#"
#: Events that people are told of, who have to be named, and those where nobody named means everybody: what
#: notifications.handlers.messages handles. Here, so that whoever publishes learns at once what is missing. Of
#: those that come with texts: any other may be unknown, and is stored as it is.
PERSONAL: Final = ("student.*", "encadrant.*", "stage.*", "evaluation.created", "grade.assigned")
PUBLIC: Final = ("offer.created",)
LISTS: Final = ("user_ids", "student_ids")

_NO_SOURCE: Final = f"Expected the name of a service, of 1 to {SOURCE_MAX_LENGTH} characters."
# The one character that JSON can name and PostgreSQL can't store.
_NUL: Final = re.compile(r"(?<!\\)(\\\\)*\\u0000")


def check_event(*, routing_key: str, payload: Mapping[str, Any], source: str) -> None:
    """Raise ValidationError, with a message per field, unless this can be stored and handled."""
    faults = {
        "routing_key": "" if topics.is_routing_key(routing_key) else topics.KEY_MESSAGE,
        "source": "" if 0 < len(source) <= SOURCE_MAX_LENGTH and source.isprintable() else _NO_SOURCE,
        "payload": _fault_of_json(payload) or _fault_of_people(routing_key, payload),
    }
    if found := {field: [fault] for field, fault in faults.items() if fault}:
        raise ValidationError(found)


def _fault_of_json(payload: object) -> str:
    if not isinstance(payload, dict):
        return "Expected a JSON object."
    try:
        text = json.dumps(payload, ensure_ascii=False, allow_nan=False)
        size = len(text.encode())
    except (ValueError, TypeError, RecursionError):
        return "Expected a JSON object."
    if size > MAX_BYTES:
        return f"Expected at most {MAX_BYTES} bytes of JSON; these are {size}."
    return "Expected text without the character U+0000." if _NUL.search(text) else ""


def _fault_of_people(routing_key: str, payload: Mapping[str, Any]) -> str:
    needed = any(topics.matches(pattern, routing_key) for pattern in PERSONAL)
    if not (needed and texts_of(routing_key)) and routing_key not in PUBLIC:
        return ""
    profile = "encadrant_id" if routing_key.startswith("encadrant.") else "student_id"
    fields = ("user_id", profile, *LISTS)
    named = [field for field in fields if payload.get(field) not in (None, "")]
    for field in named:
        value = payload[field]
        if field not in LISTS and not _is_uuid(value):
            return f"Expected a UUID in {field}."
        if field in LISTS and not (isinstance(value, list) and value and all(map(_is_uuid, value))):
            return f"Expected a list of UUIDs in {field}."
    return f"Expected who it is about, in one of: {', '.join(fields)}." if needed and not named else ""


def _is_uuid(value: object) -> bool:
    try:
        return isinstance(value, str) and str(UUID(value)) == value.lower()
    except ValueError:
        return False
