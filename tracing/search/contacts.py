"""The records of a set of devices in memory, arranged so that a device's stand together."""

from dataclasses import dataclass

import numpy as np

from tracing.packed import Integers
from tracing.search.rows import Rows

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
    def of(cls, devices: Integers, rows: Rows, *, backward: bool) -> "Contacts":
        """Arrange rows. With time reversed, a record from a to b becomes one from −b to −a."""
        start, end = rows.start, rows.start + rows.seconds
        if backward:
            start, end = -end, -start
        pair = rows.mine << DEVICE_BITS | rows.other
        order = np.argsort(pair, kind="stable")
        # What is packed comes day by day, and each pair's by start: mostly they are in order already.
        same = pair[order[1:]] == pair[order[:-1]]
        if (same & (start[order[1:]] < start[order[:-1]])).any():
            order = np.lexsort((start, pair))
        return cls(
            devices=devices,
            first=np.searchsorted(rows.mine[order], np.arange(len(devices) + 1)),
            other=rows.other[order],
            start=start[order],
            end=end[order],
            distance_cm=rows.distance_cm[order],
        )
