"""What a search is asked, and what it answers."""

from collections.abc import Hashable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import NamedTuple


class Known(NamedTuple):
    """A device that an earlier search reached, by records that may be gone by now."""

    device_id: int
    degree: int
    onset_s: int


@dataclass(frozen=True, slots=True)
class Seed:
    """One case to search from, with the filter to search by.

    ``since`` is the start of the look-back. ``rounds`` is the number of degrees. Times in seconds are of the
    whole contact with one device, distances in metres of each record; limits are inclusive, None is none.
    ``known`` have been reached already, at the degree and with the onset that they have there.
    """

    case: Hashable
    device_id: int
    since: datetime
    rounds: int = 1
    time_min_s: int = 0
    time_max_s: int | None = None
    distance_min_m: float | None = None
    distance_max_m: float | None = None
    known: Sequence[Known] = ()


class Reached(NamedTuple):
    """A device that a case exposed: by whom, since when (Unix seconds), for how long in all, and how near.

    ``distance_m`` is that of the nearest record. In a backward search the onset is the last instant at which
    this device can have infected ``via``.
    """

    case: Hashable
    device_id: int
    degree: int
    via_device_id: int
    onset_s: int
    seconds: int
    distance_m: float

    @property
    def onset(self) -> datetime:
        return datetime.fromtimestamp(self.onset_s, UTC)
