"""The definition of an exposure (SPEC 4.4) written down as plainly as it can be; slow, and right.

The fast search in ``tracing.search`` shares nothing with it; tests hold the two against each other.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cached_property

LEAST_RECORD_S = 30


@dataclass(frozen=True)
class Record:
    """What ``my_id`` saw of ``other_id``, from ``start`` to ``end`` (Unix seconds), at metres of distance."""

    my_id: int
    other_id: int
    start: int
    end: int
    distance: float


@dataclass(frozen=True)
class Rule:
    """A filter: limits are inclusive, None is none; times are of a contact, distances of each record."""

    rounds: int
    time_min: int = 0
    time_max: int | None = None
    distance_min: float | None = None
    distance_max: float | None = None


@dataclass(frozen=True)
class Exposure:
    device: int
    degree: int
    via: int
    onset: int
    seconds: int
    distance: float


class Meetings:
    """Records by the two devices that they are about, whichever of them made the record."""

    def __init__(self, records: Iterable[Record]) -> None:
        self.of_pair: dict[tuple[int, int], list[Record]] = {}
        self.met_by: dict[int, set[int]] = {}
        for record in records:
            one, other = sorted((record.my_id, record.other_id))
            if one != other and record.end - record.start >= LEAST_RECORD_S:
                self.of_pair.setdefault((one, other), []).append(record)
                self.met_by.setdefault(one, set()).add(other)
                self.met_by.setdefault(other, set()).add(one)

    def of(self, one: int, other: int) -> list[Record]:
        return self.of_pair[min(one, other), max(one, other)]

    @cached_property
    def mirrored(self) -> "Meetings":
        """The same with time reversed: what was from a to b is from -b to -a."""
        return Meetings(
            Record(record.my_id, record.other_id, -record.end, -record.start, record.distance)
            for records in self.of_pair.values()
            for record in records
        )


def exposures(
    meetings: Meetings, device: int, rule: Rule, since: int, until: int, known: Iterable[Exposure] = ()
) -> list[Exposure]:
    """Everyone that a device which was exposed at ``since`` has exposed until ``until``, by degrees.

    ``known`` were found before, maybe by records that are gone: they expose others as they did.
    """
    onsets = {device: since}
    answer: list[Exposure] = []
    sources = [device]
    for degree in range(1, rule.rounds + 1):
        reached: dict[int, Exposure] = {}
        for source in sources:
            for other in meetings.met_by.get(source, set()) - onsets.keys():
                records = [record for record in meetings.of(source, other) if _is_near_enough(record, rule)]
                exposure = _exposure(source, other, degree, records, rule, onsets[source], until)
                best = reached.get(other)
                if exposure and (not best or (exposure.onset, exposure.via) < (best.onset, best.via)):
                    reached[other] = exposure
        answer += [reached[other] for other in sorted(reached)]
        new = {other: reached[other].onset for other in reached}
        for earlier in known:
            if earlier.degree == degree and earlier.device not in onsets:
                new[earlier.device] = min(earlier.onset, new.get(earlier.device, earlier.onset))
        onsets |= new
        sources = sorted(new)
    return answer


def backward(meetings: Meetings, device: int, rule: Rule, since: int, until: int) -> list[Exposure]:
    """Everyone who may have infected a device that is infected at ``until``: the same with time reversed."""
    found = exposures(meetings.mirrored, device, rule, -until, -since)
    return [Exposure(e.device, e.degree, e.via, -e.onset, e.seconds, e.distance) for e in found]


def _is_near_enough(record: Record, rule: Rule) -> bool:
    if rule.distance_min is not None and record.distance < rule.distance_min:
        return False
    return rule.distance_max is None or record.distance <= rule.distance_max


def _exposure(
    source: int, other: int, degree: int, records: Sequence[Record], rule: Rule, onset: int, until: int
) -> Exposure | None:
    clipped = [(max(record.start, onset), min(record.end, until), record.distance) for record in records]
    left = [(start, end, distance) for start, end, distance in clipped if start < end]
    if not left:
        return None
    seconds = _length_of_union([(start, end) for start, end, _ in left])
    if seconds < rule.time_min or (rule.time_max is not None and seconds > rule.time_max):
        return None
    first = min(start for start, _, _ in left)
    return Exposure(other, degree, source, first, seconds, min(distance for _, _, distance in left))


def _length_of_union(intervals: Sequence[tuple[int, int]]) -> int:
    total, covered_until = 0, min(start for start, _ in intervals)
    for start, end in sorted(intervals):
        if end > covered_until:
            total += end - max(start, covered_until)
            covered_until = end
    return total
