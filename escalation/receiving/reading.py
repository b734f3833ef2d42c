"""A body as occurrences, by the format of the integration that it came to."""

from collections.abc import Mapping
from typing import Any, Final

from django.core.exceptions import ValidationError

from config.rest.api import json_of
from config.rest.exceptions import BadJSON
from escalation.intake.formats import alertmanager, cloudevents, generic, grafana, opsgenie, pagerduty
from escalation.intake.formats.generic import JsonMapping
from escalation.intake.occurrence import Malformed, Occurrence
from escalation.models import Integration

Format = Integration.Format

#: Names of a mapping that hold words for states; all others hold an expression.
_WORDS: Final = ("resolved", "acknowledged", "noted")
_MOST_WORDS: Final = 50
_NAMES: Final = tuple(JsonMapping.__dataclass_fields__)


class NotJSON(Malformed):
    """A body is not JSON, or more of it than is taken."""


def occurrences_of(integration: Integration, raw: bytes, headers: Mapping[str, str]) -> list[Occurrence]:
    """Return what a body reports.

    Raises:
        Malformed: it isn't of the integration's format.
    """
    match integration.format:
        case Format.ALERTMANAGER:
            return alertmanager.occurrences(value_of(raw))
        case Format.GRAFANA:
            return grafana.occurrences(value_of(raw))
        case Format.PAGERDUTY:
            return [pagerduty.event(value_of(raw)).occurrence]
        case Format.OPSGENIE:
            return [opsgenie.created(value_of(raw))]
        case Format.CLOUDEVENTS:
            return cloudevents.occurrences(_data_of(raw, headers), headers)
        case _:
            return generic.occurrences(mapping_of(integration.mapping), value_of(raw))


def value_of(raw: bytes) -> Any:
    """Return the value of a body that is JSON.

    Raises:
        NotJSON: it is none.
    """
    try:
        return json_of(raw)
    except BadJSON as error:
        raise NotJSON(str(error)) from None


def mapping_of(stored: Mapping[str, Any]) -> JsonMapping:
    """Return the mapping that an integration has: ``{"ready": "zabbix"}``, or an expression by name.

    Raises:
        Malformed: it has none yet.
    """
    if ready := generic.READY.get(stored.get("ready", "")):
        return ready
    if not stored.get("key"):
        raise Malformed("The integration has no mapping: it can't be said where a body's key is.")
    return _mapping(stored)


def mapping_check(stored: object) -> None:
    """Raise ValidationError unless ``mapping_of`` makes a mapping of this that can be used."""
    if not isinstance(stored, dict):
        raise ValidationError({"mapping": "Expected an object."})
    if "ready" in stored:
        if stored not in [{"ready": name} for name in generic.READY]:
            raise ValidationError({"mapping": f"ready: Expected one of: {', '.join(generic.READY)}."})
        return
    if unknown := sorted(stored.keys() - set(_NAMES)):
        raise ValidationError({"mapping": f"There is no {unknown[0][:50]} in a mapping."})
    for name, value in stored.items():
        if name in _WORDS:
            is_right = isinstance(value, list) and len(value) <= _MOST_WORDS
            is_right = is_right and all(isinstance(word, str) and word == word.lower() for word in value)
        else:
            is_right = isinstance(value, str)
        # PostgreSQL's JSON holds no NUL.
        if not is_right or "\0" in "".join(value):
            expected = "a list of words in lower case" if name in _WORDS else "an expression"
            raise ValidationError({"mapping": f"{name}: Expected {expected}."})
    if problems := generic.problems_of(_mapping({"key": "", **stored})):
        raise ValidationError({"mapping": [f"{name}: {problem}" for name, problem in problems.items()]})


def _mapping(stored: Mapping[str, Any]) -> JsonMapping:
    words = {name: frozenset(stored[name]) for name in _WORDS if name in stored}
    return JsonMapping(**{**stored, **words})


def _data_of(raw: bytes, headers: Mapping[str, str]) -> Any:
    """Return the JSON of a body; of an event whose attributes are in headers, text where it is none."""
    if not any(name.lower() == "ce-specversion" for name in headers):
        return value_of(raw)
    try:
        return json_of(raw) if raw else None
    except BadJSON:
        return raw.decode("utf-8", "replace")
