"""Stopping deliveries that have not begun, and keeping what is over from ever being sent again."""

from collections import Counter
from uuid import UUID

from django.db import transaction
from django.db.models import QuerySet

from config import clock
from notifications import metrics
from notifications.engine.replay import REPLAYABLE
from notifications.models import Delivery, Outgoing
from notifications.reasons import Reason


def close(deliveries: QuerySet[Delivery], *, reason: Reason) -> int:
    """Stop deliveries of something that is over for good: none of them can be replayed, ever.

    As ``cancel``; but what was sent is marked too, since its provider may report later that it did not
    arrive. Whoever owns deliveries calls this when their reason to be sent ends.
    """
    with transaction.atomic():
        count = cancel(deliveries, reason=reason)
        # What is under way is marked as it ends.
        seal(deliveries.exclude(status=Delivery.Status.PENDING))
    return count


def seal(deliveries: QuerySet[Delivery]) -> None:
    """Have none of these deliveries replayed, ever; nothing that waits or is under way is stopped by it."""
    # What is in an inbox can't fail any more.
    those = Delivery.objects.filter(pk__in=deliveries.order_by().values("pk"), revoked_at=None)
    those.exclude(channel="inbox", status=Delivery.Status.SENT).update(revoked_at=clock.now())


def cancel_of(user_id: UUID, *, reason: Reason) -> int:
    """Stop all that is still to be sent to one person, as ``cancel`` does."""
    # From the queue, which is small: they may have been told a million things.
    waiting = Outgoing.objects.filter(delivery__user_id=user_id).values_list("pk", flat=True)
    return cancel(Delivery.objects.filter(pk__in=list(waiting)), reason=reason)


def cancel(deliveries: QuerySet[Delivery], *, reason: Reason) -> int:
    """Stop deliveries: what is pending never begins, what is being sent is not tried again.

    What has failed can't be replayed any more. Waits for the row locks of sends that are just beginning (see
    notifications.engine.fence): once the caller's transaction is committed, no revocable send of these
    begins. In a transaction that adds inbox items too, this comes first: the sender locks rows in that order.
    Returns how many were pending.
    """
    now = clock.now()
    chosen = deliveries.order_by().values("pk")
    with transaction.atomic():
        # One statement for both: a row that gets a worker while this waits for its lock is looked at again
        # with its lease, so none slips through between two statements.
        rows = list(
            Outgoing.objects.filter(delivery__in=chosen)
            .order_by("pk")
            .select_for_update(of=("self",))
            .values_list("pk", "lease_until", "delivery__channel")
        )
        waiting = {pk: channel for pk, lease_until, channel in rows if lease_until is None}
        under_way = [pk for pk, lease_until, _ in rows if lease_until is not None]
        Outgoing.objects.filter(pk__in=waiting).delete()
        Delivery.objects.filter(pk__in=waiting).update(status="cancelled", reason=reason, revoked_at=now)
        Outgoing.objects.filter(pk__in=under_way).update(revoked_at=now)  # and of the delivery once it ends
        Delivery.objects.filter(pk__in=chosen, status__in=REPLAYABLE, revoked_at=None).update(revoked_at=now)
    metrics.add_many(Counter(("deliveries", channel, "cancelled") for channel in waiting.values()).items())
    return len(waiting)
