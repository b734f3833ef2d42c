"""What an evening came to: a pure summary of its rows, which is stored with the event."""

from collections import Counter
from collections.abc import Hashable, Iterable, Sequence
from dataclasses import dataclass
from typing import Any, Final, Generic, TypeVar

K = TypeVar("K", bound=Hashable)

LIKE, DISLIKE, REPORT = "like", "dislike", "report"
KINDS: Final = (LIKE, DISLIKE, REPORT)


@dataclass(frozen=True, slots=True)
class RegistrationRow(Generic[K]):
    """Somebody's part in the event: what they said, and whether they were in a group and came."""

    key: K
    confirmed: bool
    declined: bool
    took_part: bool
    showed: bool
    no_shows: int = 0


@dataclass(frozen=True, slots=True)
class DateRow(Generic[K]):
    """Two people, the round in which they were to meet (its number; None: in none), and whether they did."""

    first: K
    second: K
    round: int | None
    held: bool


@dataclass(frozen=True, slots=True)
class ReactionRow(Generic[K]):
    """``kind`` is like, dislike or report."""

    by: K
    about: K
    kind: str


def matches_of(reactions: Iterable[ReactionRow[K]]) -> list[tuple[K, K]]:
    """Those who liked each other, unless either reported the other; in the order of the first like."""
    reactions = list(reactions)
    likes = dict.fromkeys((reaction.by, reaction.about) for reaction in reactions if reaction.kind == LIKE)
    reported = {frozenset((reaction.by, reaction.about)) for reaction in reactions if reaction.kind == REPORT}
    found: dict[frozenset[K], tuple[K, K]] = {}
    for by, about in likes:
        pair = frozenset((by, about))
        if (about, by) in likes and pair not in reported:
            found.setdefault(pair, (by, about))
    return list(found.values())


def summary(
    *,
    registrations: Sequence[RegistrationRow[K]],
    dates: Sequence[DateRow[K]],
    reactions: Sequence[ReactionRow[K]],
    rounds: int,
) -> dict[str, Any]:
    """Return the results as they are stored (JSON, whole numbers, no names) of so many rounds held."""
    kinds = Counter(reaction.kind for reaction in reactions)
    matches = matches_of(reactions)
    # How many of those who took part were liked by nobody, by one, by two, …
    likes = Counter(reaction.about for reaction in reactions if reaction.kind == LIKE)
    people = Counter(likes[registration.key] for registration in registrations if registration.took_part)
    return {
        "registered": len(registrations),
        "confirmed": sum(registration.confirmed for registration in registrations),
        "declined": sum(registration.declined for registration in registrations),
        "took_part": sum(registration.took_part for registration in registrations),
        "shows": sum(registration.showed for registration in registrations),
        "no_shows": sum(registration.no_shows for registration in registrations),
        "rounds": rounds,
        "dates_planned": len(dates),
        "dates_held": sum(date.held for date in dates),
        "reactions": {kind: kinds[kind] for kind in KINDS},
        "matches": len(matches),
        "people_matched": len({person for pair in matches for person in pair}),
        "by_round": _by_round(dates, reactions, matches),
        "by_likes_received": [people[number] for number in range(max(people, default=-1) + 1)],
    }


def _by_round(
    dates: Sequence[DateRow[K]], reactions: Sequence[ReactionRow[K]], matches: Sequence[tuple[K, K]]
) -> list[dict[str, int]]:
    """What came of the dates of each round: those that took place, the likes of them, and the matches."""
    round_of = {frozenset((date.first, date.second)): date.round for date in dates}
    planned = Counter(date.round for date in dates)
    held = Counter(date.round for date in dates if date.held)
    likes = Counter(
        round_of.get(frozenset((reaction.by, reaction.about)))
        for reaction in reactions
        if reaction.kind == LIKE
    )
    matched = Counter(round_of.get(frozenset(pair)) for pair in matches)
    return [
        {
            "round": number,
            "planned": planned[number],
            "held": held[number],
            "likes": likes[number],
            "matches": matched[number],
        }
        for number in sorted(number for number in planned if number is not None)
    ]
