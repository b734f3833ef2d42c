"""Starting failed deliveries again, and stopping those that have not begun."""

from collections import Counter
from datetime import timedelta

from django.conf import settings
from django.db import transaction
from django.db.models import F, OuterRef, Q, QuerySet, Subquery
from django.db.models.functions import Coalesce
from django.utils import timezone

from notifications import metrics
from notifications.engine import wake
from notifications.models import ContactPoint, Delivery

REPLAYABLE = (Delivery.Status.FAILED, Delivery.Status.EXPIRED)


def replay(deliveries: QuerySet[Delivery]) -> int:
    """Make failed or expired deliveries due now, with a full retry budget; returns how many.

    They go to the contact point's present address. Left out is who is told no more: inactive users, and
    contact points that were removed or disabled; and what was stopped, which must never begin again.
    """
    now = timezone.now()
    chosen = Delivery.objects.filter(pk__in=deliveries.order_by().values("pk"), status__in=REPLAYABLE)
    chosen = chosen.filter(revoked_at=None)
    chosen = chosen.exclude(user__is_active=False).exclude(contact_point__is_enabled=False)
    chosen = chosen.exclude(contact_point__deleted_at__isnull=False)
    contact_point = ContactPoint.objects.filter(pk=OuterRef("contact_point"))
    with transaction.atomic():
        count = chosen.update(
            address=Coalesce(Subquery(contact_point.values("address")), F("address")),
            lane=Coalesce(Subquery(contact_point.values("lane")), F("lane")),
            status=Delivery.Status.PENDING,
            reason="",
            failures=0,
            lost_leases=0,
            replays=F("replays") + 1,
            due_at=now,
            expires_at=now + timedelta(hours=settings.DELIVERY_MAX_AGE_H),
        )
        wake.on_commit()
    return count


def cancel(deliveries: QuerySet[Delivery], *, reason: str) -> int:
    """Stop deliveries: what is pending never begins, what is being sent is not tried again.

    What has failed can't be replayed any more. Waits for the row locks of sends that are just beginning (see
    notifications.engine.fence): once the caller's transaction is committed, no revocable send of these
    begins. In a transaction that adds inbox items too, this comes first: the sender locks rows in that order.
    Returns how many were pending.
    """
    now = timezone.now()
    chosen = Delivery.objects.filter(pk__in=deliveries.order_by().values("pk"))
    with transaction.atomic():
        # One statement for both: a row that turns from pending to sending while this waits for its lock
        # is looked at again with its new status, so none slips through between two statements.
        rows = list(
            chosen.filter(Q(status="pending") | Q(status="sending"))
            .order_by("pk")
            .select_for_update(of=("self",))
            .values_list("pk", "status", "channel")
        )
        pending = [pk for pk, status, _ in rows if status == "pending"]
        Delivery.objects.filter(pk__in=pending).update(status="cancelled", reason=reason[:64], revoked_at=now)
        others = chosen.filter(status__in=[Delivery.Status.SENDING, *REPLAYABLE], revoked_at=None)
        others.update(revoked_at=now)
    for channel, count in Counter(channel for _, status, channel in rows if status == "pending").items():
        metrics.add("deliveries", channel, "cancelled", amount=count)
    return len(pending)
