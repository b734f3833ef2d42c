"""Contact points that their provider has called dead: their owners hear of it, and are still told."""

from datetime import datetime, timedelta
from typing import Final
from uuid import UUID

from django.conf import settings
from django.db import transaction
from django.db.models import Q

from config import clock
from notifications.engine.fanout import notify, people
from notifications.engine.fanout.preview import goes_to_inbox
from notifications.engine.planned import Planned, deliver_many
from notifications.ids import first_id
from notifications.looks import first
from notifications.messages.compose import notification_of
from notifications.models import ContactPoint, Delivery

#: Whether there is any, as notifications.looks asks it.
ANY: Final = first("notifications_contactpoint WHERE gone_at IS NOT NULL", by="gone_at")
KIND: Final = "contact_point.gone"
#: How many are seen to at once; the others in the next second.
_AT_ONCE: Final = 100
#: How far back the ids of what was lost with a contact point may lie: an alert's say when it was spotted.
_BACK: Final = timedelta(hours=1)
_LOST: Final = Q(status=Delivery.Status.FAILED, reason=Delivery.Reason.GONE) | Q(
    status=Delivery.Status.SUPPRESSED, reason=Delivery.Reason.DISABLED
)


def contact_points_follow_up(now: datetime) -> None:
    """See to all that have been called dead since the last time."""
    gone = ContactPoint.objects.filter(gone_at__isnull=False).order_by("gone_at")
    for pk in list(gone.values_list("pk", flat=True)[:_AT_ONCE]):
        _follow_up(pk)


@transaction.atomic
def _follow_up(pk: UUID) -> None:
    """Tell the owner; where they are told by nothing else any more, have alerts come to their inbox."""
    locked = ContactPoint.objects.select_for_update(of=("self",), skip_locked=True).select_related("user")
    point = locked.filter(pk=pk, gone_at__isnull=False).first()
    if point is None:  # somebody else is at it
        return
    gone_at, user = point.gone_at, point.user
    ContactPoint.objects.filter(pk=pk).update(gone_at=None)
    if point.is_enabled or point.deleted_at or not user.is_active:  # its owner has seen to it meanwhile
        return
    assert gone_at
    is_last = not ContactPoint.objects.confirmed().filter(user=user, is_enabled=True).exists()
    if is_last:
        theirs = ContactPoint.objects.filter(user=user, channel="inbox", deleted_at=None)
        if not theirs.update(is_enabled=True):
            ContactPoint.objects.create(user=user, channel="inbox")
        # The alerts that were to be told there and were not, since it was dead already.
        # By the person too: there is an index of theirs, and none of contact points.
        lost = Delivery.objects.filter(_LOST, user=user, contact_point=point)
        since = lost.filter(pk__gte=first_id(gone_at - _BACK)).select_related("notification")
        told = [delivery.notification for delivery in since]
        again = [notification for notification in told if not goes_to_inbox(notification.kind)]
        deliver_many([Planned(notification, "inbox", user=user) for notification in again])
    notification = notification_of(
        kind=KIND,
        data={
            "channel": point.channel,
            "label": point.label,
            "inbox_instead": is_last,
            "page": f"{settings.PUBLIC_URL}/preferences/",
        },
        source_type="contact_point",
        source_id=str(pk),
        dedup_key=f"{KIND}:{pk}:{gone_at.isoformat()}",
    )
    notify(notification, people([user.pk], as_of=clock.now()), inbox=True)
