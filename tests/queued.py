"""Deliveries as the engine's tables have them: a row of history, and one in the queue while it is pending."""

from collections.abc import Iterable
from typing import Any

from notifications.channels import registry
from notifications.models import PRIORITIES, Delivery, Outgoing, Severity, Undelivered
from notifications.reasons import HELD

OF_THE_QUEUE = {
    "lane",
    "priority",
    "lease_until",
    "failures",
    "lost_leases",
    "held_for",
    "for_digest",
}


def stored(deliveries: Iterable[Delivery], **queue: Any) -> list[Delivery]:
    """Store deliveries, with what is pending in the queue and what failed among the undelivered.

    Args:
        queue: columns of their rows in the queue.
    """
    made = Delivery.objects.bulk_create(deliveries)
    Outgoing.objects.bulk_create(
        Outgoing(**{**_row(each), **queue}) for each in made if each.status == Delivery.Status.PENDING
    )
    Undelivered.objects.bulk_create(
        Undelivered(delivery=each) for each in made if each.status in ("failed", "expired")
    )
    return made


def _row(delivery: Delivery) -> dict[str, Any]:
    channel = registry.CHANNELS.get(delivery.channel)
    told = delivery._state.fields_cache.get("notification")
    return {
        "delivery": delivery,
        "lane": channel.lane(delivery.address) if channel else delivery.channel or "nowhere",
        "priority": PRIORITIES[told.severity if told else Severity.STANDARD],
        "due_at": delivery.due_at,
        "expires_at": delivery.expires_at,
        "revocable": delivery.revocable,
        "attempts": delivery.attempts,
        "held_for": delivery.user_id if delivery.reason in HELD else None,
        "for_digest": delivery.reason == "digest",
    }


def split(fields: dict[str, Any]) -> tuple[dict[str, Any], dict[str, Any]]:
    """Return the fields of the history, and those of the queue; ``sending`` is pending, with a lease."""
    queue = {name: value for name, value in fields.items() if name in OF_THE_QUEUE}
    history = {name: value for name, value in fields.items() if name not in OF_THE_QUEUE}
    if history.get("status") == "sending":
        history["status"] = "pending"
        queue["attempts"] = history.pop("attempts", 1)
        queue["revoked_at"] = history.pop("revoked_at", None)
    return history, queue


def end_all(**changes: Any) -> None:
    """Change all deliveries, whatever they were, and have none of them in the queue any more."""
    Delivery.objects.update(**changes)
    Outgoing.objects.all().delete()
    failed = Delivery.objects.filter(status__in=["failed", "expired"])
    Undelivered.objects.bulk_create((Undelivered(delivery=each) for each in failed), ignore_conflicts=True)
