"""The steps of an event, and when each of them ends.

Every step follows from the deadline of the one before, never from the time at which somebody got round to it:
so rounds do not drift, and whoever comes late catches up in order.
"""

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final, Protocol

from dating.evening.steps import Step

#: The steps in which people are together, or about to be: only these can be paused.
LIVE: Final = (Step.READY_CHECK, Step.ROUND, Step.BREAK)
#: The last break takes no less, nor less than a round if that is shorter: after it nobody can rate any more.
_LAST_BREAK_S: Final = 60
#: In parts of a round: late enough for people to be there, and once more shortly before its end.
_POLLS: Final = (0.5, 0.9)


class Timed(Protocol):
    """An event, as far as its times go."""

    starts_at: datetime
    round_s: int
    break_s: int

    @property
    def close_at(self) -> datetime: ...

    @property
    def rules_at(self) -> datetime: ...


class Bounded(Timed, Protocol):
    """An event before its groups are made."""

    two_pools: bool
    users_limit: int
    places: int | None
    places_held: int
    max_rounds: int | None


@dataclass(frozen=True, slots=True)
class Position:
    """Where an event is: its step, the time at which that ends, and the number of its round (0: none yet)."""

    step: str
    deadline_at: datetime | None
    round: int = 0


def following(
    event: Timed, here: Position, *, now: datetime, takes_place: bool = True, more_rounds: bool = True
) -> Position:
    """Return where an event goes on to at its deadline.

    Args:
        takes_place: there is anybody to meet (asked when the registration closes).
        more_rounds: there is a further round to hold (asked in rounds and breaks).
    """
    at = here.deadline_at
    assert at is not None, "what is over goes nowhere"
    match here.step:
        case Step.OPEN:
            return Position(Step.CONFIRMING, event.close_at)
        case Step.CONFIRMING:
            return Position(Step.CLOSED, event.rules_at) if takes_place else Position(Step.SKIPPED, None)
        case Step.CLOSED:
            return Position(Step.READY_CHECK, event.starts_at)
        case Step.ROUND if more_rounds:
            return Position(Step.BREAK, at + timedelta(seconds=event.break_s), here.round)
        case Step.ROUND:
            # This leaves everybody time to rate, even where its own time has passed meanwhile.
            pause = last_break_of(event)
            return Position(Step.BREAK, now + pause if now > at + pause else at + pause, here.round)
        case _ if more_rounds:
            return Position(Step.ROUND, at + timedelta(seconds=event.round_s), here.round + 1)
        case _:
            return Position(Step.FINISHED, None, here.round)


def last_break_of(event: Timed) -> timedelta:
    """Return how long the break after the last round takes, however short the others are."""
    return timedelta(seconds=max(event.break_s, min(event.round_s, _LAST_BREAK_S)))


def length_of(event: Timed, rounds: int) -> timedelta:
    """Return how long so many rounds take, with their breaks."""
    others = timedelta(seconds=event.round_s + event.break_s) * (rounds - 1)
    return others + timedelta(seconds=event.round_s) + last_break_of(event)


def longest(event: Bounded) -> timedelta:
    """Return how long an evening lasts at most."""
    return length_of(event, most_rounds(event))


def most_rounds(event: Bounded) -> int:
    """Return how many rounds there are at most: nobody knows how many come until the groups are made."""
    people = event.users_limit
    if event.places is not None:
        people = min(people, max(event.places, event.places_held))
    # Of two pools the one may have a single person, whom all others meet in turn.
    rounds = people - 1 if event.two_pools else people - 1 + people % 2
    return min(rounds, event.max_rounds or rounds)


def next_poll(starts_at: datetime, ends_at: datetime, *, now: datetime) -> datetime | None:
    """Return when to ask next who is in a round's calls; None: not again."""
    long = ends_at - starts_at
    return next((at for part in _POLLS if (at := starts_at + part * long) > now), None)
