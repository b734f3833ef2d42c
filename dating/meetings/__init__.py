"""Where pairs meet: rooms for calls, from whichever provider an event uses, behind one small interface."""

from dating.meetings.base import Guest, MeetingRefused, MeetingUnavailable, Provider, RoomInfo
from dating.meetings.registry import PROVIDERS, is_offered, provider, provider_of

__all__ = [
    "PROVIDERS",
    "Guest",
    "MeetingRefused",
    "MeetingUnavailable",
    "Provider",
    "RoomInfo",
    "is_offered",
    "provider",
    "provider_of",
]
