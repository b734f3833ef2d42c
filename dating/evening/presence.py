"""Who is there, by the signs that people give: that they are ready, and that they enter a call."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import NamedTuple
from uuid import UUID


@dataclass(frozen=True, slots=True)
class Signs:
    """What is known of one person: their latest sign, and when a call last ended without them."""

    last_sign_at: datetime | None
    missed_at: datetime | None

    @property
    def is_present(self) -> bool:
        """Nobody is missing before they have missed something, and any sign after that brings them back."""
        if self.missed_at is None:
            return True
        return self.last_sign_at is not None and self.last_sign_at > self.missed_at


class EndedDate(NamedTuple):
    """A date whose call has ended: the two people, and who of them entered it."""

    date: UUID
    people: tuple[UUID, UUID]
    joined: frozenset[UUID]


class Evidence(NamedTuple):
    """What the end of a round shows: the dates that did not take place, and those who did not come."""

    failed: frozenset[UUID]
    absent: frozenset[UUID]


def evidence(dates: Sequence[EndedDate], signs: Mapping[UUID, Signs]) -> Evidence:
    """Judge the calls of one group's round; ``signs`` are those of everybody in the group.

    Whoever did not enter while the partner did, did not come. Where neither entered, whoever has never given
    any sign did not come. But where nobody of the group has ever given a sign, that says nothing of anybody:
    they may meet by other ways than the product's links.
    """
    if not any(sign.last_sign_at for sign in signs.values()):
        return Evidence(frozenset(), frozenset())
    failed, absent = set(), set()
    for date in dates:
        missing = set(date.people) - date.joined
        if not date.joined:
            missing = {person for person in date.people if signs[person].last_sign_at is None}
        if missing:
            failed.add(date.date)
            absent |= missing
    return Evidence(frozenset(failed), frozenset(absent))


def seen_in_call(shown: Sequence[str], people: Mapping[UUID, Collection[str]]) -> set[UUID]:
    """Return which of a date's people are in its call for certain, by the names that its provider shows.

    People enter under any name: ``people`` has those that each may be shown under. As many as are to be
    there, or more, are taken for them; of fewer, those whose name is shown and is nobody else's of the date.
    """
    if len(shown) >= len(people):
        return set(people)
    names = {name.strip().casefold() for name in shown}
    return {
        one
        for one, own in people.items()
        if any(
            name.casefold() in names and not any(name in others for pk, others in people.items() if pk != one)
            for name in own
        )
    }
