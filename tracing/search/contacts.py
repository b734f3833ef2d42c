"""The records of a set of devices in memory, arranged so that a device's stand together."""

from dataclasses import dataclass

import numpy as np

from tracing.search.rows import Integers, Rows

# Device numbers have 31 bits: two of them, or one and a number of ours, make one key.
DEVICE_BITS = 32
# Knuth's multiplicative hashing: 2^64 by the golden ratio.
HASH = np.uint64(0x9E37_79B9_7F4A_7C15)


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
        other = rows.other
        kept = np.flatnonzero(rows.pair >> DEVICE_BITS != other)
        kept = kept[_may_last(rows.pair[kept], rows.seconds[kept], least_s)]
        start, end = rows.start[kept], rows.start[kept] + rows.seconds[kept]
        if backward:
            start, end = -end, -start
        order = np.lexsort((start, rows.pair[kept]))
        kept = kept[order]
        first = np.searchsorted(rows.pair[kept], devices << DEVICE_BITS)
        return cls(
            devices=devices,
            first=np.r_[first, len(kept)],
            other=other[kept],
            start=start[order],
            end=end[order],
            distance_cm=rows.distance_cm[kept],
        )


def _may_last(pair: Integers, seconds: Integers, least_s: int) -> np.ndarray:
    """Which rows are of a pair whose seconds, overlaps counted twice, may come to so many.

    They are added up by a hash of the pair, ten times as fast as by the pair itself. Of several that fall
    together, all may stay: whoever stays is looked at closely later.
    """
    if least_s <= 0 or not len(pair):
        return np.ones(len(pair), dtype=bool)
    bits = max(10, len(pair).bit_length() + 1)
    place = (pair.astype(np.uint64) * HASH >> np.uint64(64 - bits)).astype(np.int64)
    enough: np.ndarray = np.bincount(place, weights=seconds, minlength=1 << bits) >= least_s
    return enough[place]
