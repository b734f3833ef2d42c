"""Replaying, cancelling and testing by hand, with a trace of who did it."""

from dataclasses import dataclass
from typing import Final, NamedTuple
from uuid import UUID

import structlog
from django.contrib import messages
from django.db import transaction
from django.db.models import QuerySet
from django.utils.translation import gettext, ngettext

from notifications.engine import replay, stop
from notifications.engine.replay import LeftOut
from notifications.models import ContactPoint, Delivery, DeliveryAction
from notifications.selectors import Principal
from notifications.services.contact_points import contact_point_test_send

log = structlog.get_logger(__name__)

STOPPABLE: Final = (Delivery.Status.PENDING,)


@dataclass(frozen=True, slots=True)
class Replayed:
    count: int
    left_out: LeftOut

    def __str__(self) -> str:
        said = ngettext(
            "%(count)d will be tried again now.", "%(count)d will be tried again now.", self.count
        ) % {"count": self.count}
        return " ".join([said, *_left_out(self.left_out)])


class Said(NamedTuple):
    """What is said to whoever did something: a level of django.contrib.messages, and the words."""

    level: int
    text: str


def deliveries_replay(*, deliveries: QuerySet[Delivery], by: Principal, via: str) -> Replayed:
    """Replay what failed or expired, and note who did it; where nothing is replayed, nothing is noted."""
    with transaction.atomic():
        left_out = replay.left_out(deliveries)
        chosen = list(replay.replayable(deliveries).values_list("pk", flat=True)[: DeliveryAction.MOST])
        count = replay.replay(deliveries)
        if count:
            _note(DeliveryAction.Action.REPLAY, by, via, count, chosen, left_out.count)
    return Replayed(count, left_out)


def _left_out(left_out: LeftOut) -> list[str]:
    """Return what to say of what isn't replayed, if there is any."""
    return [gettext("Left out: %(what)s.") % {"what": left_out}] if str(left_out) else []


def delivery_replay(*, delivery_id: UUID, by: Principal, via: str) -> Said:
    """Replay one delivery, if it failed or expired; returns what to say of it."""
    chosen = Delivery.objects.filter(pk=delivery_id)
    done = deliveries_replay(deliveries=chosen, by=by, via=via)
    if done.count:
        return Said(messages.SUCCESS, gettext("It is being tried again now."))
    said = gettext("Only failed or expired deliveries can be replayed.")
    return Said(messages.ERROR, " ".join([said, *_left_out(done.left_out)]))


def delivery_cancel(*, delivery_id: UUID, by: Principal, via: str) -> Said:
    """Cancel one delivery, if it waits; returns what to say of it."""
    chosen = Delivery.objects.filter(pk=delivery_id, status__in=STOPPABLE)
    if deliveries_cancel(deliveries=chosen, by=by, via=via):
        return Said(messages.SUCCESS, gettext("Cancelled before it was sent."))
    if chosen.exists():
        return Said(
            messages.WARNING, gettext("It is being sent right now. If that fails, it won't be tried again.")
        )
    return Said(messages.ERROR, gettext("Only unsent deliveries can be cancelled."))


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


def contact_point_try(*, contact_point: ContactPoint, by: Principal, via: str) -> Delivery:
    """Send a test message, and note who did it, unless it is to a contact point of their own.

    Raises:
        Conflict: it is not confirmed.
    """
    with transaction.atomic():
        delivery = contact_point_test_send(contact_point=contact_point)
        if by.pk != contact_point.user_id:
            _note(DeliveryAction.Action.TEST, by, via, 1, [delivery.pk], 0)
    return delivery


def contact_points_try(*, contact_points: list[ContactPoint], by: Principal, via: str) -> list[Delivery]:
    """Send a test message to each, and note who did it, but for those to contact points of their own.

    Raises:
        Conflict: one is not confirmed; nothing is sent then.
    """
    with transaction.atomic():
        sent = [contact_point_test_send(contact_point=each) for each in contact_points]
        others = [each.pk for each in sent if each.user_id != by.pk]
        if others:
            _note(DeliveryAction.Action.TEST, by, via, len(others), others[: DeliveryAction.MOST], 0)
    return sent


def _note(action: str, by: Principal, via: str, count: int, chosen: list[UUID], left_out: int) -> None:
    noted = DeliveryAction.objects.create(
        action=action, by=str(by)[:300], via=via, count=count, left_out=left_out, deliveries=chosen
    )
    # No person's address in the log: the row says who.
    log.info("deliveries_handled", id=str(noted.pk), action=action, via=via, count=count, by=str(by.pk))
