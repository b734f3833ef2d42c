"""The routes of heartbeats, below /api/v1/."""

from config.rest.api import slash_optional
from escalation.api.views import heartbeats

_HEARTBEAT = "heartbeats/<uuid:heartbeat_id>"

urlpatterns = [
    *slash_optional("heartbeats", heartbeats.HeartbeatsView.as_view(), name="heartbeats"),
    *slash_optional(_HEARTBEAT, heartbeats.HeartbeatView.as_view(), name="heartbeat"),
    *slash_optional(f"{_HEARTBEAT}/pause", heartbeats.HeartbeatPauseView.as_view(), name="heartbeat-pause"),
    *slash_optional(f"{_HEARTBEAT}/pings", heartbeats.HeartbeatPingsView.as_view(), name="heartbeat-pings"),
]
