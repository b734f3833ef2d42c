"""Rounds: lists of dates, pairs of keys of which no two share a person; nobody meets anyone twice."""

from collections.abc import Hashable, Iterable, Sequence
from typing import TypeVar

from dating.pairing.colouring import colour_classes
from dating.pairing.people import Person, pools_of

K = TypeVar("K", bound=Hashable)

Date = tuple[K, K]
Round = list[tuple[K, K]]


def complete_rounds(group: Sequence[Person[K]], *, two_pools: bool) -> list[Round[K]]:
    """Everyone meets everyone (of the other pool), in the fewest rounds that there can be.

    Two pools of m and f: max(m, f) rounds with |m - f| byes in each, and a bye for as many of each person's
    rounds. One pool of n: n - 1 rounds, or n if n is odd, when everybody has one bye. After every single
    round, too, people of the same pool differ by at most one bye. In two pools the first of a date is the
    one of pool 0.
    """
    if two_pools:
        first, second = pools_of(group)
        return _across([person.key for person in first], [person.key for person in second])
    return _round_robin([person.key for person in group])


def coloured_rounds(dates: Iterable[Date[K]]) -> list[Round[K]]:
    """Lay any set of dates out in rounds: edge colouring.

    Dates between two pools need as many rounds as the busiest person has dates (König's theorem). Dates in
    one pool need that many or one more (Vizing's theorem); which of the two is a hard question in general,
    so the smaller number is sought by a bounded search, and the other one is taken if that fails.
    """
    return sorted(colour_classes(list(dict.fromkeys(dates))), key=len, reverse=True)


def _across(first: Sequence[K], second: Sequence[K]) -> list[Round[K]]:
    """A Latin rectangle: in round r the larger pool's person i sits in seat i + r of a circle of seats.

    Those seats at which nobody of the smaller pool sits are byes. They are spread evenly round the circle
    (a Christoffel word, whose stretches of equal length hold equally many byes, or one more), so that byes
    stay even all the time and nobody waits longer in a row than is needed.
    """
    if not first or not second:
        return []
    if len(first) < len(second):
        return [[(one, other) for other, one in held] for held in _across(second, first)]
    size, fewer = len(first), len(second)
    seats = [
        second[place * fewer // size] if (place + 1) * fewer // size > place * fewer // size else None
        for place in range(size)
    ]
    return [
        [(one, other) for at, one in enumerate(first) if (other := seats[(at + number) % size]) is not None]
        for number in range(size)
    ]


def _round_robin(people: Sequence[K]) -> list[Round[K]]:
    """The circle method (R. R. Anstice, 1853; every chess club's): one stays, the others move round it."""
    size = len(people)
    if size < 2:
        return []
    circle: list[K | None] = [*people] if size % 2 == 0 else [*people, None]
    rounds = []
    for _ in range(len(circle) - 1):
        half = len(circle) // 2
        pairs = zip(circle[:half], reversed(circle[half:]), strict=True)
        rounds.append([(one, other) for one, other in pairs if one is not None and other is not None])
        circle = [circle[0], circle[-1], *circle[1:-1]]
    return rounds
