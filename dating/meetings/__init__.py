"""Where pairs meet: rooms for calls, from whichever provider an event uses, behind one small interface."""

from dating.meetings.base import Guest, MeetingPaced, MeetingRefused, MeetingUnavailable, Provider, RoomInfo
from dating.meetings.registry import (
    DEFAULT,
    NEEDS,
    PROVIDERS,
    asks_nobody,
    ends_calls,
    is_offered,
    knows_participants,
    offered,
    provider,
)

__all__ = [
    "DEFAULT", "NEEDS", "PROVIDERS", "Guest", "MeetingPaced", "MeetingRefused", "MeetingUnavailable",
    "Provider", "RoomInfo", "asks_nobody", "ends_calls", "is_offered", "knows_participants", "offered",
    "provider",
]  # fmt: skip
