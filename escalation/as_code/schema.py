"""What a file of `manage.py apply` may hold, as a JSON Schema: for editors, and what is checked first."""

from collections.abc import Iterable
from typing import Any, Final

from django.conf import settings

from accounts.models import Role
from escalation.models import Integration
from escalation.models.schedule import MAX_DRILL_DAYS, MAX_PER_TURN, MAX_SHIFT_H
from escalation.policies.definition import EVERYONE, MAX_S, MAX_STEPS, MAX_TARGETS, ON_CALL, WHOM
from escalation.schedules.hours import WEEKDAYS
from notifications.channels import registry
from notifications.models import Severity

_TEXT: Final = {"type": "string"}
_NAME: Final = {"type": "string", "minLength": 1, "maxLength": 100}
_MAYBE_NAME: Final = {"type": ["string", "null"], "maxLength": 100}
_COUNT: Final = {"type": "integer", "minimum": 0}
_FLAG: Final = {"type": "boolean"}
_PEOPLE: Final = {"type": "array", "items": _TEXT, "uniqueItems": True, "description": "Email addresses."}
_TIME: Final = {"type": "string", "format": "date-time"}
_CLOCK: Final = {"type": "string", "pattern": r"^([01]\d|2[0-3]):[0-5]\d$"}
_LABEL: Final = {"type": "string", "minLength": 1}


def schema() -> dict[str, Any]:
    """Return the schema of a file."""
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "Tocsin: people, shops, who is on call, and who is told of what",
        "description": "What a file leaves out of a thing stays as it is; a new one gets the default.",
        "type": "object",
        "additionalProperties": False,
        "properties": {name: {"type": "array", "items": each} for name, each in _kinds().items()},
    }


def _kinds() -> dict[str, dict[str, Any]]:
    channels = {"type": "array", "items": _one_of(_personal()), "uniqueItems": True}
    return {
        "users": _object(
            {"email": {"type": "string", "format": "email"}},
            first_name=_TEXT,
            last_name=_TEXT,
            language=_one_of(code for code, _ in settings.LANGUAGES),
            time_zone=_TEXT,
            phone=_TEXT,
            role=_one_of(["", *Role.values]),
            is_active=_FLAG,
        ),
        "shops": _object(
            {"slug": _NAME},
            name={"type": "string", "minLength": 1, "maxLength": 200},
            group_alerts_s=_COUNT,
            repeat_alerts_s=_COUNT,
            members=_PEOPLE,
        ),
        "schedules": _object(
            {"name": _NAME},
            may_have_gaps=_FLAG,
            drill_every_days={"type": ["integer", "null"], "minimum": 1, "maximum": MAX_DRILL_DAYS},
            drill_at={"type": "string", "pattern": r"^([01]\d|2[0-3]):[0-5]\d(:[0-5]\d)?$"},
            layers={"type": "array", "description": "All, from the lowest.", "items": _layer()},
            overrides={
                "type": "array",
                "description": "Of those that end in the future, all.",
                "items": _object(
                    {"user": _TEXT, "starts_at": _TIME, "ends_at": _TIME},
                    instead_of={"type": ["string", "null"], "description": "In whose place alone."},
                ),
            },
        ),
        "policies": _object(
            {"name": _NAME},
            severity=_one_of(Severity.values),
            time_zone=_TEXT,
            repeats=_COUNT,
            repeat_every_s=_COUNT,
            acknowledge_timeout_s={"type": ["integer", "null"], "minimum": 1},
            repeat_until_acknowledged=_FLAG,
            steps={"type": "array", "minItems": 1, "maxItems": MAX_STEPS, "items": _step(channels)},
            last_resort=_targets(channels, whom=(ON_CALL, EVERYONE), least=0),
        ),
        "integrations": _object(
            {"name": _NAME},
            format=_one_of(Integration.Format.values),
            shop=_MAYBE_NAME,
            policy=_MAYBE_NAME,
            severity=_one_of(Severity.values),
            mapping={"type": "object"},
            is_enabled=_FLAG,
        ),
        "routes": _object(
            {"name": _NAME},
            matchers={
                "type": "array",
                "items": _object({"label": _LABEL, "op": _one_of(("=", "!=", "~")), "value": _TEXT}),
            },
            policy=_MAYBE_NAME,
            group_by={"type": "array", "items": _LABEL},
            group_wait_s=_COUNT,
            group_interval_s=_COUNT,
            repeat_interval_s=_COUNT,
            is_shadow=_FLAG,
            is_enabled=_FLAG,
        ),
    }


def _layer() -> dict[str, Any]:
    weekdays = {"type": "array", "minItems": 1, "items": _one_of(WEEKDAYS)}
    turns = {
        "starts_on": {"type": "string", "format": "date"},
        "handoff_at": {"type": "string", "pattern": r"^([01]\d|2[0-3]):[0-5]\d(:[0-5]\d)?$"},
        "shift_h": {"type": "integer", "minimum": 1, "maximum": MAX_SHIFT_H},
        "members": {"type": "array", "items": _TEXT, "description": "Email addresses, in their order."},
    }
    layer = _object(
        {"time_zone": _TEXT},
        **turns,
        name={"type": "string", "maxLength": 100},
        per_turn={"type": "integer", "minimum": 1, "maximum": MAX_PER_TURN},
        restrictions={
            "type": "array",
            "items": _object({"weekdays": weekdays, "begin": _CLOCK, "end": _CLOCK}),
        },
        ical_url={
            "type": "string",
            "description": "Of a calendar that has people on call, without turns.",
        },
    )
    return {**layer, "if": {"not": {"required": ["ical_url"]}}, "then": {"required": list(turns)}}


def _step(channels: dict[str, Any]) -> dict[str, Any]:
    after_s = {"type": "integer", "minimum": 0, "maximum": MAX_S}
    only = {
        "type": "object",
        "additionalProperties": False,
        "properties": {
            "weekdays": {"type": "array", "minItems": 1, "items": _one_of(WEEKDAYS)},
            "begin": _CLOCK,
            "end": _CLOCK,
            "severity": _one_of(Severity.values),
        },
    }
    targets = _targets(channels, whom=WHOM, least=1, only=only)
    return _object({"after_s": after_s, "targets": targets}, only=only)


def _targets(
    channels: dict[str, Any], *, whom: Iterable[str], least: int, **also: dict[str, Any]
) -> dict[str, Any]:
    targets = [
        _object({"user": _TEXT}, channels=channels, **also),
        _object({"schedule": _NAME}, channels=channels, whom=_one_of(whom), **also),
        _object({"address": _TEXT, "channel": _one_of(registry.ADDRESS_FIELDS)}, **also),
    ]
    return {"type": "array", "minItems": least, "maxItems": MAX_TARGETS, "items": {"oneOf": targets}}


def _object(needed: dict[str, Any], **others: Any) -> dict[str, Any]:
    return {
        "type": "object",
        "additionalProperties": False,
        "required": list(needed),
        "properties": {**needed, **others},
    }


def _one_of(values: Iterable[str]) -> dict[str, Any]:
    return {"enum": list(values)}


def _personal() -> list[str]:
    return sorted(name for name, channel in registry.CHANNELS.items() if channel.for_contacts)
