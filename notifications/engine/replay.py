"""Starting failed deliveries again, and stopping those that have not begun."""

from datetime import timedelta

from django.conf import settings
from django.db import transaction
from django.db.models import F, Q, QuerySet
from django.utils import timezone

from notifications.engine import wake
from notifications.models import Delivery

REPLAYABLE = (Delivery.Status.FAILED, Delivery.Status.EXPIRED)


def replay(deliveries: QuerySet[Delivery]) -> int:
    """Make failed or expired deliveries due now, with a full retry budget; returns how many."""
    now = timezone.now()
    with transaction.atomic():
        count = Delivery.objects.filter(
            pk__in=deliveries.order_by().values("pk"), status__in=REPLAYABLE
        ).update(
            status=Delivery.Status.PENDING,
            reason="",
            failures=0,
            lost_leases=0,
            replays=F("replays") + 1,
            due_at=now,
            expires_at=now + timedelta(hours=settings.DELIVERY_MAX_AGE_H),
            revoked_at=None,
        )
        wake.on_commit()
    return count


def cancel(deliveries: QuerySet[Delivery], *, reason: str) -> int:
    """Stop deliveries: what is pending never begins, what is being sent is not tried again.

    Waits for the row locks of sends that are just beginning (see notifications.engine.fence): once the
    caller's transaction is committed, no revocable send of these begins. Returns how many were pending.
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
            .values_list("pk", "status")
        )
        pending = [pk for pk, status in rows if status == "pending"]
        Delivery.objects.filter(pk__in=pending).update(status="cancelled", reason=reason[:64], revoked_at=now)
        Delivery.objects.filter(pk__in=[pk for pk, status in rows if status == "sending"]).update(
            revoked_at=now
        )
    return len(pending)
