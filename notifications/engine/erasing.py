"""Erasing people's addresses from the history, long before the history itself ends."""

from collections.abc import Iterable
from datetime import datetime, timedelta
from typing import Any, Final
from uuid import UUID

from django.conf import settings
from django.db import transaction

from config import slices, sql
from config.slices import Run
from config.statements import named
from notifications.ids import first_id
from notifications.models import Erasure

#: What stands for an address in what a provider said, as in logs (notifications.masking).
MASKS: Final = (
    (r"[[:alnum:]_.+-]+@[[:alnum:]_-]+(\.[[:alnum:]_-]+)+", "…@…"),
    (r"\+\d[\d ().-]{6,}\d", "+…"),
)

_needed: list[str] = []


def masked(text: str, masks: Iterable[tuple[str, str]], *, flags: str = "g") -> tuple[str, dict[str, Any]]:
    """Return SQL for a text in which masks stand for what their patterns match, and its parameters."""
    parameters: dict[str, Any] = {}
    for number, (pattern, mask) in enumerate(masks):
        text = f"regexp_replace({text}, %(pattern_{number})s, %(mask_{number})s, '{flags}')"
        parameters |= {f"pattern_{number}": pattern, f"mask_{number}": mask}
    return text, parameters


def keep(needed: str) -> None:
    """Have addresses kept where an SQL condition about ``delivery`` holds, though they have ended."""
    _needed.append(needed)


def kept_from(now: datetime) -> UUID | None:
    """Return what the ids of those deliveries come after whose addresses are kept; None: all are."""
    days = settings.ADDRESS_RETENTION_DAYS
    return first_id(now - timedelta(days=days)) if days else None


# What is locked is being changed, by a replay say, and looked at again. Whatever is gone is forgotten.
_ERASE: Final = """
WITH passed AS MATERIALIZED (
    SELECT id FROM notifications_delivery WHERE id > %(up_to)s AND id < %(until)s ORDER BY id LIMIT %(most)s
), chosen AS MATERIALIZED (
    SELECT id FROM passed UNION ALL SELECT unnest(%(unfinished)s::uuid[])
), ended AS MATERIALIZED (
    SELECT delivery.id, delivery.address FROM notifications_delivery AS delivery
     WHERE delivery.id = ANY (ARRAY (SELECT id FROM chosen)) AND delivery.status <> 'pending'
       AND NOT ({needed})
       FOR NO KEY UPDATE SKIP LOCKED
), erased AS (
    UPDATE notifications_delivery SET address = ''
     WHERE id = ANY (ARRAY (SELECT id FROM ended WHERE address <> ''))
), quoted AS (
    UPDATE notifications_attempt AS attempt SET error = {masked}
      FROM ended
     WHERE attempt.delivery_id = ANY (ARRAY (SELECT id FROM ended)) AND ended.id = attempt.delivery_id
       AND attempt.error <> '' AND attempt.error <> {masked}
)
SELECT (SELECT count(*) FROM passed),
       (SELECT id FROM passed ORDER BY id DESC LIMIT 1),
       (SELECT count(*) FROM ended WHERE address <> ''),
       ARRAY (SELECT id FROM notifications_delivery WHERE id = ANY (ARRAY (SELECT id FROM chosen))
               EXCEPT SELECT id FROM ended)
"""


def addresses_erase(run: Run) -> int:
    """Empty the addresses of old deliveries that have ended, and mask those that attempts quote.

    Each run reads what has become old since the one before. Returns how many deliveries had an address.
    """
    until = kept_from(run.now)
    if until is None:
        return 0
    Erasure.objects.get_or_create(pk=1)
    parameters = {"until": until, "most": slices.MOST, **masked("", MASKS)[1]}
    total, seen = 0, slices.MOST
    while seen == slices.MOST:
        with transaction.atomic():
            mark = Erasure.objects.select_for_update(skip_locked=True).first()
            if mark is None:  # another run is at it
                break
            seen, last, erased, mark.unfinished = sql.rows(
                _statement(), {**parameters, "up_to": mark.up_to, "unfinished": mark.unfinished}
            )[0]
            mark.up_to = last or mark.up_to
            mark.save(update_fields=["up_to", "unfinished"])
        total += erased
        if seen == slices.MOST and not run.goes_on():
            break
    return total


def _statement() -> str:
    quoted = "CASE WHEN ended.address = '' THEN error ELSE replace(error, ended.address, '…') END"
    return _ERASE.format(needed=" OR ".join(_needed) or "false", masked=masked(quoted, MASKS)[0])


named("history.erase", "Erase the addresses of old deliveries that have ended.", _statement)
