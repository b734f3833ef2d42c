"""The search itself: degree by degree, for all cases at once, on arrays."""

from collections import defaultdict
from collections.abc import Hashable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from itertools import repeat

import numpy as np

from tracing.packed import Integers
from tracing.search import rows
from tracing.search.contacts import DEVICE_BITS, Contacts
from tracing.search.seeds import Reached, Seed

# Records that are worked on at once, which bounds the memory that a search takes.
SLICE_ROWS = 2_000_000
# More than any two moments are apart, in seconds.
APART = 1 << 34
# No record begins later than its column can say.
LAST_S = (1 << 31) - 1
NO_LIMIT_S = 1 << 40


class TooFar(Exception):
    """A search reached more devices than it was allowed to."""


@dataclass(frozen=True, slots=True)
class Filters:
    """The seeds as columns: a seed is its place in these."""

    device: Integers
    onset: Integers
    limit: Integers
    rounds: Integers
    time_min: Integers
    time_max: Integers
    distance_min: np.ndarray
    distance_max: np.ndarray

    @classmethod
    def of(cls, seeds: Sequence[Seed], until: datetime | None, *, backward: bool) -> "Filters":
        since_s = np.array([int(seed.since.timestamp()) for seed in seeds], dtype=np.int64)
        last_s = LAST_S if until is None else int(until.timestamp())
        until_s = np.full(len(seeds), last_s, dtype=np.int64)
        return cls(
            device=_column(seed.device_id for seed in seeds),
            onset=-until_s if backward else since_s,
            limit=-since_s if backward else until_s,
            rounds=_column(seed.rounds for seed in seeds),
            time_min=_column(seed.time_min_s for seed in seeds),
            time_max=_column(NO_LIMIT_S if seed.time_max_s is None else seed.time_max_s for seed in seeds),
            distance_min=_metres([seed.distance_min_m for seed in seeds], -np.inf),
            distance_max=_metres([seed.distance_max_m for seed in seeds], np.inf),
        )

    @property
    def any_distance(self) -> bool:
        return bool(np.isfinite(self.distance_min).any() or np.isfinite(self.distance_max).any())


@dataclass(frozen=True, slots=True)
class Found:
    """Devices reached, a row for each with the seed that reached it, by whom (``via``) and since when."""

    seed: Integers
    device: Integers
    via: Integers
    onset: Integers
    seconds: Integers
    distance_cm: Integers

    @property
    def key(self) -> Integers:
        return self.seed << DEVICE_BITS | self.device

    def __getitem__(self, chosen: np.ndarray) -> "Found":
        return Found(*(getattr(self, name)[chosen] for name in self.__slots__))

    @classmethod
    def joined(cls, parts: Sequence["Found"]) -> "Found":
        if not parts:
            return cls(*(np.empty(0, dtype=np.int64) for _ in cls.__slots__))
        return cls(*(np.concatenate([getattr(part, name) for part in parts]) for name in cls.__slots__))


def search(
    seeds: Sequence[Seed],
    *,
    until: datetime | None = None,
    backward: bool = False,
    most: int | None = None,
) -> dict[Hashable, list[Reached]]:
    """Find whom each seed exposed, by SPEC 4.4; every seed has its entry, in order of degree and device.

    Only what lies before ``until`` counts, if it is given; that must not be now, since a phone whose clock is
    fast has contacts that end later. Backward, time is reversed: degree 1 are those who may have infected
    the case's device between ``since`` and ``until``, and onsets are last instants.

    Raises:
        TooFar: more than ``most`` devices were reached, each counted once for each seed; it stops there.
    """
    answer: dict[Hashable, list[Reached]] = {seed.case: [] for seed in seeds}
    if len(answer) != len(seeds):
        raise ValueError("two seeds have the same case")
    cases = [seed.case for seed in seeds]
    reached_so_far = 0
    for degree, found in enumerate(_degrees(seeds, until, backward=backward), start=1):
        reached_so_far += len(found.key)
        if most is not None and reached_so_far > most:
            raise TooFar
        found = found[np.lexsort((found.device, found.seed))]
        onset = -found.onset if backward else found.onset
        columns = (found.device, found.via, onset, found.seconds, found.distance_cm / 100)
        device, *rest = (column.tolist() for column in columns)
        of_cases = [cases[seed] for seed in found.seed.tolist()]
        for reached in map(Reached._make, zip(of_cases, device, repeat(degree), *rest, strict=False)):
            answer[reached.case].append(reached)
    return answer


def _degrees(seeds: Sequence[Seed], until: datetime | None, *, backward: bool) -> Iterator[Found]:
    """Yield what records show to be first reached at degree 1, 2, …; what is known leads on as well."""
    if not seeds:
        return
    filters = Filters.of(seeds, until, backward=backward)
    before = _known_by_degree(seeds)
    everyone = np.arange(len(seeds))
    zeros = np.zeros_like(everyone)
    frontier = Found(everyone, filters.device, filters.device, filters.onset, zeros, zeros)
    known = np.sort(frontier.key)
    read: list[Contacts] = []
    for degree in range(1, int(filters.rounds.max()) + 1):
        frontier = frontier[filters.rounds[frontier.seed] >= degree]
        _read_missing(read, frontier, filters, backward=backward)
        parts = [part for contacts in read for part in _exposed(frontier, contacts, filters)]
        found = Found.joined(parts)
        found = found[~_contains(known, found.key)]
        found = found[_earliest(found)]
        frontier = found
        if degree in before:
            frontier = Found.joined([found, before[degree][~_contains(known, before[degree].key)]])
            frontier = frontier[_earliest(frontier)]
        known = np.sort(np.concatenate([known, frontier.key]))
        yield found


def _known_by_degree(seeds: Sequence[Seed]) -> dict[int, Found]:
    """What the seeds say is known, as if it were found; by whom and for how long doesn't matter to others."""
    rows: dict[int, list[tuple[int, int, int]]] = defaultdict(list)
    for place, seed in enumerate(seeds):
        for known in seed.known:
            rows[known.degree].append((place, known.device_id, known.onset_s))
    found = {}
    for degree, of_degree in rows.items():
        seed, device, onset = np.array(of_degree, dtype=np.int64).T
        zeros = np.zeros_like(seed)
        found[degree] = Found(seed, device, device, onset, zeros, zeros)
    return found


def _read_missing(read: list[Contacts], frontier: Found, filters: Filters, *, backward: bool) -> None:
    """Read the records of the frontier's devices, unless an earlier degree has."""
    devices = np.unique(frontier.device)
    for contacts in read:
        devices = devices[~_contains(contacts.devices, devices)]
    if not len(devices):
        return
    first, last = (-filters.limit, -filters.onset) if backward else (filters.onset, filters.limit)
    least_s = int(filters.time_min.min())
    found = rows.read(devices, since_s=int(first.min()), until_s=int(last.max()), least_s=least_s)
    read.append(Contacts.of(devices, found, backward=backward))


def _exposed(frontier: Found, contacts: Contacts, filters: Filters) -> Iterator[Found]:
    """Whom the frontier's devices expose, of those that these contacts are of."""
    mine = np.flatnonzero(_contains(contacts.devices, frontier.device))
    place = np.searchsorted(contacts.devices, frontier.device[mine])
    counts = contacts.first[place + 1] - contacts.first[place]
    slices = np.cumsum(counts) // SLICE_ROWS
    for number in np.unique(slices):
        chosen = np.flatnonzero(slices == number)
        yield _meetings(frontier[mine[chosen]], place[chosen], contacts, filters)


def _meetings(sources: Found, place: Integers, contacts: Contacts, filters: Filters) -> Found:
    """The contacts of each source, clipped to what lies after its onset, that meet the filter's time."""
    counts = contacts.first[place + 1] - contacts.first[place]
    source = np.repeat(np.arange(len(place)), counts)
    row = np.arange(len(source)) + np.repeat(contacts.first[place] - np.cumsum(counts) + counts, counts)
    start = np.maximum(contacts.start[row], sources.onset[source])
    end = np.minimum(contacts.end[row], filters.limit[sources.seed[source]])
    kept = end > start
    if filters.any_distance:
        metres, seed = contacts.distance_cm[row] / 100, sources.seed[source]
        kept &= (metres >= filters.distance_min[seed]) & (metres <= filters.distance_max[seed])
    source, row, start, end = source[kept], row[kept], start[kept], end[kept]
    if not len(source):
        return Found.joined([])
    other = contacts.other[row]
    begins = np.r_[True, (source[1:] != source[:-1]) | (other[1:] != other[:-1])]
    first = np.flatnonzero(begins)
    seconds = np.add.reduceat(_newly_covered(begins, start, end), first)
    origin = source[first]
    seed = sources.seed[origin]
    found = Found(
        seed=seed,
        device=other[first],
        via=sources.device[origin],
        onset=start[first],
        seconds=seconds,
        distance_cm=np.minimum.reduceat(contacts.distance_cm[row], first),
    )
    return found[(seconds >= filters.time_min[seed]) & (seconds <= filters.time_max[seed])]


def _newly_covered(begins: np.ndarray, start: Integers, end: Integers) -> Integers:
    """The seconds that each interval adds to the union of those before it in its group, by start.

    The running maximum of the ends starts anew with each group, since each group's times are shifted
    beyond all of the one before.
    """
    shift = (np.cumsum(begins) - 1) * APART
    reach = np.maximum.accumulate(end + shift)
    before = np.r_[start[0], reach[:-1]] - shift
    return np.maximum(end - np.maximum(start, np.where(begins, start, before)), 0)


def _earliest(found: Found) -> Integers:
    """For each seed and device the row with the earliest onset, of several the least ``via``."""
    order = np.lexsort((found.via, found.onset, found.key))
    key = found.key[order]
    return order[np.r_[True, key[1:] != key[:-1]]] if len(key) else order


def _contains(ordered: Integers, values: Integers) -> np.ndarray:
    """Which values are among those of a sorted array that is not empty."""
    place = np.minimum(np.searchsorted(ordered, values), len(ordered) - 1)
    return ordered[place] == values


def _column(values: Iterator[int]) -> Integers:
    return np.fromiter(values, dtype=np.int64)


def _metres(values: Sequence[float | None], otherwise: float) -> np.ndarray:
    return np.array([otherwise if value is None else value for value in values], dtype=np.float64)
