"""Who is to be matched, and what a date of two is worth."""

from collections.abc import Hashable, Sequence
from dataclasses import dataclass
from typing import Final, Generic, TypeVar

import numpy as np
from numpy.typing import NDArray

K = TypeVar("K", bound=Hashable)

AGE: Final = 4
SAME_CITY: Final = 2
MANUAL: Final = 6
PER_MANUAL_STEP: Final = 2
#: What no pair's score exceeds.
BEST: Final = AGE + SAME_CITY + MANUAL

Scores = NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class Person(Generic[K]):
    """Someone who takes part, as far as matching needs to know.

    ``pool`` is 0 or 1; 0 where there is one. ``city`` is "" where it is not known, which is nobody's city.
    """

    key: K
    pool: int
    age: int
    city: str
    manual_score: int


def pair_score(one: Person[K], other: Person[K]) -> int:
    """What a date of these two is worth (SPEC.md 5.4); less than nothing if their ages are far apart."""
    return (
        (AGE - abs(one.age - other.age))
        + (SAME_CITY if one.city and one.city == other.city else 0)
        + (MANUAL - PER_MANUAL_STEP * abs(one.manual_score - other.manual_score))
    )


def pair_scores(rows: Sequence[Person[K]], columns: Sequence[Person[K]]) -> Scores:
    """``pair_score`` of everyone of the one with everyone of the other, as a table."""
    cities = {city: number for number, city in enumerate({person.city for person in (*rows, *columns)})}

    def apart(of_row: list[int], of_column: list[int]) -> Scores:
        return np.abs(
            np.subtract.outer(np.array(of_row, dtype=np.int64), np.array(of_column, dtype=np.int64))
        )

    age = apart([row.age for row in rows], [column.age for column in columns])
    manual = apart([row.manual_score for row in rows], [column.manual_score for column in columns])
    # Of two who have not said where they live nobody knows whether it is the same city.
    of_rows = np.array([cities[row.city] if row.city else -1 for row in rows], dtype=np.int64)
    of_columns = np.array([cities[column.city] if column.city else -2 for column in columns], dtype=np.int64)
    same_city = np.equal.outer(of_rows, of_columns)
    scores: Scores = (AGE - age) + SAME_CITY * same_city + (MANUAL - PER_MANUAL_STEP * manual)
    return scores


def pools_of(people: Sequence[Person[K]]) -> tuple[list[Person[K]], list[Person[K]]]:
    """The people of pool 0 and those of pool 1, in the order given."""
    first = [person for person in people if person.pool == 0]
    return first, [person for person in people if person.pool != 0]
