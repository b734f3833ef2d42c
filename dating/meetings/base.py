"""What a meeting provider is: the interface that each implements."""

from abc import ABC, abstractmethod
from collections.abc import Hashable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import ClassVar


class MeetingRefused(Exception):
    """The provider refused for good: wrong credentials, no such room."""


class MeetingUnavailable(Exception):
    """It failed in a way that may pass; ``retry_after`` is how long to wait at least, in seconds."""

    def __init__(self, error: str, *, retry_after: float | None = None) -> None:
        super().__init__(error)
        self.retry_after = retry_after

    @property
    def wait(self) -> timedelta:
        """How long to wait before the next try."""
        return timedelta(seconds=5 if self.retry_after is None else self.retry_after)


class MeetingPaced(MeetingUnavailable):
    """Its turn has not come yet by our own pace, and nobody was asked: no trouble of the provider's."""


@dataclass(frozen=True, slots=True)
class RoomInfo:
    """A room: its address, and what the provider calls it."""

    url: str
    reference: str


@dataclass(frozen=True, slots=True)
class Guest:
    """Somebody who enters a room: an id that means nothing to others, and the name that they see.

    ``token`` is their own for this call, on pages of the product (dating.links).
    """

    id: str
    name: str
    token: str = ""


class Provider(ABC):
    """Makes rooms and ends the calls in them. Its methods use the network: call them outside transactions."""

    name: ClassVar[str]
    #: Whether `create_room` and `link` answer without asking anybody.
    is_local: ClassVar[bool] = False
    #: Whether it can end a call from outside: where not, nobody need ask it to.
    ends_calls: ClassVar[bool] = True
    #: Whether it knows who is in a call.
    knows_participants: ClassVar[bool] = True
    #: Whether a room notes by itself who comes in: where not, whoever follows their link has come.
    notes_arrivals: ClassVar[bool] = False

    @property
    def is_configured(self) -> bool:
        """Whether the settings hold what it needs."""
        return True

    @classmethod
    def configuration(cls) -> Hashable:
        """Return what its connections depend on: they are kept for as long as it stays the same."""
        return None

    @abstractmethod
    def create_room(self, *, key: str, title: str) -> RoomInfo:
        """Make a room.

        Args:
            key: names the room among all others, and stays secret.
            title: what people read over the call, where the provider shows it.

        Raises:
            MeetingRefused: it can't be made.
            MeetingUnavailable: not now; ``retry_after`` says when, if the provider's quota is used up.
        """

    def link(self, room: RoomInfo, *, call: str = "", guest: Guest | None = None, until: datetime) -> str:
        """Return the address by which one person enters one call of a room. Uses no network.

        Args:
            call: tells the room's calls apart, such as the number of the round.
            until: when the call ends. Where links expire, this one does soon after.
        """
        return room.url

    def end_call(self, reference: str) -> None:
        """End the call that is going on in a room; nothing if there is none, or where it ``ends_calls`` not.

        Raises:
            MeetingRefused, MeetingUnavailable: it may still go on.
        """
        return

    def participants(self, reference: str) -> list[str]:
        """Return the names of those who are in a room's call now; none if there is no call, or it can't know.

        Raises:
            MeetingRefused, MeetingUnavailable: nobody knows.
        """
        return []
