"""What a consumer needs of a broker, whichever it is: messages held, acknowledged, given back."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, Protocol

from notifications.brokers.messages import Message


class BrokerAway(Exception):
    """The broker can't be reached, or has ended the connection. What was held is its own again."""


@contextmanager
def away_on(*errors: type[BaseException]) -> Iterator[None]:
    """Turn these exceptions of a client into BrokerAway."""
    try:
        yield
    except errors as error:
        raise BrokerAway(f"{type(error).__name__}: {error}"[:200]) from error


@dataclass(frozen=True, slots=True, eq=False)
class Delivered:
    """A message that is held: neither acknowledged nor given back. ``tag`` is the broker's name for that."""

    message: Message
    tag: Any


class Intake(Protocol):
    """A connection to the broker of one source. Everything may raise BrokerAway, after which it is closed."""

    def connect(self) -> None:
        """Connect, declare what is missing, and begin to receive."""

    def take(self, *, most: int, timeout_s: float) -> list[Delivered]:
        """Wait for messages for at most so long, then return what is there, oldest first."""

    def acknowledge(self, delivered: Sequence[Delivered]) -> None:
        """Say that these have taken effect, or are dead letters."""

    def give_back(self, delivered: Sequence[Delivered]) -> None:
        """Leave these to another consumer, at once and in their order."""

    def keep(self, delivered: Sequence[Delivered]) -> None:
        """Say that this consumer lives, and still has these; called at least every few seconds."""

    def close(self) -> None:
        """Leave; what is held goes back. Never raises."""
