"""An organiser leaves: their evenings go on, and the staff, who run them from then on, hear of it."""

from typing import Final

from django.conf import settings

from accounts.models import User
from config.zones import local_time
from dating.evening.steps import OVER
from dating.models import Event
from dating.services.reminding import runners_remind, staff
from dating.services.telling import SOURCE, Notice, tell_each

#: A message names no more evenings than these.
_NAMED: Final = 10


def evenings_hand_over(*, organiser: User) -> None:
    """Tell the staff that the evenings of somebody who is deleted, or locked out, are theirs to run now.

    An evening runs by itself, so that nobody else is told: it takes place, or goes on.
    """
    events = list(
        Event.objects.filter(organiser=organiser).exclude(step__in=OVER).order_by("starts_at", "id")
    )
    if not events:
        return
    tell_each(
        [
            Notice(
                user=user,
                kind="dating.no_organiser",
                data={
                    "count": len(events),
                    "evenings": [
                        f"{event.title}, {local_time(event.starts_at, user.time_zone)}"
                        for event in events[:_NAMED]
                    ],
                    "more": max(len(events) - _NAMED, 0),
                    "page": f"{settings.PUBLIC_URL}/dating/",
                },
                dedup_key=f"dating.no_organiser:{organiser.pk}:{events[0].pk}:{user.pk}",
                source_type=SOURCE,
                source_id=str(events[0].pk),
            )
            for user in staff(but=organiser)
        ]
    )
    for event in events:
        if event.paused_at is not None:
            runners_remind(event=event, paused_at=event.paused_at, but=organiser)
