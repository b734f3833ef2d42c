"""Requests to start and stop, in the original's JSON: read and checked as a whole, wherever they come from.

{"process-id": "restaurantname", "action": "start",
 "notifications": [{"channel": "phone", "at": 1555057084, "phone-number": "+3851111111"}]}
"""

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Final, TypeVar
from uuid import UUID

from django.core.exceptions import ValidationError

from notifications.channels import registry
from notifications.engine.recipients import Recipient
from notifications.models import Severity

ID_MAX_LENGTH: Final = 200
MAX_NOTIFICATIONS: Final = 1000
DETAILS_MAX_LENGTH: Final = 2000
#: 2100-01-01T00:00:00Z: a later time is a mistake, such as milliseconds given for seconds.
TIME_END: Final = 4_102_444_800
ACTIONS: Final = ("start", "stop")
#: Stands for a user's own contact points.
USER: Final = "user"
#: Which field holds the address, by channel.
ADDRESS_FIELDS: Final = {**registry.ADDRESS_FIELDS, USER: "user-id"}


@dataclass(frozen=True, slots=True)
class Request:
    """A start by notifications or by the name of a policy, or a stop.

    A recipient on the channel ``user`` stands for all of a user's: its address is their id. ``severity``
    (empty: the policy's) and ``details`` go with a policy.
    """

    process_id: str
    action: str
    notifications: tuple[Recipient, ...] = ()
    policy: str = ""
    severity: str = ""
    details: str = ""


_T = TypeVar("_T")


class _Refused(Exception):
    """What is wrong with one value; its text is for whoever sent it."""


def request_of(body: object) -> Request:
    """Return what a request asks for.

    Raises:
        ValidationError: it is invalid; a message per field, for notifications with the index of each.
    """
    if not isinstance(body, dict):
        raise ValidationError("Expected a JSON object.")
    errors: dict[str, list[str]] = {}
    process_id = _read(body, "process-id", process_id_of, errors)
    action = _read(body, "action", _action, errors)
    wanted: tuple[Recipient, ...] = ()
    policy = severity = details = ""
    if action == "start":
        if "policy" in body and "notifications" in body:
            errors["policy"] = ["Give either notifications or a policy."]
        elif "policy" in body:
            policy = _read(body, "policy", _policy, errors)
            severity = _read(body, "severity", _severity, errors) if "severity" in body else ""
            details = _read(body, "details", _details, errors) if "details" in body else ""
        else:
            wanted = _notifications(body.get("notifications"), errors)
        if process_id and not _has_route(process_id):
            errors["process-id"] = ["The API has another page at this id: nobody could read the process."]
    if errors:
        raise ValidationError(errors)
    return Request(process_id, action, wanted, policy, severity, details)


def process_id_of(value: object) -> str:
    text = _text(value)
    if not text.strip() or len(text) > ID_MAX_LENGTH:
        raise _Refused(f"Expected 1 to {ID_MAX_LENGTH} characters that are not all spaces.")
    return text


def _has_route(process_id: str) -> bool:
    """Return whether ``/api/v1/escalations/<process id>/`` leads to the process."""
    first, last = process_id.split("/", 1)[0], process_id.rsplit("/", 1)[-1]
    return first not in ("figures", "policies", "rotations", "schedules") and not (
        "/" in process_id and last in ("", "stop", "acknowledge", "notes", "timeline", "timeline.md")
    )


def _read(
    body: Mapping[str, Any], name: str, check: Callable[[object], str], errors: dict[str, list[str]]
) -> str:
    if name not in body:
        errors[name] = ["This field is required."]
        return ""
    try:
        return check(body[name])
    except _Refused as refused:
        errors[name] = [str(refused)]
        return ""


def _text(value: object) -> str:
    if not isinstance(value, str):
        raise _Refused("Expected a string.")
    if "\x00" in value or any("\ud800" <= each <= "\udfff" for each in value):
        raise _Refused("Null characters and halves of surrogate pairs are not allowed.")
    return value


def _action(value: object) -> str:
    if value not in ACTIONS or not isinstance(value, str):
        raise _Refused(f"Expected one of: {', '.join(ACTIONS)}.")
    return value


def _policy(value: object) -> str:
    text = _text(value)
    if not text or len(text) > 100:
        raise _Refused("Expected the name of a policy.")
    return text


def _severity(value: object) -> str:
    if value not in Severity.values or not isinstance(value, str):
        raise _Refused(f"Expected one of: {', '.join(Severity.values)}.")
    return value


def _details(value: object) -> str:
    text = _text(value).strip()
    if len(text) > DETAILS_MAX_LENGTH:
        raise _Refused(f"Expected at most {DETAILS_MAX_LENGTH} characters.")
    return text


def _notifications(value: object, errors: dict[str, list[str]]) -> tuple[Recipient, ...]:
    if not isinstance(value, list) or not value:
        errors["notifications"] = ["Expected a list of at least one notification, or a policy instead."]
        return ()
    if len(value) > MAX_NOTIFICATIONS:
        errors["notifications"] = [f"Expected at most {MAX_NOTIFICATIONS} notifications."]
        return ()
    wanted: list[Recipient] = []
    wrong: list[str] = []
    for index, each in enumerate(value):
        try:
            wanted.append(_wanted(each))
        except _Refused as refused:
            wrong.append(f"{index}: {refused}")
    if wrong:
        errors["notifications"] = wrong
    return tuple(wanted)


def _wanted(value: object) -> Recipient:
    if not isinstance(value, dict):
        raise _Refused("Expected a JSON object.")
    channel = value.get("channel")
    if not isinstance(channel, str) or channel not in ADDRESS_FIELDS:
        raise _Refused(f"channel: Expected one of: {', '.join(ADDRESS_FIELDS)}.")
    at = _named("at", _moment, value)
    field = ADDRESS_FIELDS[channel]
    if channel == USER:
        return Recipient(channel, at, str(_named(field, _user_id, value)))
    return Recipient(channel, at, _named(field, lambda address: _address(channel, address), value))


def _named(name: str, check: Callable[[object], _T], value: Mapping[str, Any]) -> _T:
    if name not in value:
        raise _Refused(f"{name}: This field is required.")
    try:
        return check(value[name])
    except _Refused as refused:
        raise _Refused(f"{name}: {refused}") from None


def _moment(value: object) -> datetime:
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise _Refused("Expected a number: Unix seconds.")
    if not 0 <= value < TIME_END or not math.isfinite(value):
        raise _Refused("Expected Unix seconds from 0 up to the year 2100.")
    return datetime.fromtimestamp(value, UTC)


def _user_id(value: object) -> UUID:
    try:
        user_id = UUID(_text(value))
    except ValueError:
        user_id = None
    if user_id is None or str(user_id) != str(value).lower():
        raise _Refused("Expected a UUID, such as 33cbb18c-3e9d-4acc-9667-2fbe7bf29137.")
    return user_id


def _address(channel: str, value: object) -> str:
    if registry.get(channel).address_may_be_number and isinstance(value, int) and not isinstance(value, bool):
        value = str(value) if abs(value) < 2**63 else ""
    text = _text(value).strip()
    if not text or len(text) > 2048:
        raise _Refused("Expected 1 to 2048 characters.")
    try:
        return registry.get(channel).normalised_address(text)
    except ValidationError as error:
        raise _Refused(" ".join(error.messages)) from None
