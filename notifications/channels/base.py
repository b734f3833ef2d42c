"""What a channel is: the interface that every way of telling someone implements."""

from abc import ABC, abstractmethod
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar
from uuid import UUID

from django.conf import settings
from tenacity import wait_fixed
from tenacity.wait import wait_base

from notifications.channels.message import Message, Receipt, Rejected, Unavailable
from notifications.channels.transport.batch import Batching
from notifications.channels.transport.session import Session


@dataclass(frozen=True, slots=True)
class RetryPolicy:
    """How often a channel tries in all, and how long it waits in between (a tenacity wait strategy)."""

    attempts: int
    wait: wait_base


class Channel(ABC):
    """One way of telling someone. Stateless: connections live in the session."""

    name: ClassVar[str]
    #: What people call it, where that is not its name with a capital.
    label: ClassVar[str] = ""
    #: What an address of this channel is, in words for people, such as "an https URL".
    address_type: ClassVar[str]
    #: The field of an escalation's request that holds an address of it; "" where only people are told by it.
    address_field: ClassVar[str] = ""
    #: Whether that field takes a JSON number too.
    address_may_be_number: ClassVar[bool] = False
    #: False where the address is always "".
    has_addresses: ClassVar[bool] = True
    #: Whether a contact point tells nothing but a code until somebody has read that there.
    needs_confirmation: ClassVar[bool]
    #: Which verified address of an account is one on this channel too: ``email``, ``phone``, or none.
    verified_as: ClassVar[str] = ""
    #: Whether a person may have a contact point on it.
    for_contacts: ClassVar[bool] = True
    #: Whether its sends can be stopped up to the instant they begin.
    revocable: ClassVar[bool] = False
    #: True where storing the row is the delivery, and nothing is left to send.
    instant: ClassVar[bool] = False
    #: True where each message costs its operator money.
    is_paid: ClassVar[bool] = False
    #: True where people read it, so that what quiet hours held back may come as one message.
    digests: ClassVar[bool] = False
    #: True where its texts are said: codes then go digit by digit.
    is_spoken: ClassVar[bool] = False
    #: True where programs read its texts, or nobody does: they name times as they are stored, in UTC.
    for_programs: ClassVar[bool] = False
    #: Whether an address leads to somebody alone, to read by themselves: links that act for them may go.
    is_private_to_one: ClassVar[bool] = False
    #: Whether the codes and links of an account itself may go there.
    carries_account_secrets: ClassVar[bool] = False
    #: Whether what it sends is signed with a secret of the contact point.
    is_signed: ClassVar[bool] = False
    #: Whoever knows an address can do something with it, as with an app's token: nobody is shown it.
    address_is_secret: ClassVar[bool] = False
    #: Whether it has a ``send_batch``: a destination can be told of several deliveries in one request.
    batches: ClassVar[bool] = False

    def __init_subclass__(cls) -> None:
        if not hasattr(cls, "needs_confirmation"):
            raise TypeError(f"{cls.__name__} must say whether it needs_confirmation.")

    @property
    def is_configured(self) -> bool:
        """Whether the settings hold what it needs. If not, no new contact points on it are taken."""
        return True

    @property
    def policy(self) -> Mapping[str, float]:
        """This channel's own: ``attempts``, ``wait_s``, ``timeout_s``, ``concurrency``, ``rate``."""
        return settings.CHANNEL_POLICIES.get(self.name, {})

    @property
    def timeout_s(self) -> float:
        """Seconds that one send may take in all."""
        return float(self.policy.get("timeout_s", settings.SEND_TIMEOUT_S))

    @property
    def concurrency(self) -> int:
        """Sends under way at once to one lane, in one worker."""
        return int(self.policy.get("concurrency", settings.LANE_CONCURRENCY))

    @property
    def rate(self) -> float | None:
        """Sends per second to one lane, by all workers together; None for as many as it takes."""
        rate = self.policy.get("rate")
        return None if rate is None else float(rate)

    @property
    def hold_max_s(self) -> float:
        """Seconds for which one answer that asks for less can hold a lane."""
        return float(settings.RETRY_AFTER_MAX_S)

    @property
    def batching(self) -> Batching | None:
        """How it batches what goes to no contact point, which says that for itself; None: not at all."""
        return None

    @property
    def retry_policy(self) -> RetryPolicy:
        return RetryPolicy(
            attempts=int(self.policy.get("attempts", settings.RETRY_ATTEMPTS)),
            wait=wait_fixed(float(self.policy.get("wait_s", settings.RETRY_WAIT_S))),
        )

    @abstractmethod
    def normalised_address(self, address: str) -> str:
        """Return the address in normal form; raises ValidationError if it is none of this channel."""

    def destination(self, address: str) -> str:
        """Return what a normal address leads to: codes are counted by it, however it is spelled."""
        return address

    @abstractmethod
    def lane(self, address: str) -> str:
        """Return the destination's lane: what fails or stalls together (a host, a provider account)."""

    @property
    def before_compose_sql(self) -> str:
        """What is read before its messages are composed, with ``%(users)s`` for their people; "" for nothing.

        A sender's event loop must not wait for Django's connection, so whoever composes the messages runs it.
        """
        return ""

    def before_compose(  # noqa: B027  (most keep nothing)
        self, rows: Sequence[tuple[Any, ...]], messages: Iterable[tuple[UUID | None, dict[Any, Any]]]
    ) -> None:
        """Keep what ``before_compose_sql`` returned for these messages: each one's person and ``shared``."""

    @abstractmethod
    async def send(self, message: Message, session: Session) -> Receipt:
        """Send one message.

        Raises:
            Rejected: final.
            TooFast: the whole lane is to slow down; put back without counting a failure.
            Away: nothing could be said; tried again without counting a failure.
            Unavailable: may pass; tried again by the retry policy.
        """

    async def send_batch(
        self, messages: Sequence[Message], session: Session, batching: Batching
    ) -> list[Receipt | Rejected | Unavailable]:
        """Send messages to one address in one request; returns what came of each. Raises as ``send`` does."""
        raise NotImplementedError
