"""What goes to a channel and what comes back: a message, and the receipt or the failure of sending it."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any
from uuid import UUID


class Rejected(Exception):
    """The destination refused for good; trying again would change nothing."""

    def __init__(self, error: str, *, status_code: int | None = None) -> None:
        super().__init__(error)
        self.status_code = status_code


class Gone(Rejected):
    """The provider says that the address is dead: a contact point that still has it is switched off."""


class Unavailable(Exception):
    """The send failed in a way that may pass; ``retry_after`` is the destination's own wish, in seconds."""

    def __init__(
        self, error: str, *, status_code: int | None = None, retry_after: float | None = None
    ) -> None:
        super().__init__(error)
        self.status_code = status_code
        self.retry_after = retry_after


class TooFast(Unavailable):
    """The destination is there and asks to be sent to more slowly: no fault of this message.

    ``retry_after`` holds for all of the lane, which is slowed down; the message is put back, and its attempt
    does not count as one of those that its channel allows.
    """


class Away(Unavailable):
    """What it goes through can't be reached at all, so that nothing was said of this message.

    Tried again for as long as it may be sent; no such attempt counts as one of those that its channel allows.
    """


@dataclass(frozen=True, slots=True)
class Receipt:
    """The destination took it. ``status_code`` where its protocol has one.

    ``reference`` is the provider's own id of what it took, by which it can be asked or told about it later.
    """

    status_code: int | None = None
    reference: str = ""


# Not frozen, which would triple the cost of making one.
@dataclass(slots=True)
class Message:
    """One delivery as a channel sees it. ``delivery_id`` is the idempotency key, the same at each attempt."""

    delivery_id: UUID
    user_uuid: UUID | None
    contact_point_id: UUID | None
    channel: str
    address: str
    kind: str
    title: str
    body: str
    severity: str
    data: Mapping[str, Any]
    created_at: datetime
    attempt: int
    language: str = "en"
    secret_version: int = 1
    secret_rotated_at: datetime | None = None
    # Set for a revocable delivery: the channel's session calls it at the instant the request goes out.
    on_begin: Callable[[], None] | None = field(default=None, compare=False)
    #: What channels keep for the other messages of the same notification, which differ in little.
    shared: dict[Any, Any] = field(default_factory=dict, compare=False)
