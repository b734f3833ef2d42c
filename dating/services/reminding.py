"""While an evening is paused: its organiser is reminded, before it ends by itself."""

from datetime import datetime, timedelta
from typing import Final

from django.conf import settings

from dating.models import Event
from dating.services.telling import Notice, about, local_clock, tell_each
from notifications.engine import stop
from notifications.models import Delivery

SOURCE: Final = "dating_pause"


def longest_pause() -> timedelta:
    return timedelta(seconds=settings.DATING_PAUSE_MAX_S)


def organiser_remind(*, event: Event, now: datetime) -> None:
    """Have the organiser of an event, which is paused now, be told so again when half of its time is over."""
    organiser = event.organiser
    if organiser is None:
        return
    ends_at = now + longest_pause()
    reminder = Notice(
        user=organiser,
        kind="dating.still_paused",
        data=about(event, organiser.time_zone, until=local_clock(ends_at, organiser.time_zone)),
        dedup_key=f"dating.still_paused:{event.pk}:{now.isoformat()}",
        source_type=SOURCE,
        source_id=str(event.pk),
        due_at=now + longest_pause() / 2,
        expires_at=ends_at,
    )
    tell_each([reminder])


def reminder_cancel(*, event: Event) -> None:
    """Have nobody be reminded any more: the pause is over."""
    of_pauses = Delivery.objects.filter(
        notification__source_type=SOURCE, notification__source_id=str(event.pk)
    )
    stop.close(of_pauses, reason=Delivery.Reason.OVERTAKEN)
