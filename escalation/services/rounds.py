"""The rounds after the first: each is planned as it begins, with whoever is on call then."""

from datetime import datetime, timedelta
from typing import Final
from uuid import UUID

import structlog
from django.db import transaction
from django.db.models import QuerySet

from escalation import selectors
from escalation.models import EscalationProcess
from escalation.services.messages import HELD_S, planned
from escalation.services.policies import round_planned
from escalation.services.processes import LOOK_EVERY, add_told, next_round_after, over_at
from escalation.timelines.entries import left_out_add
from notifications import looks
from notifications.engine.planned import deliver_many

log = structlog.get_logger(__name__)

#: A round is planned so long before it begins: what is due then goes out in time.
AHEAD: Final = timedelta(seconds=2)
ANY_DUE: Final = looks.first(
    f"""escalation_escalationprocess
    WHERE state = 'active' AND next_round_at <= %(now)s::timestamptz + '{AHEAD.total_seconds()} s'""",
    by="next_round_at",
)
# Processes of one look; the next goes on.
_MOST: Final = 100


def look(now: datetime) -> None:
    """Begin the rounds that are about to be due."""
    for pk in _due(now).order_by("next_round_at").values_list("pk", flat=True)[:_MOST]:
        try:
            _begin(pk, now)
        except Exception as error:  # those after it are to begin all the same
            if looks.is_away(error):
                raise
            log.exception("escalation_round_not_begun", process=str(pk))
            # Those behind it are not to wait for what fails again and again.
            _due(now).filter(pk=pk).update(next_round_at=now + LOOK_EVERY)


def _due(now: datetime) -> QuerySet[EscalationProcess]:
    return EscalationProcess.objects.filter(
        state=EscalationProcess.State.ACTIVE, next_round_at__lte=now + AHEAD
    )


def _begin(pk: UUID, now: datetime) -> None:
    """Begin the next round of a process, unless it has ended since.

    One whose time passed while nobody looked begins now, and those after it follow at their distance.
    """
    with transaction.atomic():
        locked = _due(now).filter(pk=pk).select_for_update(of=("self",))
        process = locked.select_related("policy_version__policy").first()
        if process is None or process.next_round_at is None or process.policy_version is None:
            return
        begins_at = max(process.next_round_at, now)
        process.round += 1
        told, left_out, _ = round_planned(
            process.policy_version,
            number=process.round,
            begins_at=begins_at,
            severity=process.severity,
            turns=process.turns_by_id(),
            held_back=_held_back(process),
        )
        first = process.told + 1
        add_told(process, told)
        process.look_at = max(process.look_at, over_at(told, begins_at))
        process.next_round_at = next_round_after(process.policy_version, process.round, begins_at)
        process.save()
        deliver_many(planned(process, told, severity=process.severity, first=first))
        left_out_add(process, left_out)
    about = {"process": str(pk), "round": process.round}
    if any(recipient.is_told for recipient in told):
        log.info("escalation_round", **about, notifications=len(told))
    else:
        log.warning("escalation_round_tells_nobody", **about)


def _held_back(process: EscalationProcess) -> dict[UUID, timedelta]:
    """Return by how much quiet hours have held back what each person was to be told so far."""
    # What an acknowledgement ended is marked so, and counts no more: the round was begun again since.
    told = selectors.deliveries_of(process).filter(user__isnull=False, revoked_at=None)
    held: dict[UUID, timedelta] = {}
    rows = told.filter(notification__data__has_key=HELD_S).order_by()
    for user_id, held_s in rows.values_list("user_id", f"notification__data__{HELD_S}"):
        held[user_id] = max(held.get(user_id, timedelta(0)), timedelta(seconds=held_s))
    return held
