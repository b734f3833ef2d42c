"""The sweep's look for heartbeats whose time is over."""

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Final
from uuid import UUID

import structlog
from django.db import transaction

from config import clock
from config.sql import run_prepared
from config.statements import named
from escalation.heartbeats import absence, telling
from escalation.models import Heartbeat
from notifications import looks
from notifications.database import array

log = structlog.get_logger(__name__)

_ANY_DUE: Final = looks.first("escalation_heartbeat WHERE due_at <= %(now)s", by="due_at")
ANY_DUE: Final = f"({_ANY_DUE} OR {absence.NOT_NOTED})"
#: What can't be told is tried again so long afterwards.
TRY_AGAIN: Final = timedelta(minutes=1)
# Heartbeats of one transaction.
_MOST: Final = 500

# Whatever pings one of them meanwhile has it locked.
_MISS: Final = """
WITH due AS MATERIALIZED (
    SELECT id FROM escalation_heartbeat
     WHERE id = ANY (%(ids)s::uuid[]) AND due_at <= %(now)s
     ORDER BY id FOR UPDATE SKIP LOCKED
)
UPDATE escalation_heartbeat AS it SET state = 'down', due_at = NULL
  FROM due WHERE it.id = due.id RETURNING it.id
"""
named("heartbeats.miss", "Take heartbeats down whose time is over.", _MISS)


def look(now: datetime) -> None:
    """Take down whatever is due, and have it told; before that, note that somebody looks."""
    absence.note(now)
    began = clock.elapsed()
    due = Heartbeat.objects.filter(due_at__lte=now).order_by("due_at").values_list("pk", flat=True)
    while ids := list(due[:_MOST]):
        try:
            count = _miss(ids, now)
        except Exception as error:
            if looks.is_away(error):
                raise
            count = sum(_miss_alone(pk, now) for pk in ids)
        # Telling thousands may take as long as an absence.
        absence.note(now + timedelta(seconds=clock.elapsed() - began))
        if not count:  # all of them are being pinged
            return


@transaction.atomic
def _miss(ids: Sequence[UUID], now: datetime) -> int:
    down = [pk for (pk,) in run_prepared(_MISS, {"ids": array(ids), "now": now})]
    heartbeats = Heartbeat.objects.select_related("policy", "shop").filter(pk__in=down).order_by("pk")
    if down:
        telling.down_tell([telling.missed(each) for each in heartbeats], now=now)
    return len(down)


def _miss_alone(pk: UUID, now: datetime) -> int:
    """Take one down of several of which one can't be told; the others are to be told all the same."""
    try:
        return _miss([pk], now)
    except Exception as error:
        if looks.is_away(error):
            raise
        log.exception("heartbeat_not_told", heartbeat=str(pk))
        return Heartbeat.objects.filter(pk=pk, due_at__lte=now).update(due_at=now + TRY_AGAIN)
