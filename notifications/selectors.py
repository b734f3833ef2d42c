"""Who sees what: every query for people, machines and the admin starts here."""

from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final
from uuid import UUID

from django.db import connection
from django.db.models import Count, Prefetch, QuerySet

from accounts.models import User
from notifications.models import Alert, Attempt, ContactPoint, Delivery

# A machine or a person, as ``request.user`` has it: staff and machines with a scope see all.
Principal = Any


def sees_all(principal: Principal) -> bool:
    """Whether someone sees everybody's; machines get here only past their scopes."""
    return not isinstance(principal, User) or principal.is_staff


def alerts_visible_to(principal: Principal) -> QuerySet[Alert]:
    """All alerts, or those of the shops where a person works now."""
    alerts = Alert.objects.select_related("shop")
    if sees_all(principal):
        return alerts
    return alerts.filter(
        shop__in=principal.memberships.filter(left_at=None).values("shop"),
    )


def deliveries_visible_to(principal: Principal) -> QuerySet[Delivery]:
    """All deliveries, or a person's own, with what a list shows of each."""
    deliveries = Delivery.objects.select_related("notification", "user", "contact_point")
    return deliveries if sees_all(principal) else deliveries.filter(user=principal)


def with_attempts(deliveries: QuerySet[Delivery]) -> QuerySet[Delivery]:
    return deliveries.prefetch_related(Prefetch("attempt_set", Attempt.objects.order_by("number")))


def contact_points_visible_to(principal: Principal) -> QuerySet[ContactPoint]:
    """Contact points that are not removed: everybody's, or a person's own."""
    contact_points = ContactPoint.objects.filter(deleted_at=None).select_related("user")
    return contact_points if sees_all(principal) else contact_points.filter(user=principal)


@dataclass(frozen=True, slots=True)
class Backlog:
    """What is due and waits: how many, and for how long the oldest has, in seconds."""

    count: int
    oldest_age_s: float


# Two halves because the partial indexes on what is due are two.
DUE_SQL: Final = """
SELECT count(*), min(due_at) FROM (
    SELECT due_at FROM notifications_delivery
     WHERE status = 'pending' AND NOT revocable AND due_at <= %(now)s
    UNION ALL
    SELECT due_at FROM notifications_delivery
     WHERE status = 'pending' AND revocable AND due_at <= %(now)s
) AS due
"""


def due_backlog(*, now: datetime) -> Backlog:
    """Return what is due and waits."""
    with connection.cursor() as cursor:
        cursor.execute(DUE_SQL, {"now": now})
        count, oldest = cursor.fetchone()
    return Backlog(count, max((now - oldest).total_seconds(), 0.0) if oldest else 0.0)


def of_alert(deliveries: QuerySet[Delivery], alert_uuid: UUID) -> QuerySet[Delivery]:
    """Those that an alert became."""
    return deliveries.filter(notification__source_type="alert", notification__source_id=str(alert_uuid))


def deliveries_by_status(deliveries: QuerySet[Delivery]) -> list[dict[str, Any]]:
    """Count deliveries: ``[{"status", "reason", "count"}]``."""
    counts = deliveries.order_by().values("status", "reason").annotate(count=Count("pk"))
    return [dict(row) for row in counts.order_by("status", "reason")]


def deliveries_since(moment: datetime) -> QuerySet[Delivery]:
    """Those made since then, found by their ids, which are ordered by time: no index on time is needed."""
    return Delivery.objects.filter(pk__gte=_first_id_of(moment))


def counts_by_status(deliveries: QuerySet[Delivery]) -> dict[str, int]:
    rows = deliveries.order_by().values_list("status").annotate(count=Count("pk"))
    return dict(rows)


def _first_id_of(moment: datetime) -> UUID:
    """The lowest UUIDv7 of a millisecond (RFC 9562: 48 bits of Unix milliseconds come first)."""
    return UUID(int=(int(moment.timestamp() * 1000) << 80) | (7 << 76) | (2 << 62))
