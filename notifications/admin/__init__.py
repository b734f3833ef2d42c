"""The operator's face: who was or was not told of what, and why; and starting again what failed."""

from notifications.admin import (
    alerts,
    caller_ids,
    contact_points,
    dead_messages,
    deliveries,
    delivery_actions,
    events,
    message_templates,
    people,
)

__all__ = [
    "alerts",
    "caller_ids",
    "contact_points",
    "dead_messages",
    "deliveries",
    "delivery_actions",
    "events",
    "message_templates",
    "people",
]
