"""Records as columns of numbers, and the one order and form in which they are stored."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tracing.partitions import DAY_S

# "At least 30 s long": shorter records are no contact, whatever a filter says.
RECORD_MIN_S = 30
PIECE_MAX_S = 32_767
DISTANCE_MAX_CM = 32_767
KEY = ("my_id", "other_id", "start_s", "seconds", "distance_cm")


@dataclass(frozen=True, slots=True)
class Records:
    """Valid records. In ``extras`` (rssi, platform, position) NaN is none.

    ``intervals_differ``: how many said of their length what their times contradict.
    """

    my_id: NDArray[np.int64]
    other_id: NDArray[np.int64]
    start_s: NDArray[np.int64]
    seconds: NDArray[np.int64]
    distance_cm: NDArray[np.int64]
    extras: Mapping[str, NDArray[np.float64]] = field(default_factory=dict)
    intervals_differ: int = 0

    @property
    def too_short(self) -> int:
        """How many last too short a time ever to count."""
        return int((self.seconds < RECORD_MIN_S).sum())

    def __len__(self) -> int:
        return len(self.my_id)

    def __getitem__(self, chosen: NDArray[np.integer] | slice) -> "Records":
        columns: dict[str, Any] = {name: getattr(self, name)[chosen] for name in KEY}
        return Records(**columns, extras={name: column[chosen] for name, column in self.extras.items()})

    @classmethod
    def joined(cls, parts: Sequence["Records"]) -> "Records":
        """One or more parts, all with the same extras."""
        if len(parts) == 1:
            return parts[0]
        columns: dict[str, Any] = {
            name: np.concatenate([getattr(part, name) for part in parts]) for name in KEY
        }
        return cls(
            **columns,
            extras={name: np.concatenate([part.extras[name] for part in parts]) for name in parts[0].extras},
        )

    def stored_form(self) -> "Records":
        """The same in pieces that fit, each once, by day and key.

        In one order for all, uploads at the same time wait for each other but never in a circle, and each
        partition's index is gone through from left to right.
        """
        # Cut what lasts too long for its column into equal pieces, whose union is the same.
        counts = -(-self.seconds // PIECE_MAX_S)
        if not len(self) or counts.max() <= 1:
            pieces = self
        else:
            counts = np.maximum(counts, 1)
            whole = np.repeat(np.arange(len(self)), counts)
            number = np.arange(len(whole)) - np.repeat(np.cumsum(counts) - counts, counts)
            begin = self.seconds[whole] * number // counts[whole]
            end = self.seconds[whole] * (number + 1) // counts[whole]
            cut = self[whole]
            pieces = Records(
                cut.my_id, cut.other_id, cut.start_s + begin, end - begin, cut.distance_cm, extras=cut.extras
            )
        columns = [getattr(pieces, name) for name in KEY]
        order = np.lexsort((*reversed(columns), pieces.start_s // DAY_S))
        return pieces[order[~are_repeats(columns, order)]]


def are_repeats(columns: Sequence[NDArray[np.integer]], order: NDArray[np.integer]) -> NDArray[np.bool_]:
    """Say of each row, in an order that puts equal ones together, whether it equals the one before."""
    again = np.ones(len(order), dtype=bool)
    again[:1] = False
    for column in columns:
        again[1:] &= column[order[1:]] == column[order[:-1]]
    return again
