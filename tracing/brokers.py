"""The messages of the original tracing service: marks of devices, and searches to go on with.

``{"device_id": 123, "status": 1}``; ``{"round": {…}}`` and ``{"recurrent": {…}}``, by which the original
handed its own search on from one run to the next. Formats: docs/brokers.md.
"""

import math
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

import structlog

from config import clock
from config.rest.exceptions import Conflict
from notifications.brokers import once
from notifications.brokers.formats import Format
from notifications.brokers.messages import Answer, Malformed, Message
from tracing.intake.checking import DEVICE_MAX
from tracing.models import Device
from tracing.services.again import cases_search_again
from tracing.services.statuses import status_mark

log = structlog.get_logger(__name__)

#: Devices in one message; SQS itself takes 256 KiB.
MAX_DEVICES: Final = 50_000
#: 2100-01-01T00:00:00Z: a later time is a mistake, such as milliseconds given for seconds.
TIME_END: Final = 4_102_444_800
#: The original's own name of a search that goes on: the device of the case.
_ROUND_OF: Final = re.compile(r"round_([0-9]{1,10})")
_WHOLE: Final = re.compile(r"[0-9]{1,19}")
_KINDS: Final = ("device_id", "round", "recurrent")


class NotYet(Exception):
    """Something has to be said before this, and may be on its way."""


@dataclass(frozen=True, slots=True)
class Mark:
    """A device has this status from then on."""

    device_id: int
    status: int


@dataclass(frozen=True, slots=True)
class SearchAgain:
    """Cases of these devices are to be searched again; ``exposed``: those too that have reached one."""

    device_ids: frozenset[int]
    exposed: bool


@dataclass(frozen=True, slots=True)
class Command:
    """What is asked for, when it was sent, and in which message."""

    wish: Mark | SearchAgain
    at: datetime
    source: str
    message_id: str | None


def translate(message: Message) -> Command:
    """Return what a message asks for; Malformed: it is none of the three, or a value is not acceptable."""
    body = message.json_object()
    given = [kind for kind in _KINDS if kind in body]
    if len(given) != 1:
        raise Malformed(f"Expected one of these: {', '.join(_KINDS)}.")
    wish: Mark | SearchAgain
    if given == ["device_id"]:
        status = _whole(body, "status", most=max(Device.Status))
        wish = Mark(_whole(body, "device_id", least=1, most=DEVICE_MAX), status)
    else:
        read = _round if given == ["round"] else _recurrent
        wish = read(_object(body[given[0]], given[0]))
    # Neither the order of deliveries counts nor a clock that is ahead of ours.
    at = min(message.sent_at or message.delivered_at, message.delivered_at)
    return Command(wish, at, message.source, message.message_id)


def apply(commands: Sequence[Command]) -> list[Answer]:
    """Do what is asked for, in order and once each; nobody waits for an answer.

    Raises:
        NotYet: a device is marked as infected that would have to be suspect first.
        Malformed: no case is known of the devices that are to be searched again.
    """
    for command in once.fresh(commands, now=clock.now()):
        wish = command.wish
        if isinstance(wish, SearchAgain):
            searches = cases_search_again(device_ids=wish.device_ids, exposed=wish.exposed, now=command.at)
            if searches is None:
                raise Malformed("There is no case for any of these devices.")
            log.info("cases_searched_again", devices=len(wish.device_ids), searches=searches)
            continue
        try:
            status_mark(device_id=wish.device_id, status=wish.status, now=command.at, is_last=False)
        except Conflict as error:
            raise NotYet(str(error)) from error
    return []


def _round(value: Mapping[str, Any]) -> SearchAgain:
    """One more degree from devices that were reached: a search here takes all degrees, so it is made anew."""
    _whole(value, "previous_round", most=100, name="round.previous_round")
    _whole(value, "max_round", most=100, name="round.max_round")
    onsets = _object(value.get("ids_timestamp"), "round.ids_timestamp")
    for onset in onsets.values():
        _moment(onset, "round.ids_timestamp")
    devices = _devices(list(onsets), "round.ids_timestamp")
    key = value.get("deduplication_id")
    of_case = _ROUND_OF.fullmatch(key) if isinstance(key, str) else None
    if of_case:
        devices |= _devices([of_case[1]], "round.deduplication_id")
    return SearchAgain(devices, exposed=True)


def _recurrent(value: Mapping[str, Any]) -> SearchAgain:
    """What is new since a time: each case knows up to where it was searched, so the time is only checked."""
    if value.get("timestamp_min_unix") is not None:
        _moment(value["timestamp_min_unix"], "recurrent.timestamp_min_unix")
    ids = value.get("device_ids")
    if not isinstance(ids, list):
        raise Malformed("recurrent.device_ids: Expected a list of device numbers.")
    return SearchAgain(_devices(ids, "recurrent.device_ids"), exposed=False)


def _object(value: Any, name: str) -> Mapping[str, Any]:
    if not isinstance(value, dict):
        raise Malformed(f"{name}: Expected a JSON object.")
    return value


def _devices(values: Sequence[Any], name: str) -> frozenset[int]:
    if not 0 < len(values) <= MAX_DEVICES:
        raise Malformed(f"{name}: Expected 1 to {MAX_DEVICES} devices.")
    return frozenset(_whole({name: value}, name, least=1, most=DEVICE_MAX) for value in values)


def _moment(value: Any, name: str) -> None:
    try:
        seconds = float(value) if isinstance(value, int | float | str) else math.nan
    except ValueError:
        seconds = math.nan
    if isinstance(value, bool) or not 0 <= seconds < TIME_END:
        raise Malformed(f"{name}: Expected Unix seconds from 0 up to the year 2100.")


def _whole(value: Mapping[str, Any], key: str, *, least: int = 0, most: int, name: str = "") -> int:
    """Return a whole number, which may have come as a string."""
    number = value.get(key)
    if isinstance(number, str) and _WHOLE.fullmatch(number.strip()):
        number = int(number)
    if isinstance(number, bool) or not isinstance(number, int) or not least <= number <= most:
        raise Malformed(f"{name or key}: Expected a whole number from {least} to {most}.")
    return number


FORMAT: Final = Format(name="tracing", translate=translate, apply=apply)
