"""The records of a set of devices in memory, arranged so that a device's stand together."""

from dataclasses import dataclass

import numpy as np

from tracing.search.rows import Integers, Rows

# Device numbers have 31 bits: two of them, or one and a number of ours, make one key.
DEVICE_BITS = 32


@dataclass(frozen=True, slots=True)
class Contacts:
    """Records by device, other and start. Those of ``devices[i]`` are ``first[i]`` to ``first[i + 1]``."""

    devices: Integers
    first: Integers
    other: Integers
    start: Integers
    end: Integers
    distance_cm: Integers

    @classmethod
    def of(cls, devices: Integers, rows: Rows, *, least_s: int, backward: bool) -> "Contacts":
        """Arrange rows; pairs whose records can't add up to ``least_s`` in any case are left out.

        With time reversed, a record from a to b becomes one from −b to −a.
        """
        place = np.searchsorted(devices, rows.device)
        key = place << DEVICE_BITS | rows.other
        kept = np.flatnonzero(rows.device != rows.other)
        kept = kept[_may_last(key[kept], rows.seconds[kept], least_s)]
        start, end = rows.start[kept], rows.start[kept] + rows.seconds[kept]
        if backward:
            start, end = -end, -start
        order = np.lexsort((start, key[kept]))
        kept = kept[order]
        return cls(
            devices=devices,
            first=np.searchsorted(place[kept], np.arange(len(devices) + 1)),
            other=rows.other[kept],
            start=start[order],
            end=end[order],
            distance_cm=rows.distance_cm[kept],
        )


def _may_last(key: Integers, seconds: Integers, least_s: int) -> np.ndarray:
    """Which rows are of a pair (one key) whose seconds, overlaps counted twice, come to so many."""
    if least_s <= 0 or not len(key):
        return np.ones(len(key), dtype=bool)
    order = np.argsort(key)
    ordered = key[order]
    begins = np.flatnonzero(np.r_[True, ordered[1:] != ordered[:-1]])
    lengths = np.diff(np.r_[begins, len(ordered)])
    enough = np.add.reduceat(seconds[order], begins) >= least_s
    kept = np.empty(len(key), dtype=bool)
    kept[order] = np.repeat(enough, lengths)
    return kept
