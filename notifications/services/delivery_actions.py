"""Replaying and cancelling by hand, with a trace of who did it."""

from dataclasses import dataclass
from typing import Final
from uuid import UUID

import structlog
from django.db import transaction
from django.db.models import QuerySet

from notifications.engine import replay, stop
from notifications.engine.replay import LeftOut
from notifications.models import Delivery, DeliveryAction
from notifications.selectors import Principal

log = structlog.get_logger(__name__)

STOPPABLE: Final = (Delivery.Status.PENDING,)


@dataclass(frozen=True, slots=True)
class Replayed:
    count: int
    left_out: LeftOut


def deliveries_replay(*, deliveries: QuerySet[Delivery], by: Principal, via: str) -> Replayed:
    """Replay what failed or expired, and note who did it; where nothing is replayed, nothing is noted."""
    with transaction.atomic():
        left_out = replay.left_out(deliveries)
        chosen = list(replay.replayable(deliveries).values_list("pk", flat=True)[: DeliveryAction.MOST])
        count = replay.replay(deliveries)
        if count:
            _note(DeliveryAction.Action.REPLAY, by, via, count, chosen, left_out.count)
    return Replayed(count, left_out)


def deliveries_cancel(*, deliveries: QuerySet[Delivery], by: Principal, via: str) -> int:
    """Stop what has not been sent, and note who did it; returns how many had not begun."""
    with transaction.atomic():
        of = Delivery.objects.filter(pk__in=deliveries.order_by().values("pk"), status__in=STOPPABLE)
        total = of.count()
        chosen = list(of.values_list("pk", flat=True)[: DeliveryAction.MOST])
        count = stop.cancel(deliveries, reason=Delivery.Reason.CANCELLED_BY_OPERATOR)
        if total:
            _note(DeliveryAction.Action.CANCEL, by, via, total, chosen, 0)
    return count


def _note(action: str, by: Principal, via: str, count: int, chosen: list[UUID], left_out: int) -> None:
    noted = DeliveryAction.objects.create(
        action=action, by=str(by)[:300], via=via, count=count, left_out=left_out, deliveries=chosen
    )
    # No person's address in the log: the row says who.
    log.info("deliveries_handled", id=str(noted.pk), action=action, via=via, count=count, by=str(by.pk))
