"""Telling people: the same to many by the fan-out, or to each their own, at its time.

None of it is critical. Most makes no sense after the evening, so quiet hours don't hold it (``URGENT``).
"""

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from itertools import chain
from typing import Any, Final
from uuid import UUID

from django.conf import settings
from django.db.models import Q, QuerySet

from accounts.models import User
from config import clock
from config.zones import local_time, zone_of
from dating.models import Event
from notifications.engine import stop
from notifications.engine.fanout import notify, people
from notifications.engine.planned import Planned, deliver_many
from notifications.engine.recipients import Person, people_with_preferences, recipients
from notifications.messages.compose import notification_of
from notifications.models import Delivery, Outgoing, Severity

SOURCE = "dating_event"
#: What has been due for longer has not been taken, since its lane is closed.
_ON_ITS_WAY: Final = timedelta(seconds=30)
#: What is told while an evening goes on or is about to begin, or that it does not.
URGENT: Final = (
    "dating.bye", "dating.dropped", "dating.extended", "dating.left_out", "dating.link",
    "dating.partner_left", "dating.paused", "dating.rate", "dating.resumed", "dating.rules", "dating.skipped",
    "dating.still_paused", "dating.taking_part",
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Notice:
    """What one person is told, by every way on which they can be, at a time (None: now)."""

    user: User
    kind: str
    data: dict[str, Any]
    dedup_key: str
    source_type: str
    source_id: str
    due_at: datetime | None = None
    expires_at: datetime | None = None


def about(event: Event, time_zone: str, **more: Any) -> dict[str, Any]:
    """Return what every message about an event says of it, by the clocks of its reader."""
    return {
        "event_id": str(event.pk),
        "event_number": event.number,
        "event": event.title,
        "starts_at": event.starts_at.isoformat(),
        "when": local_time(event.starts_at, time_zone),
        "page": f"{settings.PUBLIC_URL}/dating/{event.pk}/",
        **more,
    }


def local_clock(moment: datetime, time_zone: str) -> str:
    return f"{moment.astimezone(zone_of(time_zone)):%H:%M}"


def tell(
    event: Event,
    kind: str,
    users: Iterable[UUID],
    *,
    key: str,
    until_at: datetime | None = None,
    expires_at: datetime | None = None,
    **more: Any,
) -> None:
    """Tell people the same about an event: an item in each inbox, and a delivery per contact point.

    The texts say times, so there is a notification for each time zone that they live by.

    Args:
        key: tells this message from others of its kind about the event; nobody is told twice under one key.
        until_at: told as ``until``, the time that it is by their clocks then.
        expires_at: when it makes no sense to tell it any more; by default ``until_at``.
        more: what the message says besides.
    """
    now, by_zone = clock.now(), defaultdict[str, list[UUID]](list)
    expires_at = expires_at or until_at
    if expires_at is not None and expires_at <= now:  # a step that is late: better told late than not at all
        expires_at = None
    for user_id, time_zone in User.objects.filter(pk__in=list(users)).values_list("pk", "time_zone"):
        by_zone[time_zone].append(user_id)
    for time_zone, told in by_zone.items():
        until = {"until": local_clock(until_at, time_zone)} if until_at else {}
        notification = notification_of(
            kind=kind,
            data=about(event, time_zone, **until, **more),
            source_type=SOURCE,
            source_id=str(event.pk),
            dedup_key=f"{kind}:{event.pk}:{key}:{time_zone}",
        )
        notify(notification, people(told, as_of=now), inbox=True, expires_at=expires_at)


def overtaken_stop(event: Event, users: Iterable[UUID], *kinds: str) -> set[tuple[UUID, str]]:
    """Stop what still waits to be told to these people about an event: what is told now takes its place.

    Else all that waits, for the end of quiet hours or for a mail server, would come at once, in any order.
    Call it before the other is told (see notifications.engine.stop), with those ``kinds`` that it overtakes,
    if not all. Returns who would have been told what.
    """
    was_tried = Q(attempts__gt=0) | Q(due_at__lte=clock.now() - _ON_ITS_WAY)
    waiting = Outgoing.objects.filter(
        Q(held_for__isnull=False) | was_tried,
        delivery__user__in=list(users),
        delivery__notification__source_type=SOURCE,
        delivery__notification__source_id=str(event.pk),
    )
    if kinds:
        waiting = waiting.filter(delivery__notification__kind__in=kinds)
    rows = list(waiting.values_list("pk", "delivery__user", "delivery__notification__kind"))
    if rows:
        stop.cancel(
            Delivery.objects.filter(pk__in=[pk for pk, _, _ in rows]), reason=Delivery.Reason.OVERTAKEN
        )
    return {(user_id, kind) for _, user_id, kind in rows}


def notice(
    event: Event,
    user: User,
    kind: str,
    *,
    key: object,
    source: tuple[str, UUID] | None = None,
    due_at: datetime | None = None,
    expires_at: datetime | None = None,
    **more: Any,
) -> Notice:
    """Return what one person is told about an event, or its round (``source``): once for each ``key``."""
    source_type, source_id = source or (SOURCE, event.pk)
    data, dedup_key = about(event, user.time_zone, **more), f"{kind}:{source_id}:{key}"
    return Notice(user, kind, data, dedup_key, source_type, str(source_id), due_at, expires_at)


def deliveries_of(source_type: str, ids: Iterable[UUID]) -> QuerySet[Delivery]:
    """Return the deliveries of what was told of some events, rounds or breaks."""
    return Delivery.objects.filter(
        notification__source_type=source_type, notification__source_id__in=[str(pk) for pk in ids]
    )


def tell_each(notices: Sequence[Notice]) -> None:
    """Tell each person what is theirs alone; few statements for any number."""
    everybody, now = people_with_preferences(notice.user for notice in notices), clock.now()
    planned = [_planned(notice, everybody[notice.user.pk], now) for notice in notices]
    deliver_many(list(chain.from_iterable(planned)))


def _planned(notice: Notice, person: Person, now: datetime) -> Iterable[Planned]:
    if not notice.user.is_active:
        return
    notification = notification_of(
        kind=notice.kind,
        data=notice.data,
        source_type=notice.source_type,
        source_id=notice.source_id,
        dedup_key=notice.dedup_key,
    )
    at = notice.due_at or now
    for recipient in recipients(person, kind=notice.kind, severity=Severity.STANDARD, at=at):
        if recipient.is_told:
            yield Planned.for_recipient(
                recipient,
                notification,
                expires_at=notice.expires_at,
                is_held=True,
            )
