"""The rounds after the first: each is planned as it begins, with whoever is on call then."""

from datetime import datetime, timedelta
from typing import Final
from uuid import UUID

import structlog

from escalation import selectors
from escalation.models import EscalationProcess
from escalation.services.messages import HELD_S
from escalation.services.policies import round_planned
from escalation.services.processes import ROUND_AHEAD, round_begin
from notifications import looks
from notifications.engine.recipients import Recipient

log = structlog.get_logger(__name__)

ANY_DUE: Final = looks.first(
    f"escalation_escalationprocess WHERE state = 'active'"
    f" AND next_round_at <= %(now)s::timestamptz + interval '{ROUND_AHEAD.total_seconds():.0f} s'",
    by="next_round_at",
)
# Processes of one look; the next goes on.
_MOST: Final = 100


def look(now: datetime) -> None:
    """Begin the rounds that are about to be due."""
    until = now + ROUND_AHEAD
    due = EscalationProcess.objects.filter(state=EscalationProcess.State.ACTIVE, next_round_at__lte=until)
    for process in due.order_by("next_round_at")[:_MOST]:
        try:
            round_begin(process=process, plan=_planned, now=until)
        except Exception as error:  # those after it are to begin all the same
            if looks.is_away(error):
                raise
            log.exception("escalation_round_not_begun", process=str(process.pk))


def _planned(process: EscalationProcess, begins_at: datetime) -> list[Recipient]:
    assert process.policy_version is not None  # only policies have rounds
    found = round_planned(
        process.policy_version,
        number=process.round,
        begins_at=begins_at,
        held_back=_held_back(process),
    )
    if not any(recipient.is_told for recipient in found):
        log.warning("escalation_round_tells_nobody", process=str(process.pk), round=process.round)
    return found


def _held_back(process: EscalationProcess) -> dict[UUID, timedelta]:
    """Return by how much quiet hours have held back what each person was to be told so far."""
    # What an acknowledgement ended is marked so, and counts no more: the round was begun again since.
    told = selectors.deliveries_of(process).filter(user__isnull=False, revoked_at=None)
    held: dict[UUID, timedelta] = {}
    rows = told.filter(notification__data__has_key=HELD_S).order_by()
    for user_id, held_s in rows.values_list("user_id", f"notification__data__{HELD_S}"):
        held[user_id] = max(held.get(user_id, timedelta(0)), timedelta(seconds=held_s))
    return held
