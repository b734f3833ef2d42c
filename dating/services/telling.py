"""Telling people: the same to many by the fan-out, or to each their own, at its time."""

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from django.conf import settings

from accounts.models import User
from config import clock
from config.zones import zone_of
from dating.models import Event
from notifications import rules
from notifications.engine.direct import Planned, deliver_many
from notifications.engine.fanout import notify, people
from notifications.messages.compose import notification_of
from notifications.models import ContactPoint, Severity, Subscription

SOURCE = "dating_event"


@dataclass(frozen=True, slots=True)
class Note:
    """What one person is told, by every way on which they can be, at a time (None: now)."""

    user: User
    kind: str
    data: dict[str, Any]
    dedup_key: str
    source_type: str
    source_id: str
    due_at: datetime | None = None
    expires_at: datetime | None = None


def about(event: Event, **more: Any) -> dict[str, Any]:
    """Return what every message about an event says of it."""
    return {
        "event_id": str(event.pk),
        "event_number": event.number,
        "event": event.title,
        "starts_at": event.starts_at.isoformat(),
        "when": local_time(event.starts_at, event.time_zone),
        "page": f"{settings.PUBLIC_URL}/dating/{event.pk}/",
        **more,
    }


def local_time(moment: datetime, time_zone: str) -> str:
    zone = zone_of(time_zone)
    return f"{moment.astimezone(zone):%Y-%m-%d %H:%M} ({zone})"


def local_clock(moment: datetime, time_zone: str) -> str:
    return f"{moment.astimezone(zone_of(time_zone)):%H:%M}"


def tell(
    event: Event, kind: str, users: Iterable[UUID], *, key: str, urgent: bool = False, **more: Any
) -> None:
    """Tell people the same about an event: an item in each inbox, and a delivery per contact point.

    Args:
        key: tells this message from others of its kind about the event; nobody is told twice under one key.
        urgent: it makes no sense after the quiet hours.
        more: what the message says besides.
    """
    told = list(users)
    if not told:
        return
    notification = notification_of(
        kind=kind,
        data=about(event, **more),
        severity=Severity.CRITICAL if urgent else Severity.STANDARD,
        source_type=SOURCE,
        source_id=str(event.pk),
        dedup_key=f"{kind}:{event.pk}:{key}",
    )
    notify(notification, people(told, as_of=clock.now()), inbox=True)


def tell_each(notes: Sequence[Note]) -> None:
    """Tell each person what is theirs alone; few statements for any number.

    All of these make sense at their time only, so neither quiet hours nor the level hold them back.
    """
    ways = _ways({note.user.pk for note in notes})
    deliver_many([planned for note in notes for planned in _planned(note, ways)])


@dataclass(frozen=True, slots=True)
class _Ways:
    """How people can be told, and what they have switched off."""

    points: dict[UUID, list[ContactPoint]]
    rules: dict[UUID, list[Subscription]]

    def silences(self, note: Note, channel: str) -> bool:
        of_person = self.rules.get(note.user.pk)
        if of_person is None:  # nearly everybody
            return False
        return rules.silences(of_person, channel=channel, kind=note.kind, severity=Severity.CRITICAL)


def _ways(users: set[UUID]) -> _Ways:
    points, held = defaultdict(list), defaultdict(list)
    for point in ContactPoint.objects.confirmed().filter(user__in=users, is_enabled=True).order_by("id"):
        points[point.user_id].append(point)
    for rule in Subscription.objects.filter(user__in=users):
        held[rule.user_id].append(rule)
    return _Ways(dict(points), dict(held))


def _planned(note: Note, ways: _Ways) -> Iterable[Planned]:
    if not note.user.is_active:
        return
    notification = notification_of(
        kind=note.kind,
        data=note.data,
        severity=Severity.CRITICAL,
        source_type=note.source_type,
        source_id=note.source_id,
        dedup_key=note.dedup_key,
    )
    at: dict[str, Any] = {"user": note.user, "due_at": note.due_at, "expires_at": note.expires_at}
    if not ways.silences(note, "inbox"):
        yield Planned(notification, "inbox", revocable=True, **at)
    for point in ways.points.get(note.user.pk, ()):
        if not ways.silences(note, point.channel):
            yield Planned(
                notification, point.channel, point.address, contact_point=point, revocable=True, **at
            )
