"""Deleting what was told of something that goes, for domains whose facts end before the history does."""

from typing import Final

from django.db import transaction
from django.db.models import QuerySet

from config.slices import Run
from notifications.audit_days import forget_days_of
from notifications.models import Delivery, Notification

#: Notifications that are deleted in one commit, each with its deliveries.
AT_ONCE: Final = 500


def notices_delete(notices: QuerySet[Notification], run: Run) -> tuple[int, bool]:
    """Delete notices with their deliveries; returns how many, and False where the time was over before."""
    total = 0
    while ids := list(notices.order_by().values_list("pk", flat=True)[:AT_ONCE]):
        with transaction.atomic():
            forget_days_of(Delivery.objects.filter(notification__in=ids).values_list("pk", flat=True))
            deleted = Notification.objects.filter(pk__in=ids).delete()[1]
        total += deleted.get("notifications.Notification", 0)
        if not run.goes_on():
            return total, False
    return total, True
