"""Notices in the inbox and by mail: of what people should know, and are not called for."""

from collections.abc import Iterable
from datetime import datetime
from typing import Final

from notifications.engine.planned import Planned
from notifications.engine.recipients import Person, recipients
from notifications.models import Notification, Severity

CHANNELS: Final = ("inbox", "email")


def notices(notification: Notification, to: Iterable[Person], *, now: datetime) -> list[Planned]:
    """Return the deliveries to those who want to be told, for ``deliver_many``; quiet hours hold them."""
    return [
        Planned.for_recipient(each, notification, is_held=True)
        for person in to
        for each in recipients(
            person, kind=notification.kind, severity=Severity.STANDARD, at=now, channels=CHANNELS
        )
        if each.is_told
    ]
