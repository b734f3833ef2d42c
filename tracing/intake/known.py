"""Which records are known from a day that has been packed, where no constraint keeps them out."""

from datetime import date

import numpy as np
from numpy.typing import NDArray

from tracing.intake.records import KEY, Records, are_repeats
from tracing.packed import Packed


def are_packed(form: Records, day: date) -> NDArray[np.bool_]:
    """Say of each of these distinct records, all of one day, whether it is among those packed."""
    packed = Packed.read(np.unique(form.my_id), day, day)
    packed = packed[np.flatnonzero(packed.own)]
    there = packed.device[packed.row], packed.other, packed.start, packed.seconds, packed.distance_cm
    columns = [np.concatenate([mine, getattr(form, name)]) for mine, name in zip(there, KEY, strict=True)]
    # What is packed comes first among equals, since the order is stable.
    order = np.lexsort(columns)
    known = np.zeros(len(order), dtype=bool)
    known[order[are_repeats(columns, order)]] = True
    return known[len(packed.row) :]
