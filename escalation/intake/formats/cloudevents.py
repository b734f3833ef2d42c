"""CloudEvents 1.0 over HTTP: structured, binary and batched, in JSON.

**The key** is the extension attribute ``dedupkey``; without one the event's source and subject; without a
subject its source and its type, less a last word that says a state. So ``org.example.disk.failed`` is
closed by ``org.example.disk.resolved`` of the same source.

**The state** is ``data.state`` if there is one, or else the last word of the type.

The labels are the event's attributes but id, time and those of its data, and the members of ``data.labels``.
Title, severity, link and details are those of ``data`` (``title``, ``summary`` or ``message``; ``severity``;
``link`` or ``url``; ``description``) where it has them.

Format: https://github.com/cloudevents/spec/blob/v1.0.2/cloudevents/bindings/http-protocol-binding.md
"""

import re
from collections.abc import Mapping
from http import HTTPStatus
from typing import Final
from urllib.parse import unquote

from escalation.intake import answer
from escalation.intake.answer import Answer
from escalation.intake.occurrence import (
    ACKNOWLEDGED,
    RESOLVED,
    Malformed,
    Occurrence,
    act_of,
    first_text,
    link_of,
    list_of,
    mapping_of,
    occurrence_of,
)

_STRUCTURED: Final = "application/cloudevents+json"
_BATCH: Final = "application/cloudevents-batch+json"
_REQUIRED: Final = ("id", "source", "specversion", "type")
_NO_LABELS: Final = frozenset(
    ("id", "time", "specversion", "dedupkey", "data", "data_base64", "datacontenttype", "dataschema")
)
#: Last words of types that say, as those of a resolve do, a state and no kind of thing.
_BEGUN: Final = frozenset((
    "failed", "failing", "failure", "firing", "fired", "triggered", "raised", "opened", "open", "created",
    "started", "down", "unhealthy", "degraded", "critical", "error", "warning", "problem", "alerting",
    "updated",
))  # fmt: skip

accepted = answer.kept
refused = answer.refused
too_many = answer.too_many
unavailable = answer.unavailable


class Unsupported(Malformed):
    """A format of events that isn't JSON."""


def malformed(error: Malformed) -> Answer:
    """Answer 415, as the specification asks, if the format is unknown; otherwise 400."""
    if isinstance(error, Unsupported):
        return Answer(HTTPStatus.UNSUPPORTED_MEDIA_TYPE, {"detail": str(error)})
    return answer.malformed(error)


def permitted() -> Answer:
    """Return the answer to OPTIONS: whoever asks may send, at any rate.

    See https://github.com/cloudevents/spec/blob/v1.0.2/cloudevents/http-webhook.md
    """
    headers = {"Allow": "POST, OPTIONS", "WebHook-Allowed-Origin": "*", "WebHook-Allowed-Rate": "*"}
    return Answer(HTTPStatus.OK, None, headers)


def occurrences(body: object, headers: Mapping[str, str]) -> list[Occurrence]:
    """Return what a request reports, an occurrence for each event.

    Args:
        body: the JSON value; for events in headers whatever their data is, text if it isn't JSON.
        headers: names in any case.

    Raises:
        Malformed: an event lacks an attribute that each must have, or is of another version.
    """
    lower = {name.lower(): value for name, value in headers.items()}
    kind = lower.get("content-type", "").partition(";")[0].strip().lower()
    if "ce-specversion" in lower and not kind.startswith("application/cloudevents"):
        attributes = {name[3:]: _header(value) for name, value in lower.items() if name.startswith("ce-")}
        return [_occurrence({**attributes, "data": body})]
    if kind.startswith("application/cloudevents") and kind not in (_STRUCTURED, _BATCH):
        raise Unsupported("Events are taken in JSON only.")
    # Without the right type, as from curl, the body says which it is.
    events = list_of(body, "A batch") if kind == _BATCH or isinstance(body, list) else [body]
    return [_occurrence(event) for event in events]


def _occurrence(event: object) -> Occurrence:
    if not isinstance(event, Mapping):
        raise Malformed("An event is not a JSON object.")
    for name in _REQUIRED:
        if not first_text([event.get(name)]):
            raise Malformed(f"The attribute {name} is missing or blank.")
    if event["specversion"].strip() != "1.0":
        raise Malformed("Only version 1.0 of CloudEvents is known here.")
    stem, word = _split(event["type"])
    data = event.get("data")
    given = mapping_of(data)
    subject = first_text([event.get("subject")])
    title = first_text(given.get(name) for name in ("title", "summary", "message"))
    attributes = {name: value for name, value in event.items() if name not in _NO_LABELS}
    return occurrence_of(
        key=first_text([event.get("dedupkey")]) or f"{event['source']} {subject or stem}",
        act=act_of(first_text([given.get("state")]).strip().lower() or word),
        title=title or " ".join(filter(None, (event["type"], subject))),
        details=given.get("description") or data,
        severity=first_text((given.get("severity"), event.get("severity"))),
        labels={**mapping_of(given.get("labels")), **attributes},
        link=link_of(given.get("link"), given.get("url"), event["source"]),
        at=event.get("time"),
    )


def _split(kind: str) -> tuple[str, str]:
    """Return a type without a last word that says a state, and that word in lower case, or ""."""
    cut = max(kind.rfind(sign) for sign in "._:/-")
    word = kind[cut + 1 :].lower()
    return (kind[: max(cut, 0)], word) if word in _BEGUN | RESOLVED | ACKNOWLEDGED else (kind, "")


def _header(value: str) -> str:
    """Return an attribute as it was before it became a header: unquoted, percent-decoded."""
    text = value.strip()
    if len(text) >= 2 and text[0] == text[-1] == '"':
        text = re.sub(r"\\(.)", r"\1", text[1:-1])
    return unquote(text)
