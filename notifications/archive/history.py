"""What a person was told, and was not: from the tables and the archive alike."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final
from uuid import UUID

from notifications.archive import manifest, reading
from notifications.archive.tables import DELIVERIES, NOTIFICATIONS
from notifications.explanations import explain
from notifications.ids import first_id
from notifications.models import ArchivedMonth, Delivery

# The id of a delivery may have the time of a fact that was reported so much later.
_LATE: Final = timedelta(days=1)


@dataclass(frozen=True, slots=True)
class Told:
    """One delivery, as a history lists it."""

    id: str
    at: datetime
    kind: str
    title: str
    channel: str
    address: str
    status: str
    reason: str
    explanation: str
    attempts: int
    sent_at: datetime | None
    archived: bool


def of_person(user_id: UUID, *, since: datetime | None, until: datetime | None) -> list[Told]:
    """Return a person's deliveries that were made in this time, in the order of time.

    What is in the tables and in the archive comes once, as it is in the tables. Raises ArchiveError.
    """
    found = {each.id: each for each in _archived(user_id, since, until)}
    deliveries = Delivery.objects.filter(user_id=user_id).select_related("notification", "outgoing")
    if since:
        deliveries = deliveries.filter(pk__gte=first_id(since - _LATE))
    if until:
        deliveries = deliveries.filter(pk__lt=first_id(until + _LATE))
    for row in deliveries.iterator(chunk_size=1000):
        found[str(row.pk)] = _told(row, row.notification.kind, row.notification.title, archived=False)
    told = found.values()
    chosen = [each for each in told if (not since or each.at >= since) and (not until or each.at < until)]
    return sorted(chosen, key=lambda each: (each.at, each.id))


def _archived(user_id: UUID, since: datetime | None, until: datetime | None) -> Iterator[Told]:
    if not ArchivedMonth.objects.exists():
        return
    for month, of in manifest.latest(reading.chain()).items():
        if (not since or month.end > since - _LATE) and (not until or month.start < until + _LATE):
            for row, told in reading.of_person(user_id, of):
                fields = dict(zip(DELIVERIES.names, row, strict=True))
                about = dict(zip(NOTIFICATIONS.names, told, strict=True)) if told else {}
                yield _told(Delivery(**fields), about.get("kind", ""), about.get("title", ""), archived=True)


def _told(delivery: Delivery, kind: str, title: str, *, archived: bool) -> Told:
    return Told(
        id=str(delivery.pk),
        at=delivery.created_at,
        kind=kind,
        title=title,
        channel=delivery.channel,
        address=delivery.address,
        status=delivery.state,
        reason=delivery.reason,
        explanation=explain(delivery),
        attempts=delivery.attempts,
        sent_at=delivery.sent_at,
        archived=archived,
    )
