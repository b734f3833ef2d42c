"""Starting failed deliveries again, and stopping those that have not begun."""

from collections import Counter
from dataclasses import dataclass
from datetime import datetime, timedelta

from django.conf import settings
from django.db import transaction
from django.db.models import Count, Max, Min, Q, QuerySet
from django.utils import timezone

from notifications import metrics
from notifications.channels import registry
from notifications.engine import erasing, wake
from notifications.models import PRIORITIES, Delivery, Outgoing, Undelivered

REPLAYABLE = (Delivery.Status.FAILED, Delivery.Status.EXPIRED)
# Deliveries that one transaction starts again.
_AT_ONCE = 1000


@dataclass(frozen=True, slots=True)
class LeftOut:
    """How many failed or expired deliveries are not replayed, and why.

    ``over``: stopped, or of something that is over. ``erased``: so old that addresses are erased by now.
    ``unreachable``: for an inactive person, or a contact point that was removed or disabled.
    """

    over: int = 0
    unreachable: int = 0
    erased: int = 0

    @property
    def count(self) -> int:
        return self.over + self.unreachable + self.erased

    def __str__(self) -> str:
        """Say it in words; "" where nothing is left out."""
        over = f"{self.over} stopped, or of something that is over" if self.over else ""
        gone = (
            f"{self.unreachable} to people or contact points that are told no more"
            if self.unreachable
            else ""
        )
        erased = f"{self.erased} so old that addresses are erased" if self.erased else ""
        return ", ".join(filter(None, (over, gone, erased)))


def replay(deliveries: QuerySet[Delivery]) -> int:
    """Make failed or expired deliveries due now, with a full retry budget; returns how many.

    They go to the contact point's present address. Left out is who is told no more: inactive users, and
    contact points that were removed or disabled; what was stopped, which must never begin again; and what is
    older than addresses are kept: they would be stored anew, and nobody waits for it any more.
    """
    count = 0
    while True:
        with transaction.atomic():
            started = _start_next(deliveries, timezone.now())
            if started:
                wake.on_commit()
        count += started
        if started < _AT_ONCE:
            return count


def _start_next(deliveries: QuerySet[Delivery], now: datetime) -> int:
    chosen = replayable(deliveries).select_related("notification", "contact_point").order_by("pk")
    rows = list(chosen.select_for_update(of=("self",), no_key=True)[:_AT_ONCE])
    expires_at = now + timedelta(hours=settings.DELIVERY_MAX_AGE_H)
    for row in rows:
        row.address = row.contact_point.address if row.contact_point else row.address
        row.status, row.reason = Delivery.Status.PENDING, ""
        row.due_at, row.expires_at, row.replays = now, expires_at, row.replays + 1
    fields = ["address", "status", "reason", "due_at", "expires_at", "replays"]
    Delivery.objects.bulk_update(rows, fields)
    Undelivered.objects.filter(pk__in=[row.pk for row in rows]).delete()
    Outgoing.objects.bulk_create(
        Outgoing(
            delivery=row,
            lane=registry.get(row.channel).lane(row.address),
            priority=PRIORITIES[row.notification.severity],
            due_at=now,
            expires_at=expires_at,
            revocable=row.revocable,
            attempts=row.attempts,
        )
        for row in rows
    )
    return len(rows)


def replayable(deliveries: QuerySet[Delivery]) -> QuerySet[Delivery]:
    """Return those that ``replay`` starts again."""
    chosen = _young(_unsent(deliveries).filter(revoked_at=None))
    chosen = chosen.exclude(user__is_active=False).exclude(contact_point__is_enabled=False)
    return chosen.exclude(contact_point__deleted_at__isnull=False)


@dataclass(frozen=True, slots=True)
class Foreseen:
    """What an action would be for."""

    count: int
    people: int
    channels: dict[str, int]
    oldest_at: datetime | None
    newest_at: datetime | None


def foresee(deliveries: QuerySet[Delivery]) -> Foreseen:
    """Count deliveries before something is done to them."""
    those = Delivery.objects.filter(pk__in=deliveries.order_by().values("pk"))
    of = those.aggregate(
        count=Count("pk"),
        people=Count("user", distinct=True),
        oldest_at=Min("created_at"),
        newest_at=Max("created_at"),
    )
    channels = those.order_by("channel").values_list("channel").annotate(Count("pk"))
    return Foreseen(channels=dict(channels), **of)


def left_out(deliveries: QuerySet[Delivery]) -> LeftOut:
    """Count what ``replay`` leaves as it is, of those that failed or expired."""
    of = _unsent(deliveries).aggregate(all=Count("pk"), over=Count("pk", filter=Q(revoked_at__isnull=False)))
    rest = of["all"] - of["over"]
    young = _young(_unsent(deliveries).filter(revoked_at=None)).count()
    return LeftOut(of["over"], unreachable=young - replayable(deliveries).count(), erased=rest - young)


def is_too_old(delivery: Delivery) -> bool:
    """Whether it is of a time whose addresses are erased."""
    since = erasing.kept_from(timezone.now())
    return since is not None and delivery.pk < since


def _young(deliveries: QuerySet[Delivery]) -> QuerySet[Delivery]:
    since = erasing.kept_from(timezone.now())
    return deliveries if since is None else deliveries.filter(pk__gte=since)


def _unsent(deliveries: QuerySet[Delivery]) -> QuerySet[Delivery]:
    return Delivery.objects.filter(pk__in=deliveries.order_by().values("pk"), status__in=REPLAYABLE)


def close(deliveries: QuerySet[Delivery], *, reason: str) -> int:
    """Stop deliveries of something that is over for good: none of them can be replayed, ever.

    As ``cancel``; but what was sent is marked too, since its provider may report later that it did not
    arrive. Whoever owns deliveries calls this when their reason to be sent ends.
    """
    with transaction.atomic():
        count = cancel(deliveries, reason=reason)
        # What is under way is marked as it ends.
        _seal(deliveries.exclude(status=Delivery.Status.PENDING))
    return count


def seal(deliveries: QuerySet[Delivery]) -> None:
    """Have none of these deliveries replayed, ever; nothing that waits or is under way is stopped by it."""
    _seal(deliveries)


def _seal(deliveries: QuerySet[Delivery]) -> None:
    # What is in an inbox can't fail any more.
    those = Delivery.objects.filter(pk__in=deliveries.order_by().values("pk"), revoked_at=None)
    those.exclude(channel="inbox", status=Delivery.Status.SENT).update(revoked_at=timezone.now())


def cancel(deliveries: QuerySet[Delivery], *, reason: str) -> int:
    """Stop deliveries: what is pending never begins, what is being sent is not tried again.

    What has failed can't be replayed any more. Waits for the row locks of sends that are just beginning (see
    notifications.engine.fence): once the caller's transaction is committed, no revocable send of these
    begins. In a transaction that adds inbox items too, this comes first: the sender locks rows in that order.
    Returns how many were pending.
    """
    now = timezone.now()
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
        waiting = [pk for pk, lease_until, _ in rows if lease_until is None]
        under_way = [pk for pk, lease_until, _ in rows if lease_until is not None]
        Outgoing.objects.filter(pk__in=waiting).delete()
        Delivery.objects.filter(pk__in=waiting).update(status="cancelled", reason=reason[:64], revoked_at=now)
        Outgoing.objects.filter(pk__in=under_way).update(revoked_at=now)  # and of the delivery once it ends
        Delivery.objects.filter(pk__in=chosen, status__in=REPLAYABLE, revoked_at=None).update(revoked_at=now)
    channels = Counter(channel for _, lease_until, channel in rows if lease_until is None)
    for channel, count in channels.items():
        metrics.add("deliveries", channel, "cancelled", amount=count)
    return len(waiting)
