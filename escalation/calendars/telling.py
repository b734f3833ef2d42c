"""Tells the administrators that a calendar by which people are on call can't be read any more."""

from datetime import datetime
from typing import Final

from django.conf import settings

from accounts.selectors import administrators
from config.zones import local_time
from escalation.ical_addresses import masked
from escalation.models import LayerCalendar
from escalation.notices import notices
from notifications.engine.planned import deliver_many
from notifications.engine.recipients import people_with_preferences
from notifications.messages.compose import notification_of

STALE: Final = "on_call.calendar_stale"
#: The ``source_type`` of the notification; its id is the schedule's.
SOURCE: Final = "schedule"


def stale_tell(calendar: LayerCalendar, *, error: str, since: datetime, now: datetime) -> None:
    """Tell them once that it hasn't been read since then; within the transaction that notes that."""
    schedule = calendar.layer.schedule
    notification = notification_of(
        kind=STALE,
        data={
            "schedule": schedule.name,
            "layer": str(calendar.layer),
            "address": masked(calendar.url),
            "error": error,
            "since": local_time(since, "UTC"),
            "page": f"{settings.PUBLIC_URL}/admin/escalation/schedule/{schedule.pk}/change/",
        },
        source_type=SOURCE,
        source_id=str(schedule.pk),
        dedup_key=f"{STALE}:{calendar.pk}:{since.isoformat()}",
    )
    admins = people_with_preferences(administrators()).values()
    deliver_many(notices(notification, admins, now=now))
