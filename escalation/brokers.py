"""Escalation requests from a queue: the original's JSON, as HTTP takes it. Formats: docs/brokers.md."""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

import structlog
from django.core.exceptions import ValidationError

from config import clock
from escalation.requests import Request, request_of
from escalation.services.requests import request_run
from notifications.brokers import once
from notifications.brokers.formats import Format
from notifications.brokers.messages import Answer, Malformed, Message

log = structlog.get_logger(__name__)

#: How the history of a process says it.
VIA: Final = "queue"
_NUMBER: Final = re.compile(r"[0-9]{1,12}(\.[0-9]{1,9})?")


@dataclass(frozen=True, slots=True)
class Command:
    """A request, when it came, and in which message."""

    request: Request
    at: datetime
    source: str
    message_id: str | None


def translate(message: Message) -> Command:
    """Return what a message asks for.

    Raises:
        Malformed: it is invalid; one bad notification makes the whole start so.
    """
    body = message.json_object()
    if isinstance(given := body.get("notifications"), list):
        body = {**body, "notifications": [_with_number(notification) for notification in given]}
    try:
        request = request_of(body)
    except ValidationError as error:
        raise Malformed(reason_of(error)) from None
    return Command(request, message.delivered_at, message.source, message.message_id)


def apply(commands: Sequence[Command]) -> list[Answer]:
    """Start and stop what is asked for, in order and once each; nobody waits for an answer.

    Raises:
        ValidationError: one of them names a user or a policy that there isn't.
    """
    for command in once.fresh(commands, now=clock.now()):
        answer = request_run(command.request, now=command.at, via=VIA)
        log.info("escalation_request", result=answer.result, action=command.request.action)
    return []


def reason_of(error: ValidationError) -> str:
    """Return in one line what is wrong, by field."""
    if not hasattr(error, "error_dict"):
        return " ".join(error.messages)
    return " ".join(f"{field}: {' '.join(messages)}" for field, messages in error.message_dict.items())


def _with_number(notification: Any) -> Any:
    """Take a time that came as a string for the number that it spells."""
    at = notification.get("at") if isinstance(notification, dict) else None
    if not isinstance(at, str) or not _NUMBER.fullmatch(at.strip()):
        return notification
    return {**notification, "at": float(at)}


FORMAT: Final = Format(name="escalation", translate=translate, apply=apply)
