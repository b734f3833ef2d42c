"""A room of our own: a page of the product on which two browsers speak to each other (dating.rooms)."""

from datetime import datetime

from django.conf import settings

from dating.meetings.base import Guest, Provider, RoomInfo


class BuiltInRoom(Provider):
    name = "built_in"
    is_local = True
    # The room ends each call by itself, and notes who comes in.
    ends_calls = False
    knows_participants = False
    notes_arrivals = True

    def create_room(self, *, key: str, title: str) -> RoomInfo:
        return RoomInfo(url=f"{settings.PUBLIC_URL}/dating/room/", reference=key)

    def link(self, room: RoomInfo, *, call: str = "", guest: Guest | None = None, until: datetime) -> str:
        """Return the address of the room for one person and one round."""
        assert guest is not None, "nobody enters without a token"
        return f"{settings.PUBLIC_URL}/dating/room/{guest.token}/"
