"""At the end of quiet hours: what they held back for one contact point becomes one message.

Made by a job that the sweep enqueues. Should nobody make it, the rows are due a minute later
(quiet_hours.DIGEST_GRACE), and go out by themselves.
"""

from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Final

from django.db import transaction
from django.db.models import QuerySet

from config import sql
from config.statements import named
from notifications import metrics, rules
from notifications.engine import wake
from notifications.engine.planned import new_delivery, store
from notifications.engine.recipients import by_user, unusable
from notifications.looks import first
from notifications.messages.compose import notification_of
from notifications.messages.texts import text_for
from notifications.models import ContactPoint, Delivery, Notification, Outgoing, Severity, Subscription
from notifications.quiet_hours import DIGEST_GRACE
from notifications.reasons import Reason

KIND: Final = "digest"
#: Items that are told in full; all are counted.
ITEMS: Final = 50
# Contact points of one transaction.
AT_ONCE: Final = 100


def ending_of(count: int, contact_point: ContactPoint, subscriptions: Iterable[rules.Rule]) -> Reason:
    """Return as what those end that were held: sent as they are, told in a digest, or not, and why. Pure."""
    # By a statement in the database, which stops nothing by itself: notifications.receivers.
    if not contact_point.user.is_active:
        return Reason.LOCKED_OUT
    if reason := unusable(contact_point):
        return reason
    if count == 1:
        return Reason.QUIET_HOURS
    if rules.silences(subscriptions, channel=contact_point.channel, kind=KIND, severity=Severity.STANDARD):
        return Reason.UNSUBSCRIBED
    return Reason.DIGEST


def _ripe(now: datetime) -> QuerySet[Outgoing]:
    return Outgoing.objects.filter(for_digest=True, lease_until=None, due_at__lte=now + DIGEST_GRACE)


# Whether quiet hours have ended in which something was held for a digest, as notifications.looks asks it.
ANY_RIPE: Final = first(
    f"""notifications_outgoing
 WHERE for_digest AND due_at <= %(now)s::timestamptz + interval '{DIGEST_GRACE.total_seconds()} s'""",
    by="due_at",
)


# One statement for whatever has been decided: a hundred people may have had a thousand rows each.
_END: Final = """
WITH decided AS (
    SELECT * FROM unnest(%s::uuid[], %s::text[], %s::text[], %s::timestamptz[], %s::uuid[])
               AS decided (id, status, reason, due_at, digest_id)
), ended AS (
    DELETE FROM notifications_outgoing
     WHERE delivery_id = ANY (ARRAY (SELECT id FROM decided WHERE status <> 'pending'))
), released AS (
    UPDATE notifications_outgoing AS outgoing
       SET due_at = decided.due_at, held_for = NULL, for_digest = false
      FROM decided WHERE decided.status = 'pending' AND outgoing.delivery_id = decided.id
)
UPDATE notifications_delivery AS delivery
   SET status = decided.status, reason = decided.reason, due_at = decided.due_at,
       digest_id = decided.digest_id
  FROM decided WHERE delivery.id = decided.id
"""
named("engine.digest", "End what quiet hours held back, or let it go out.", _END)


@dataclass(slots=True)
class Batch:
    """What is to be written: new messages, and what becomes of the rows that were held."""

    digests: list[Delivery] = field(default_factory=list)
    rows: list[Delivery] = field(default_factory=list)

    def end(self, rows: Sequence[Delivery], **changes: Any) -> None:
        for row in rows:
            for name, value in changes.items():
                setattr(row, name, value)
        self.rows += rows

    def write(self) -> None:
        Notification.objects.bulk_create(digest.notification for digest in self.digests)
        store(self.digests)
        names = ("pk", "status", "reason", "due_at", "digest_id")
        sql.execute(_END, [[getattr(row, name) for row in self.rows] for name in names])


def digests_send(now: datetime) -> bool:
    """Make the digests of the next contact points; returns whether there may be more.

    Each has one, however many run this at once, and whatever is killed meanwhile: what was held ends in the
    transaction that makes its digest. Runs at the same time share the work, each locking the contact points
    that it has; so whoever removes one of them waits, and stops the digest too.
    """
    ripe = _ripe(now).order_by().values_list("delivery__contact_point", flat=True).distinct()[:AT_ONCE]
    batch = Batch()
    with transaction.atomic():
        contact_points = (
            ContactPoint.objects.filter(pk__in=list(ripe))
            .select_related("user")
            .order_by("pk")
            .select_for_update(of=("self",), no_key=True, skip_locked=True)
        )
        mine = {contact_point.pk: contact_point for contact_point in contact_points}
        waiting = _ripe(now).filter(delivery__contact_point__in=mine)
        held_for: defaultdict[Any, list[Delivery]] = defaultdict(list)
        locked = waiting.select_related("delivery__notification").order_by("pk")
        for row in locked.select_for_update(of=("self",)):
            held_for[row.delivery.contact_point_id].append(row.delivery)
        rules_of = by_user(Subscription.objects.filter(user__in={point.user_id for point in mine.values()}))
        for pk, rows in held_for.items():
            reason = ending_of(len(rows), mine[pk], rules_of.get(mine[pk].user_id, ()))
            changes: dict[str, Any] = {"status": Delivery.Status.SUPPRESSED}
            if reason == Reason.QUIET_HOURS:
                changes = {"due_at": now}
            elif reason == Reason.DIGEST:
                batch.digests.append(_digest(mine[pk], rows))
                changes["digest_id"] = batch.digests[-1].pk
            elif reason == Reason.LOCKED_OUT:
                changes = {"status": Delivery.Status.CANCELLED}
            batch.end(rows, reason=reason, **changes)
        if batch.rows:
            batch.write()
            wake.on_commit()
    ended = [row for row in batch.rows if row.status != Delivery.Status.PENDING]
    metrics.add_many(Counter(("deliveries", row.channel, str(row.status)) for row in ended).items())
    return len(mine) == AT_ONCE


def _digest(contact_point: ContactPoint, rows: Sequence[Delivery]) -> Delivery:
    oldest_first = sorted(rows, key=lambda row: (row.created_at, row.pk))
    items = []
    for row in oldest_first[:ITEMS]:
        source = row.notification
        words = text_for(source.title, source.body, source.texts, language=row.language, channel=row.channel)
        items.append({"title": words[0], "body": words[1], "at": row.created_at.isoformat()})
    notification = notification_of(
        kind=KIND,
        data={"count": len(rows), "items": items},
        source_type="contact_point",
        source_id=str(contact_point.pk),
        # Each row is in one digest at the most.
        dedup_key=f"digest:{oldest_first[0].pk}",
    )
    return new_delivery(
        notification=notification,
        user=contact_point.user,
        channel=contact_point.channel,
        address=contact_point.address,
        contact_point=contact_point,
    )
