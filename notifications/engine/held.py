"""What quiet hours hold back: rows that wait for their end, and may yet turn out not to be wanted."""

from collections import Counter
from collections.abc import Callable
from typing import Final

from django.db import transaction
from django.db.models import QuerySet

from notifications import metrics
from notifications.models import Delivery

QUIET_HOURS: Final = "quiet_hours"
#: Held too, to be told with others in one message.
DIGEST: Final = "digest"
REASONS: Final = (QUIET_HOURS, DIGEST)


def _held(deliveries: QuerySet[Delivery]) -> QuerySet[Delivery]:
    return deliveries.filter(status=Delivery.Status.PENDING, reason__in=REASONS)


def readdress(deliveries: QuerySet[Delivery], *, address: str, lane: str) -> None:
    """Send those that are held to another address."""
    _held(deliveries).update(address=address, lane=lane)


def suppress(
    deliveries: QuerySet[Delivery], *, reason: str, where: Callable[[Delivery], bool] = lambda _: True
) -> int:
    """End those that are held, never to be sent; returns how many.

    Args:
        where: which of them; asked with the notification at hand.
    """
    with transaction.atomic():
        held = _held(deliveries).select_related("notification").order_by("pk").select_for_update(of=("self",))
        chosen = [delivery for delivery in held if where(delivery)]
        Delivery.objects.filter(pk__in=[delivery.pk for delivery in chosen]).update(
            status=Delivery.Status.SUPPRESSED, reason=reason
        )
    for channel, count in Counter(delivery.channel for delivery in chosen).items():
        metrics.add("deliveries", channel, "suppressed", amount=count)
    return len(chosen)
