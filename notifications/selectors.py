"""Who sees what: every query for people, machines and the admin starts here."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Final, Self
from uuid import UUID

from django.conf import settings
from django.db.models import Case, Count, F, Prefetch, Q, QuerySet, Value, When

from accounts.models import User
from accounts.rights import MESSAGES, NOTICES
from config import sql
from config.statements import named
from notifications.ids import first_id
from notifications.models import Alert, Attempt, ContactPoint, DeadMessage, Delivery, Notification, SavedView

#: Of notices that tell of several others.
DIGEST: Final = "digest"

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
    return alerts.filter(shop__in=principal.memberships.filter(left_at=None).values("shop"))


def group_size(alert: Alert) -> int:
    """Count the alerts of a group, of one of them."""
    if alert.grouped_with is None:
        return 1
    return Alert.objects.filter(grouped_with=alert.grouped_with).count()


def deliveries_seen_by(principal: Principal) -> QuerySet[Delivery]:
    """All deliveries for staff, a person's own, or what a machine's scopes let it know of."""
    if not isinstance(principal, User):
        told_of = facts_seen_by(principal)
        seen = Q(notification__source_type__in=told_of)
        # A digest tells of anything.
        return Delivery.objects.filter(
            seen if len(told_of) == len(NOTICES) else seen & ~Q(notification__kind=DIGEST)
        )
    return Delivery.objects.all() if principal.is_staff else Delivery.objects.filter(user=principal)


def facts_seen_by(machine: Principal) -> list[str]:
    """Return the kinds of facts of whose notices a machine may know."""
    return [kind for kind, scope in NOTICES.items() if scope is None or machine.has_scope(scope)]


def sees_notice(principal: Principal, notice: Notification, *, owner_id: UUID | None) -> bool:
    """Whether somebody may know of what a person was told: their own, or of a domain that they may read."""
    if not sees_all(principal):
        return bool(principal.pk == owner_id)
    if isinstance(principal, User):
        return True
    told_of = facts_seen_by(principal)
    return notice.source_type in told_of and (notice.kind != DIGEST or len(told_of) == len(NOTICES))


def dead_messages_visible_to(principal: Principal) -> QuerySet[DeadMessage]:
    """All for staff; for a machine those of the sources whose domain it may read."""
    dead = DeadMessage.objects.order_by("-id")
    if isinstance(principal, User):
        return dead
    formats = {name for name, scope in MESSAGES.items() if principal.has_scope(scope)}
    hidden = [name for name, source in settings.SOURCES.items() if source.get("format") not in formats]
    # Of a source that is gone nobody knows what its messages tell of.
    is_known = Q() if len(formats) == len(MESSAGES) else Q(source__in=list(settings.SOURCES))
    return dead.filter(is_known).exclude(source__in=hidden)


def deliveries_visible_to(principal: Principal) -> QuerySet[Delivery]:
    """The same, with what a list shows of each."""
    return deliveries_seen_by(principal).select_related(
        "notification", "user", "contact_point", "outgoing", "inbox_item"
    )


def with_attempts(deliveries: QuerySet[Delivery]) -> QuerySet[Delivery]:
    return deliveries.prefetch_related(Prefetch("attempt_set", Attempt.objects.order_by("number")))


def saved_views_visible_to(person: User) -> QuerySet[SavedView]:
    """A person's own views of the history, and those that are shared with all staff."""
    return SavedView.objects.filter(Q(user=person) | Q(is_shared=True)).select_related("user")


def contact_points_visible_to(principal: Principal) -> QuerySet[ContactPoint]:
    """Contact points that are not removed: everybody's, or a person's own."""
    contact_points = ContactPoint.objects.filter(deleted_at=None).select_related("user")
    return contact_points if sees_all(principal) else contact_points.filter(user=principal)


# More than this is not counted: it would take longest just when there is most.
MOST_COUNTED: Final = 100_000
# What is due, as the partial indexes have it: lane by lane what is not revocable, by its time what is; and
# what has been sent for longer than its lease, which the next sweep should have made due again.
DUE_SQL: Final = f"""
WITH RECURSIVE walk AS (
    (SELECT lane, priority, 1 AS step FROM notifications_outgoing
      WHERE NOT revocable ORDER BY lane, priority, due_at LIMIT 1)
    UNION ALL
    (SELECT following.lane, following.priority, walk.step + 1
       FROM walk CROSS JOIN LATERAL (
            SELECT lane, priority FROM notifications_outgoing
             WHERE NOT revocable AND (lane, priority) > (walk.lane, walk.priority)
             ORDER BY lane, priority, due_at LIMIT 1) AS following
      WHERE walk.step < 1000)
), ordinary AS (
    SELECT due.due_at, due.lease_until
      FROM walk CROSS JOIN LATERAL (
            SELECT due_at, lease_until FROM notifications_outgoing
             WHERE NOT revocable AND lane = walk.lane AND priority = walk.priority AND due_at <= %(now)s
             ORDER BY due_at) AS due
     LIMIT {MOST_COUNTED}
), revocable AS (
    SELECT due_at, lease_until FROM notifications_outgoing
     WHERE revocable AND due_at <= %(now)s ORDER BY due_at LIMIT {MOST_COUNTED}
), lost AS (
    SELECT lease_until FROM (TABLE ordinary UNION ALL TABLE revocable) AS due WHERE lease_until < %(now)s
)
SELECT (SELECT count(*) FROM ordinary WHERE lease_until IS NULL),
       (SELECT min(due_at) FROM ordinary WHERE lease_until IS NULL),
       (SELECT count(*) FROM revocable WHERE lease_until IS NULL),
       (SELECT min(due_at) FROM revocable WHERE lease_until IS NULL),
       (SELECT count(*) FROM lost), (SELECT min(lease_until) FROM lost)
"""  # noqa: S608  (a number of our own)
named("engine.backlog", "Count what is due and waits, and since when it does.", DUE_SQL)


@dataclass(frozen=True, slots=True)
class Waiting:
    """Deliveries that wait for the same: how many, and for how long the first of them has, in seconds."""

    count: int
    oldest_age_s: float


@dataclass(frozen=True, slots=True)
class Backlog:
    """What is due and waits, by the look that takes it, and what was sent for longer than its lease."""

    ordinary: Waiting
    revocable: Waiting
    lost: Waiting

    @classmethod
    def of(cls, row: Sequence[Any], *, now: datetime) -> Self:
        """Return what ``DUE_SQL`` has found."""
        ages = [max((now - since).total_seconds(), 0.0) if since else 0.0 for since in row[1::2]]
        return cls(*map(Waiting, row[0::2], ages))

    @property
    def count(self) -> int:
        return self.ordinary.count + self.revocable.count

    @property
    def oldest_age_s(self) -> float:
        return max(self.ordinary.oldest_age_s, self.revocable.oldest_age_s)


def due_backlog(*, now: datetime) -> Backlog:
    return Backlog.of(sql.rows(DUE_SQL, {"now": now})[0], now=now)


# As Delivery.state has it.
_STATE: Final = Case(
    When(outgoing__lease_until__isnull=False, then=Value(Delivery.Status.SENDING.value)), default=F("status")
)


def in_states(deliveries: QuerySet[Delivery], states: Iterable[str]) -> QuerySet[Delivery]:
    """Those in one of these states, each found where it is few: in the queue, or among what failed."""
    chosen = Q(pk__in=[])
    for state in states:
        match state:
            case Delivery.Status.PENDING:
                chosen |= Q(outgoing__lease_until=None, outgoing__isnull=False)
            case Delivery.Status.SENDING:
                chosen |= Q(outgoing__lease_until__isnull=False)
            case Delivery.Status.FAILED | Delivery.Status.EXPIRED:
                chosen |= Q(undelivered__isnull=False, status=state)
            case _:
                chosen |= Q(status=state)
    return deliveries.filter(chosen)


def of_alert(deliveries: QuerySet[Delivery], alert_uuid: UUID) -> QuerySet[Delivery]:
    """Those that an alert became."""
    return deliveries.filter(notification__source_type="alert", notification__source_id=str(alert_uuid))


def deliveries_by_status(deliveries: QuerySet[Delivery]) -> list[dict[str, Any]]:
    """Count deliveries: ``[{"status", "reason", "count"}]``."""
    counts = deliveries.order_by().values("reason", state=_STATE).annotate(count=Count("pk"))
    return [
        {"status": row["state"], "reason": row["reason"], "count": row["count"]}
        for row in counts.order_by("state", "reason")
    ]


def deliveries_since(moment: datetime) -> QuerySet[Delivery]:
    """Those made since then, found by their ids, which are ordered by time: no index on time is needed."""
    return Delivery.objects.filter(pk__gte=first_id(moment))


#: A delivery's id begins with the time of its fact. That may be ahead of when the delivery was made by as
#: much as a camera's clock is fast; and behind it by as long as nobody fanned out, or an item was planned
#: ahead.
AHEAD: Final = timedelta(minutes=2)
BEHIND: Final = timedelta(days=31)


def created_from(deliveries: QuerySet[Delivery], moment: datetime) -> QuerySet[Delivery]:
    """Those made since then, without a look at what is a month older still."""
    return deliveries.filter(created_at__gte=moment, pk__gte=first_id(moment - BEHIND))


def created_until(deliveries: QuerySet[Delivery], moment: datetime) -> QuerySet[Delivery]:
    """Those made before then, without a look at what came later."""
    return deliveries.filter(created_at__lt=moment, pk__lt=first_id(moment + AHEAD))


def counts_by_status(deliveries: QuerySet[Delivery]) -> dict[str, int]:
    rows = deliveries.order_by().values_list(_STATE).annotate(count=Count("pk"))
    return dict(rows)
