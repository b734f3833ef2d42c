"""Alertmanager's webhook, version 4: each alert is an occurrence, and its fingerprint the key.

The labels are the alert's, and ``receiver`` and ``groupKey`` of the body where the alert has no such label.
So routes can match by Alertmanager's receiver, and a route that groups by ``groupKey`` groups as
Alertmanager does.

Format: https://prometheus.io/docs/alerting/latest/configuration/#webhook_config
"""

from collections.abc import Mapping, Sequence
from typing import Any, Final

from escalation.intake import answer
from escalation.intake.answer import Answer
from escalation.intake.occurrence import (
    Act,
    Malformed,
    Occurrence,
    first_text,
    key_made_of,
    link_of,
    list_of,
    mapping_of,
    occurrence_of,
    plain,
)

#: In annotations, what says in one line what is wrong, and what says more; the best first.
_TITLES: Final = ("summary", "title", "message")
_DETAILS: Final = ("description", "message")
_NOTHING: Final[Mapping[str, Any]] = {}

accepted = answer.kept
malformed = answer.malformed
refused = answer.refused
unavailable = answer.unavailable


def too_many() -> Answer:
    """Answer 503: Alertmanager's webhook repeats 5xx at once, and nothing else."""
    return answer.unavailable()


def occurrences(body: object) -> list[Occurrence]:
    """Return what a body reports, an occurrence for each of its alerts.

    Raises:
        Malformed: it is not Alertmanager's, or one of its alerts has neither a fingerprint nor labels.
    """
    if not isinstance(body, Mapping):
        raise Malformed("Expected a JSON object with alerts.")
    return [occurrence(body, alert) for alert in list_of(body.get("alerts"), "alerts")]


def occurrence(
    body: Mapping[str, Any], alert: object, *, more: Sequence[str] = (), labels: Mapping[str, Any] = _NOTHING
) -> Occurrence:
    """Return one alert's occurrence; ``more`` are further lines of its details, ``labels`` further labels."""
    if not isinstance(alert, Mapping):
        raise Malformed("An alert is not a JSON object.")
    own = mapping_of(alert.get("labels"))
    annotations = mapping_of(alert.get("annotations"))
    fingerprint = alert.get("fingerprint")
    if not fingerprint and not own:
        raise Malformed("An alert has neither a fingerprint nor labels.")
    # The body's status is its alerts' if they give none: firing as long as one of them is.
    status = first_text((alert.get("status"), body.get("status")))
    return occurrence_of(
        key=fingerprint or key_made_of(own),
        act=Act.RESOLVE if status == "resolved" else Act.TRIGGER,
        title=first_text(annotations.get(name) for name in _TITLES) or _name(own),
        details="\n".join([*_lines(annotations), *more, *_left_out(body)]),
        severity=own.get("severity", ""),
        labels={**_of_group(body), **labels, **own},
        link=link_of(alert.get("generatorURL"), body.get("externalURL")),
        at=alert.get("startsAt"),
    )


def _name(labels: Mapping[str, Any]) -> str:
    """Return the name of an alert with the labels that tell it apart."""
    apart = [
        f"{name}={plain(value)}" for name, value in labels.items() if name not in ("alertname", "severity")
    ]
    return " ".join([plain(labels.get("alertname")) or "Alert", f"({', '.join(apart)})" if apart else ""])


def _lines(annotations: Mapping[str, Any]) -> list[str]:
    """Return the description, then each other annotation with its name; not what the title says."""
    described = next((name for name in _DETAILS if annotations.get(name)), "")
    titled = next((name for name in _TITLES if first_text([annotations.get(name)])), "")
    others = [
        f"{name}: {plain(value)}"
        for name, value in annotations.items()
        if name not in (described, titled) and value
    ]
    return [*([plain(annotations[described])] if described and described != titled else []), *others]


def _of_group(body: Mapping[str, Any]) -> dict[str, Any]:
    return {name: body[name] for name in ("receiver", "groupKey") if isinstance(body.get(name), str)}


def _left_out(body: Mapping[str, Any]) -> list[str]:
    count = body.get("truncatedAlerts")
    if isinstance(count, int) and not isinstance(count, bool) and count > 0:
        return [f"The sender left out further alerts of this group: {plain(count)}."]
    return []
