"""From one fact to its deliveries: one SQL statement a chunk, with the reason for whoever is not told."""

from notifications.engine.fanout.alerts import (
    alert_fan_out,
    alert_notification,
    alerts_fan_out,
    fan_out_arrived,
    fan_out_waiting,
)
from notifications.engine.fanout.audience import Audience, people
from notifications.engine.fanout.broadcasts import broadcast, broadcasts_fan_out
from notifications.engine.fanout.notify import notify
from notifications.engine.fanout.preview import Decision, preview

__all__ = [
    "Audience",
    "Decision",
    "alert_fan_out",
    "alert_notification",
    "alerts_fan_out",
    "broadcast",
    "broadcasts_fan_out",
    "fan_out_arrived",
    "fan_out_waiting",
    "notify",
    "people",
    "preview",
]
