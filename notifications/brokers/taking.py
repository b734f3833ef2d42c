"""Messages take effect: a batch in one transaction, or one by one where something is wrong with the batch."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import Enum, auto
from typing import Any, Final

import structlog
from django.conf import settings
from django.db import Error as DatabaseError
from django.db import InterfaceError, OperationalError, connection, transaction

from notifications import masking, metrics
from notifications.brokers import failures, outbox
from notifications.brokers.dead_letters import FINAL, dead_messages_store, reason_of
from notifications.brokers.formats import Format
from notifications.brokers.messages import Answer, Malformed, Message
from notifications.brokers.sources import Source

log = structlog.get_logger(__name__)

CONSUMERS_LOST: Final = "Consumers were lost again and again while handling it."
MAX_WAIT_S: Final = 30.0
#: PostgreSQL's codes of errors: of the connection, of resources, of its own stopping, of a standby.
AWAY: Final = ("08", "53", "57P", "25006")


class DatabaseAway(Exception):
    """PostgreSQL can't be reached: nothing is to be said to the broker until it can."""


class Outcome(Enum):
    """What became of a message; ``AGAIN`` and ``BEHIND`` are still held."""

    DONE = auto()
    DEAD = auto()
    #: It failed in a way that may pass.
    AGAIN = auto()
    #: It was not tried, since one before it in its group has to come first.
    BEHIND = auto()


@dataclass(frozen=True, slots=True)
class Taken:
    outcome: Outcome
    #: Seconds until it should be tried again.
    wait_s: float = 0.0


def messages_take(
    source: Source, format_: Format, messages: Sequence[Message], *, now: datetime
) -> list[Taken]:
    """Have messages take effect; what is DONE or DEAD is committed when this returns.

    Raises:
        DatabaseAway: nothing is known of any of them; take them all again later.
    """
    try:
        again = [message for message in messages if message.redelivered]
        suspects = failures.suspects(source.name, again, now=now)
        if not suspects:
            try:
                return _take_together(source, format_, messages)
            except Exception as error:
                _raise_if_away(error)
                if len(messages) > 1:
                    log.info("batch_undone", source=source.name, count=len(messages), error=reason_of(error))
        taken: list[Taken] = []
        stuck: dict[str, float] = {}
        for message in messages:
            group = message.group if source.ordered else None
            if group is not None and group in stuck:
                taken.append(Taken(Outcome.BEHIND, stuck[group]))
                continue
            attempts = None
            if suspects and message.redelivered and failures.key_of(message) in suspects:
                attempts = failures.count(source.name, message, now=now)
            result = _take_alone(source, format_, message, attempts, now)
            if group is not None and result.outcome is Outcome.AGAIN:
                stuck[group] = result.wait_s
            taken.append(result)
        return taken
    except DatabaseError as error:
        _raise_if_away(error)
        raise


def _take_together(source: Source, format_: Format, messages: Sequence[Message]) -> list[Taken]:
    commands: list[Any] = []
    dead: list[tuple[Message, Exception]] = []
    for message in messages:
        try:
            commands.append(format_.translate(message))
        except FINAL as error:
            dead.append((message, error))
    with transaction.atomic():
        answers = list(format_.apply(commands)) if commands else []
        answers += [answer for _, error in dead for answer in _answers(error)]
        dead_messages_store((message, reason_of(error), 1) for message, error in dead)
        outbox.messages_send(source=source, answers=answers)
        failures.forget(source.name, [message for message in messages if message.redelivered])
    lost = {id(message) for message, _ in dead}
    outcomes = [Outcome.DEAD if id(message) in lost else Outcome.DONE for message in messages]
    told = Counter(("messages", source.name, outcome.name.lower()) for outcome in outcomes)
    metrics.add_many(told.items())
    return list(map(Taken, outcomes))


def _answers(error: Exception) -> Sequence[Answer]:
    return error.answers if isinstance(error, Malformed) else ()


def _take_alone(
    source: Source, format_: Format, message: Message, attempts: int | None, now: datetime
) -> Taken:
    """Take one message; ``attempts`` is the number of this attempt, if it was counted before it began."""
    if attempts is not None and attempts > settings.MESSAGE_ATTEMPTS:
        return _bury(source, message, CONSUMERS_LOST, attempts - 1)
    try:
        return _take_together(source, format_, [message])[0]
    except FINAL as error:
        return _bury(source, message, reason_of(error), attempts or 1, answers=_answers(error))
    except Exception as error:  # whatever a format raises is that message's failure, not the consumer's
        _raise_if_away(error)
        attempts = attempts or failures.count(source.name, message, now=now)
        reason, trail = reason_of(error), masking.trail(error)
    if attempts >= settings.MESSAGE_ATTEMPTS:
        return _bury(source, message, reason, attempts)
    metrics.add("messages", source.name, "failed")
    log.warning("message_failed", source=source.name, attempt=attempts, error=reason, trail=trail)
    return Taken(Outcome.AGAIN, wait_s(attempts, first_s=settings.MESSAGE_RETRY_WAIT_S))


def _bury(
    source: Source, message: Message, reason: str, attempts: int, *, answers: Sequence[Answer] = ()
) -> Taken:
    with transaction.atomic():
        dead_messages_store([(message, reason, attempts)])
        outbox.messages_send(source=source, answers=answers)
        failures.forget(source.name, [message])
    metrics.add("messages", source.name, "dead")
    return Taken(Outcome.DEAD)


def wait_s(attempts: int, *, first_s: float) -> float:
    """Return how long to wait after so many failed attempts: twice as long each time, up to half a minute."""
    return float(min(first_s * 2 ** min(attempts - 1, 10), MAX_WAIT_S))


def _raise_if_away(error: BaseException) -> None:
    """Tell a fault of what is done from one of the connection that it is done by."""
    if isinstance(error, DatabaseError) and is_away(error):
        # Also where Django has not noticed: it makes another at the next query.
        connection.close()
        raise DatabaseAway(masking.description(error)) from error


def is_away(error: DatabaseError) -> bool:
    """Tell an error of PostgreSQL being away, full or read-only from one about what it was asked."""
    if isinstance(error, InterfaceError):
        return True
    state = getattr(error.__cause__, "sqlstate", None)
    return isinstance(error, OperationalError) if state is None else state.startswith(AWAY)
