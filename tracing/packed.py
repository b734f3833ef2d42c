"""Reading what is packed: a device's records of a day, ten bytes each (tracing.packing writes them)."""

from dataclasses import dataclass
from datetime import date
from typing import Final

import numpy as np
from numpy.typing import NDArray

from config.sql import run_prepared
from config.statements import named
from notifications.database import array
from tracing.partitions import DAY_S

Integers = NDArray[np.int64]

# The other device (32 bits), the second of the day (17), centimetres (15); and the seconds that it lasted,
# all bits turned over where it was the other device that made the record.
RECORD: Final = np.dtype([("place", ">i8"), ("seconds", ">i2")])
DAY_BITS: Final = 32

# As strings of bytes: of which device and day each row is, how long it is, and the records of all; each by
# itself would take as long again as finding it. The array comes from a subquery, so that the planner does not
# weigh each of its elements.
READ_SQL: Final = """
SELECT string_agg(int8send(device_id::bigint << 32 | (day - DATE '1970-01-01')), ''::bytea),
       string_agg(int4send(octet_length(records)), ''::bytea), string_agg(records, ''::bytea)
  FROM tracing_packedday
 WHERE device_id = ANY ((SELECT %(devices)s::integer[])::integer[])
   AND day BETWEEN %(first)s::date AND %(last)s::date
"""
named("tracing.packed.read", "Read the packed records of devices.", READ_SQL)


@dataclass(frozen=True, slots=True)
class Packed:
    """Records, each with its row, and rows, each with its device and the first second of its day."""

    device: Integers
    midnight: Integers
    row: NDArray[np.int32]
    place: Integers
    lasted: NDArray[np.int16]

    @classmethod
    def read(cls, devices: Integers, first: date, last: date) -> "Packed":
        """Read what is packed of these devices from the first to the last of these days."""
        values = {"devices": array(devices.tolist()), "first": first, "last": last}
        (columns,) = run_prepared(READ_SQL, values, binary=True)
        whose, lengths, records = (column or b"" for column in columns)
        rows = np.frombuffer(whose, ">i8").astype(np.int64)
        counts = np.frombuffer(lengths, ">i4") // RECORD.itemsize
        found = np.frombuffer(records, RECORD)
        return cls(
            device=rows >> DAY_BITS,
            midnight=(rows & (1 << DAY_BITS) - 1) * DAY_S,
            row=np.repeat(np.arange(len(rows), dtype=np.int32), counts),
            place=found["place"].astype(np.int64),
            lasted=found["seconds"].astype(np.int16),
        )

    def __getitem__(self, chosen: NDArray[np.integer]) -> "Packed":
        columns = (column[chosen] for column in (self.row, self.place, self.lasted))
        return Packed(self.device, self.midnight, *columns)

    @property
    def own(self) -> NDArray[np.bool_]:
        """Whether the device itself made the record."""
        return self.lasted >= 0

    @property
    def other(self) -> Integers:
        return self.place >> 32

    @property
    def start(self) -> Integers:
        return self.midnight[self.row] + (self.place >> 15 & 0x1FFFF)

    @property
    def seconds(self) -> NDArray[np.int16]:
        return self.lasted ^ self.lasted >> 15

    @property
    def distance_cm(self) -> Integers:
        return self.place & 0x7FFF
