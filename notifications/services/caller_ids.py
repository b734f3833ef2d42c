"""The registry of caller ids, in the original's form: ``{"+385": "+3851111111", "default": "+1…"}``."""

from collections.abc import Mapping
from typing import Any

from django.core.exceptions import ValidationError
from django.db import transaction

from notifications.models import CallerId

MOST = 1000


def caller_ids_replace(*, registry: Mapping[str, Any]) -> dict[str, str]:
    """Put this registry in the place of what there is; returns it as stored.

    Raises:
        ValidationError: what is wrong with it, by prefix; nothing was changed.
    """
    rows = _checked(registry)
    with transaction.atomic():
        CallerId.objects.exclude(prefix__in=[row.prefix for row in rows]).delete()
        _put(rows)
    return caller_ids()


def caller_ids_put(*, registry: Mapping[str, Any]) -> dict[str, str]:
    """Add these caller ids, in the place of those of the same prefix; returns the whole registry.

    Raises:
        ValidationError: as `caller_ids_replace` does.
    """
    _put(_checked(registry))
    return caller_ids()


def caller_ids() -> dict[str, str]:
    return dict(CallerId.objects.values_list("prefix", "number"))


def _checked(registry: Mapping[str, Any]) -> list[CallerId]:
    if len(registry) > MOST:
        raise ValidationError(f"Give at most {MOST} caller ids.")
    rows = [CallerId(prefix=prefix, number=number) for prefix, number in registry.items()]
    faults: dict[str, list[str]] = {}
    for row in rows:
        try:
            if not isinstance(row.number, str):
                raise ValidationError("Expected a phone number such as +3851111111, as a string.")
            row.clean_fields(exclude=["id"])
        except ValidationError as error:
            faults[row.prefix[:40]] = error.messages
    if faults:
        raise ValidationError(faults)
    return rows


def _put(rows: list[CallerId]) -> None:
    # In one order for all, so that two at once can't deadlock.
    CallerId.objects.bulk_create(
        sorted(rows, key=lambda row: row.prefix),
        update_conflicts=True,
        unique_fields=["prefix"],
        update_fields=["number"],
    )
