"""Starting failed deliveries again."""

from dataclasses import dataclass
from datetime import datetime, timedelta

from django.conf import settings
from django.db import transaction
from django.db.models import Count, Max, Min, Q, QuerySet
from django.utils.translation import gettext

from config import clock
from notifications.channels import registry
from notifications.engine import erasing, wake
from notifications.history import ending
from notifications.ids import first_id
from notifications.models import Delivery, Outgoing, Undelivered, priority_of

REPLAYABLE = (Delivery.Status.FAILED, Delivery.Status.EXPIRED)
# Deliveries that one transaction starts again.
_AT_ONCE = 1000


@dataclass(frozen=True, slots=True)
class LeftOut:
    """How many failed or expired deliveries are not replayed, and why.

    ``over``: stopped, or of something that is over. ``erased``: so old that addresses are erased by now.
    ``unreachable``: for an inactive person, or a contact point that was removed, disabled or not confirmed.
    """

    over: int = 0
    unreachable: int = 0
    erased: int = 0

    @property
    def count(self) -> int:
        return self.over + self.unreachable + self.erased

    def __str__(self) -> str:
        """Say it in words; "" where nothing is left out."""
        words = (
            (self.over, gettext("%(count)d stopped, or about something that is over")),
            (self.unreachable, gettext("%(count)d to people or contact points that no longer get messages")),
            (self.erased, gettext("%(count)d so old that their addresses have been erased")),
        )
        return ", ".join(why % {"count": count} for count, why in words if count)


def replay(deliveries: QuerySet[Delivery]) -> int:
    """Make failed or expired deliveries due now, with a full retry budget; returns how many.

    They go to the contact point's present address. Left out is who is told no more: inactive users, and
    contact points that were removed, disabled or not confirmed; what was stopped, which must never begin
    again; and what is older than the history or the addresses that are kept: these would be stored anew, and
    nobody waits for it any more.
    """
    count = 0
    while True:
        with transaction.atomic():
            now = clock.now()
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
                    priority=priority_of(kind=row.notification.kind, severity=row.notification.severity),
                    due_at=now,
                    expires_at=expires_at,
                    revocable=row.revocable,
                    attempts=row.attempts,
                )
                for row in rows
            )
            if rows:
                wake.on_commit()
        count += len(rows)
        if len(rows) < _AT_ONCE:
            return count


def replayable(deliveries: QuerySet[Delivery]) -> QuerySet[Delivery]:
    """Return those that ``replay`` starts again."""
    chosen = _young(_unsent(deliveries).exclude(_is_over()))
    chosen = chosen.filter(Q(user=None) | Q(user__is_active=True)).exclude(contact_point__is_enabled=False)
    chosen = chosen.exclude(contact_point__isnull=False, contact_point__confirmed_at=None)
    return chosen.exclude(contact_point__deleted_at__isnull=False)


def _is_over() -> Q:
    """What was stopped, and what is so old that its month may be dropped at any time."""
    since = ending.kept_since(clock.now())
    stopped = Q(revoked_at__isnull=False)
    return stopped | Q(pk__lt=first_id(since)) if since else stopped


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
    times = {"oldest_at": Min("created_at"), "newest_at": Max("created_at")}
    of = those.aggregate(count=Count("pk"), people=Count("user", distinct=True), **times)
    channels = those.order_by("channel").values_list("channel").annotate(Count("pk"))
    return Foreseen(channels=dict(channels), **of)


def left_out(deliveries: QuerySet[Delivery]) -> LeftOut:
    """Count what ``replay`` leaves as it is, of those that failed or expired."""
    of = _unsent(deliveries).aggregate(all=Count("pk"), over=Count("pk", filter=_is_over()))
    rest = of["all"] - of["over"]
    young = _young(_unsent(deliveries).exclude(_is_over())).count()
    return LeftOut(of["over"], unreachable=young - replayable(deliveries).count(), erased=rest - young)


def is_too_old(delivery: Delivery) -> bool:
    """Whether it is of a time whose addresses are erased."""
    since = erasing.kept_from(clock.now())
    return since is not None and delivery.pk < since


def _young(deliveries: QuerySet[Delivery]) -> QuerySet[Delivery]:
    since = erasing.kept_from(clock.now())
    return deliveries.filter(pk__gte=since) if since else deliveries


def _unsent(deliveries: QuerySet[Delivery]) -> QuerySet[Delivery]:
    return Delivery.objects.filter(pk__in=deliveries.order_by().values("pk"), status__in=REPLAYABLE)
