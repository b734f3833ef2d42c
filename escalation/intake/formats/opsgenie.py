"""Opsgenie's Alert API: create, acknowledge, close, notes and the rest by an alert's alias, id or number.

The labels are the alert's ``details``, and its source, entity, priority, tags and responders. P1 and P2 are
critical, P3 to P5 standard. What Tocsin has no act for (snooze, assign, more tags) is kept as a note, so
that no client fails by it.

Format: https://docs.opsgenie.com/docs/alert-api
"""

from collections.abc import Mapping
from datetime import datetime
from http import HTTPStatus
from typing import Any, Final, Literal, NamedTuple

from escalation.intake import answer
from escalation.intake.answer import Answer
from escalation.intake.occurrence import (
    Act,
    Malformed,
    Occurrence,
    details_of,
    first_text,
    key_made_of,
    key_of,
    list_of,
    mapping_of,
    occurrence_of,
    plain,
)

#: What comes after ``/v2/alerts/<identifier>/``; "delete" stands for the method DELETE.
ACTIONS: Final[Mapping[str, Act]] = {
    "acknowledge": Act.ACKNOWLEDGE,
    "close": Act.RESOLVE,
    "delete": Act.RESOLVE,
    **dict.fromkeys((
        "notes", "unacknowledge", "snooze", "escalate", "assign", "responders", "teams", "tags", "details",
        "message", "description", "priority",
    ), Act.NOTE),
}  # fmt: skip
IdentifierType = Literal["alias", "id", "tiny"]
_IDENTIFIER_TYPES: Final[Mapping[str, IdentifierType]] = {"alias": "alias", "id": "id", "tiny": "tiny"}
_LABELS: Final = ("source", "entity", "priority")


class Identifier(NamedTuple):
    """Which alert is meant: by a key (its alias), or by an id or a number of ours, to be looked up."""

    type: IdentifierType
    value: str


def created(body: object) -> Occurrence:
    """Return the occurrence of ``POST /v2/alerts``.

    Without an alias it has a key made of its body, so that sending it again makes no second group.

    Raises:
        Malformed: it has no message.
    """
    if not isinstance(body, Mapping):
        raise Malformed("Expected a JSON object.")
    if not first_text([body.get("message")]):
        raise Malformed("message is missing or blank.")
    alias, details = body.get("alias"), mapping_of(body.get("details"))
    labels = {name: body[name] for name in _LABELS if body.get(name)}
    labels |= {name: _names(body.get(name)) for name in ("tags", "responders")}
    texts = [details_of(body.get("description")), details_of(body.get("note")), details_of(details)]
    return occurrence_of(
        key=key_made_of(body) if alias in (None, "") else alias,
        title=body.get("message"),
        details="\n\n".join(text for text in texts if text),
        # Alertmanager sends no priority unless told to, but the labels that its alerts have in common.
        severity=first_text((body.get("priority"), details.get("severity"))),
        labels={**labels, **details},
    )


def acted(action: str, key: str, body: object) -> Occurrence:
    """Return the occurrence of an action on the alert of a key; the body may be empty.

    Raises:
        Malformed: there is no such action, or a note has no text.
    """
    act = ACTIONS.get(action)
    if act is None:
        raise Malformed("There is no such action.")
    given = mapping_of(body)
    note = first_text([given.get("note")])
    if action == "notes" and not note:
        raise Malformed("note is missing or blank.")
    if act is Act.NOTE and action != "notes":
        asked = {name: value for name, value in given.items() if name not in ("note", "user", "source")}
        note = "\n".join(text for text in (action.capitalize(), details_of(asked), note) if text)
    by = first_text([given.get("user"), given.get("source")])
    return occurrence_of(key=key, act=act, details=note, by=by)


def identified(identifier: str, identifier_type: str | None) -> Identifier:
    """Return which alert a path and its ``identifierType`` name; without one, an id.

    Raises:
        Malformed: there is no such type, or the identifier is empty.
    """
    kind = _IDENTIFIER_TYPES.get(identifier_type or "id")
    if kind is None:
        raise Malformed("identifierType must be one of: id, alias, tiny.")
    return Identifier(kind, key_of(identifier))


def accepted(request_id: str, *, took_s: float = 0.0) -> Answer:
    """Say that a request is kept; ``request_id`` is what its client asks for the result by."""
    return _answer(HTTPStatus.ACCEPTED, request_id, {"result": "Request will be processed"}, took_s)


def request_status(
    request_id: str,
    *,
    action: str,
    status: str,
    success: bool,
    processed_at: datetime,
    alert_id: str,
    alias: str,
) -> Answer:
    """Return what came of a request: ``GET /v2/alerts/requests/<request id>``.

    Args:
        action: Create, Acknowledge, Close or another, with a capital.
        status: such as "Created alert" or "Alert does not exist".
        alert_id: the group's; "" if there is none, as for an alert that doesn't exist.
    """
    data = {
        "success": success,
        "isSuccess": success,
        "action": action,
        "processedAt": processed_at.isoformat(timespec="milliseconds").replace("+00:00", "Z"),
        "integrationId": "",
        "status": status,
        "alertId": alert_id,
        "alias": alias,
    }
    return _answer(HTTPStatus.OK, request_id, {"data": data})


def unreadable(request_id: str) -> Answer:
    """Return the answer to a body that is no JSON."""
    return _answer(HTTPStatus.BAD_REQUEST, request_id, {"message": "The body is not JSON."})


def malformed(error: Malformed, request_id: str) -> Answer:
    return _answer(HTTPStatus.UNPROCESSABLE_ENTITY, request_id, {"message": str(error)})


def refused(request_id: str) -> Answer:
    """Say that the ``GenieKey`` is unknown."""
    return _answer(HTTPStatus.UNAUTHORIZED, request_id, {"message": "The API key is unknown."})


def not_found(request_id: str) -> Answer:
    """Say that there is no such request, or no such path."""
    return _answer(HTTPStatus.NOT_FOUND, request_id, {"message": "There is no such request or path."})


def too_many(request_id: str) -> Answer:
    body = {"message": "Too many requests. Nothing was kept; try again."}
    return _answer(HTTPStatus.TOO_MANY_REQUESTS, request_id, body, headers=answer.WAIT)


def unavailable(request_id: str) -> Answer:
    body = {"message": "Nothing could be kept. Try again."}
    return _answer(HTTPStatus.SERVICE_UNAVAILABLE, request_id, body, headers=answer.WAIT)


def _answer(
    status: HTTPStatus,
    request_id: str,
    body: Mapping[str, Any],
    took_s: float = 0.0,
    headers: Mapping[str, str] | None = None,
) -> Answer:
    """Return an answer with what each of Opsgenie's has: ``took``, ``requestId``, and the id as a header."""
    body = {**body, "took": round(took_s, 3), "requestId": request_id}
    return Answer(status, body, {"X-Request-Id": request_id, **(headers or {})})


def _names(value: object) -> str:
    """Return tags, or the names of responders, in one line."""
    if not isinstance(value, list):
        return ""
    names = [_name(each) if isinstance(each, Mapping) else plain(each) for each in list_of(value, "A list")]
    return ", ".join(name for name in names if name)


def _name(responder: Mapping[str, Any]) -> str:
    return first_text(responder.get(name) for name in ("name", "username", "id"))
