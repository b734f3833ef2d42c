"""PagerDuty's Events API v2: one event a request, trigger, acknowledge or resolve by its ``dedup_key``.

The labels are source, component, group, class, client and severity of an event. Change events are refused:
they tell of no problem, and what is accepted is kept.

Format: https://developer.pagerduty.com/docs/events-api-v2-overview
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from http import HTTPStatus
from typing import Any, Final

from escalation.intake import answer
from escalation.intake.answer import Answer
from escalation.intake.occurrence import (
    Act,
    Malformed,
    Occurrence,
    details_of,
    first_text,
    key_made_of,
    link_of,
    mapping_of,
    occurrence_of,
    plain,
)

_ACTS: Final = {each.value: each for each in (Act.TRIGGER, Act.ACKNOWLEDGE, Act.RESOLVE)}
_LABELS: Final = ("source", "component", "group", "class", "severity")
#: Pictures and links beyond these are left out of the details.
_MAX_LINKS: Final = 20

unavailable = answer.unavailable


@dataclass(frozen=True, slots=True)
class Event:
    """An occurrence, and the key to answer with."""

    dedup_key: str
    occurrence: Occurrence


def routing_key_of(body: object) -> str:
    """Return what names the integration in a body, of whatever kind that is; "": nothing."""
    given = mapping_of(body).get("routing_key")
    return given if isinstance(given, str) else ""


def event(body: object) -> Event:
    """Return the event of a request to ``/v2/enqueue``.

    A trigger without a ``dedup_key`` has one made of its body, so that sending it again makes no second
    group.

    Raises:
        Malformed: its action is unknown, or what that needs is missing.
    """
    if not isinstance(body, Mapping):
        raise Malformed("Expected a JSON object.")
    action = body.get("event_action")
    act = _ACTS.get(action) if isinstance(action, str) else None
    if act is None:
        raise Malformed("event_action must be one of: trigger, acknowledge, resolve.")
    payload = mapping_of(body.get("payload"))
    if act is Act.TRIGGER and not first_text([payload.get("summary")]):
        raise Malformed("payload.summary is missing or blank.")
    key = body.get("dedup_key")
    if key in (None, ""):
        if act is not Act.TRIGGER:
            raise Malformed(f"dedup_key is missing: {action} needs the key of a trigger.")
        key = key_made_of(body)
    return Event(plain(key), _occurrence(key, act, payload, body))


def accepted(dedup_key: str) -> Answer:
    """Return the key as it was sent, or the one that was made: clients acknowledge and resolve by it."""
    body = {"status": "success", "message": "Event processed", "dedup_key": dedup_key}
    return Answer(HTTPStatus.ACCEPTED, body)


def malformed(error: Malformed) -> Answer:
    return _invalid(str(error))


def refused() -> Answer:
    """Answer 400, as PagerDuty does: nothing in its API is answered 401."""
    return _invalid("The routing key is unknown.")


def change_refused() -> Answer:
    """Return the answer to ``/v2/change/enqueue``."""
    return _invalid("Change events are not kept here; send alert events to /v2/enqueue.")


def too_many() -> Answer:
    body = {"status": "throttle exceeded", "message": "Too many events. Nothing was kept; try again."}
    return Answer(HTTPStatus.TOO_MANY_REQUESTS, body, answer.WAIT)


def _invalid(reason: str) -> Answer:
    body = {"status": "invalid event", "message": "Event object is invalid", "errors": [reason]}
    return Answer(HTTPStatus.BAD_REQUEST, body)


def _occurrence(key: object, act: Act, payload: Mapping[str, Any], body: Mapping[str, Any]) -> Occurrence:
    links, images = _objects(body.get("links")), _objects(body.get("images"))
    lines = [details_of(payload.get("custom_details"))]
    lines += [f"{plain(each.get('text')) or 'Link'}: {plain(each.get('href'))}" for each in links]
    lines += [f"{plain(each.get('alt')) or 'Picture'}: {plain(each.get('src'))}" for each in images]
    labels = {name: payload[name] for name in _LABELS if payload.get(name)}
    if client := body.get("client"):
        labels["client"] = client
    return occurrence_of(
        key=key,
        act=act,
        title=payload.get("summary"),
        details="\n".join(lines),
        severity=payload.get("severity", ""),
        labels=labels,
        link=link_of(*(each.get("href") for each in links), body.get("client_url")),
        at=payload.get("timestamp"),
    )


def _objects(value: object) -> Sequence[Mapping[str, Any]]:
    given = value[:_MAX_LINKS] if isinstance(value, list) else []
    return [each for each in given if isinstance(each, Mapping)]
