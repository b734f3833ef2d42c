"""While an evening is paused: whoever runs it is reminded, before it ends by itself."""

from datetime import datetime, timedelta
from typing import Final

from django.conf import settings

from accounts.models import User
from dating.models import Event
from dating.services.telling import deliveries_of, local_clock, notice, tell_each
from notifications.engine import stop
from notifications.models import Delivery

SOURCE: Final = "dating_pause"


def longest_pause() -> timedelta:
    return timedelta(seconds=settings.DATING_PAUSE_MAX_S)


def runners_remind(*, event: Event, paused_at: datetime, but: User | None = None) -> None:
    """Remind whoever runs a paused event (``but`` somebody who leaves) once half of its time is over."""
    organiser, ends_at = event.organiser, paused_at + longest_pause()
    is_there = organiser is not None and organiser.is_active and organiser != but
    tell_each(
        [
            notice(
                event,
                user,
                "dating.still_paused",
                key=f"{paused_at.isoformat()}:{user.pk}",
                source=(SOURCE, event.pk),
                due_at=paused_at + longest_pause() / 2,
                expires_at=ends_at,
                until=local_clock(ends_at, user.time_zone),
            )
            for user in ([organiser] if organiser and is_there else staff(but=but))
        ]
    )


def staff(*, but: User | None = None) -> list[User]:
    """Return those who run an event that has no organiser, or none who can."""
    there = User.objects.filter(is_staff=True, is_active=True).order_by("pk")
    return list(there.exclude(pk=but.pk) if but else there)


def reminder_cancel(*, event: Event) -> None:
    """Have nobody be reminded any more: the pause is over."""
    stop.close(deliveries_of(SOURCE, [event.pk]), reason=Delivery.Reason.OVERTAKEN)
