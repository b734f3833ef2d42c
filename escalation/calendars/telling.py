"""Tells the administrators that a calendar by which people are on call can't be read any more."""

from datetime import datetime
from typing import Final

from django.conf import settings
from django.db.models import Q

from accounts.models import Role, User
from config.zones import local_time
from escalation.ical_addresses import masked
from escalation.models import LayerCalendar
from notifications.engine.planned import Planned, deliver_many
from notifications.engine.recipients import people_with_preferences, recipients
from notifications.messages.compose import notification_of
from notifications.models import Severity

STALE: Final = "on_call.calendar_stale"
#: The ``source_type`` of the notification; its id is the schedule's.
SOURCE: Final = "schedule"
#: In the inbox and by mail: whoever is on call by what was last read still is.
CHANNELS: Final = ("inbox", "email")


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
            "page": f"{settings.PUBLIC_URL.rstrip('/')}/admin/escalation/schedule/{schedule.pk}/change/",
        },
        source_type=SOURCE,
        source_id=str(schedule.pk),
        dedup_key=f"{STALE}:{calendar.pk}:{since.isoformat()}",
    )
    admins = User.objects.filter(Q(role=Role.ADMIN) | Q(is_superuser=True), is_staff=True)
    deliver_many(
        [
            Planned.for_recipient(each, notification, is_held=bool(each.reason))
            for person in people_with_preferences(admins).values()
            for each in recipients(person, kind=STALE, severity=Severity.STANDARD, at=now, channels=CHANNELS)
            if each.is_told
        ]
    )
