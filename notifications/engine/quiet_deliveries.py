"""What quiet hours hold back: rows that wait for their end, and may yet turn out not to be wanted."""

from collections import Counter
from collections.abc import Callable
from uuid import UUID

from django.db import transaction
from django.db.models import QuerySet

from notifications import metrics
from notifications.engine.recipients import unusable
from notifications.models import ContactPoint, Delivery, Outgoing
from notifications.reasons import Reason


def held_for(user_id: UUID, contact_point: ContactPoint | None = None) -> QuerySet[Outgoing]:
    """What is held for a person, or for one contact point of theirs."""
    held = Outgoing.objects.filter(held_for=user_id, lease_until=None)
    return held if contact_point is None else held.filter(delivery__contact_point=contact_point)


def follow(contact_point: ContactPoint) -> None:
    """Have what is held for a contact point go to where that leads now, or end with it."""
    waiting = held_for(contact_point.user_id, contact_point)
    if reason := unusable(contact_point):
        suppress(waiting, reason=reason)
    # Send those that are held to another address.
    with transaction.atomic():
        pks = list(waiting.order_by("pk").select_for_update(of=("self",)).values_list("pk", flat=True))
        Outgoing.objects.filter(pk__in=pks).update(lane=contact_point.lane)
        Delivery.objects.filter(pk__in=pks).update(address=contact_point.address)


def suppress(
    held: QuerySet[Outgoing], *, reason: Reason, where: Callable[[Delivery], bool] = lambda _: True
) -> int:
    """End those that are held, or those of them that ``where`` chooses, for good; returns how many."""
    with transaction.atomic():
        rows = held.select_related("delivery__notification").order_by("pk").select_for_update(of=("self",))
        chosen = [each.delivery for each in rows if where(each.delivery)]
        pks = [delivery.pk for delivery in chosen]
        Outgoing.objects.filter(pk__in=pks).delete()
        Delivery.objects.filter(pk__in=pks).update(status=Delivery.Status.SUPPRESSED, reason=reason)
    metrics.add_many(Counter(("deliveries", each.channel, "suppressed") for each in chosen).items())
    return len(chosen)
