"""From raw columns to records, or to what is wrong with which record; checked by column, for speed."""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

import numpy as np
from django.conf import settings
from numpy.typing import NDArray

from tracing import partitions
from tracing.intake.formats import Columns, columns_of
from tracing.intake.records import DISTANCE_MAX_CM, Records

DEVICE_MAX = 2**31 - 1
LONGEST_S = 86_400
DISTANCE_MAX_M = 10_000.0
RSSI_MAX = 127
# What is left of a centimetre after so many decimals comes from the computer's own rounding.
DECIMALS = 6
# Each of an interval and two times may have been rounded.
INTERVAL_SLACK_S = 1.0
PLATFORMS = {"ios": 1, "android": 2}
# How many faults an answer names; it counts them all.
NAMED = 100

REQUIRED = "This field is required."
INTEGER = "Expected a whole number."
NUMBER = "Expected a finite number."
INSTANT = "Expected Unix seconds, or a time in ISO 8601."
TEXT = "Expected text without control characters."
DEVICE = f"Expected a number from 1 to {DEVICE_MAX}."

Floats = NDArray[np.float64]


class BadRecords(Exception):
    """Some records are not acceptable.

    ``faults``: (number from 0, field, message) of the first of them; ``bad``: which of all the records.
    """

    def __init__(self, faults: Sequence[tuple[int, str, str]], bad: NDArray[np.bool_]) -> None:
        self.faults = faults
        self.bad = bad
        self.records = int(bad.sum())
        super().__init__(f"{self.records} records are not acceptable")


@dataclass
class Faults:
    """What is wrong, gathered over all columns; ``bad`` marks the records."""

    bad: NDArray[np.bool_]
    named: dict[tuple[int, str], str] = field(default_factory=dict)

    def add(self, where: NDArray[np.integer], field_name: str, message: str) -> None:
        self.bad[where] = True
        for number in where[:NAMED].tolist():
            self.named.setdefault((number, field_name), message)

    def where(self, wrong: NDArray[np.bool_], field_name: str, message: str) -> None:
        """Name a fault where it holds, but not in records that are known to be bad already."""
        if wrong.any():
            self.add(np.flatnonzero(wrong & ~self.bad), field_name, message)

    def raise_any(self) -> None:
        if self.bad.any():
            faults = sorted((number, name, message) for (number, name), message in self.named.items())
            raise BadRecords(faults[:NAMED], self.bad)


def records_of(data: bytes, media_type: str, *, now: datetime) -> Records:
    """Read and check a body whose values have been counted; raises as columns_of and records_checked do."""
    return records_checked(columns_of(data, media_type), now=now)


# Numbers that no float can hold the difference of are refused like all others out of range.
@np.errstate(over="ignore", invalid="ignore")
def records_checked(columns: Columns, *, now: datetime) -> Records:
    """Check every record of an upload; BadRecords names the first bad ones, and what each should be."""
    faults = Faults(np.zeros(columns.count, dtype=bool))
    for number, message in columns.misshapen.items():
        faults.add(np.array([number]), "", message)
    my_id, other_id = (_column(columns, name, _integer, faults) for name in ("my_id", "other_id"))
    start, end, intervals_differ = _times(columns, faults)
    distance = _column(columns, "distance", _number, faults)
    for name, device in (("my_id", my_id), ("other_id", other_id)):
        faults.where((device < 1) | (device > DEVICE_MAX), name, DEVICE)
    faults.where(my_id == other_id, "other_id", "Expected another device than my_id.")
    faults.where(
        (distance < 0) | (distance > DISTANCE_MAX_M),
        "distance",
        f"Expected metres from 0 to {DISTANCE_MAX_M:.0f}.",
    )
    _check_times(start, end, now, faults)
    extras = _extras(columns, faults)
    faults.raise_any()
    # Rounded up: what is farther than a limit stays so. 1.1 m are 110.00000000000001 cm.
    centimetres = np.ceil(np.round(distance * 100, DECIMALS))
    return Records(
        my_id=my_id.astype(np.int64),
        other_id=other_id.astype(np.int64),
        start_s=start.astype(np.int64),
        seconds=(end - start).astype(np.int64),
        distance_cm=np.minimum(centimetres, DISTANCE_MAX_CM).astype(np.int64),
        extras=extras,
        intervals_differ=intervals_differ,
    )


def _times(columns: Columns, faults: Faults) -> tuple[Floats, Floats, int]:
    """Start and end in whole seconds, and how many intervals these contradict.

    Without an end, the interval says how long it was. The length is rounded down, and not each time: what is
    shorter than a limit stays so.
    """
    start = _column(columns, "timestamp_start", _instant, faults)
    interval = _optional(columns, "interval", _number, faults)
    end = _optional(columns, "timestamp_end", _instant, faults)
    faults.where(interval < 0, "interval", "Expected seconds from 0 on.")
    length = end - start
    differ = int((abs(interval - length) > INTERVAL_SLACK_S).sum())
    length = np.where(np.isnan(end), interval, length)
    faults.where(np.isnan(length), "timestamp_end", REQUIRED)
    return np.floor(start), np.floor(start) + np.floor(length), differ


def _check_times(start: Floats, end: Floats, now: datetime, faults: Faults) -> None:
    first = partitions.first_day(now)
    latest = now.timestamp() + settings.TRACING_CLOCK_SKEW_S
    faults.where(
        start < partitions.start_of(first),
        "timestamp_start",
        f"Expected a time from {first}T00:00:00Z on: older records are not kept.",
    )
    for name, moment in (("timestamp_start", start), ("timestamp_end", end)):
        faults.where(moment > latest, name, "Expected a time that is not in the future.")
    faults.where(end < start, "timestamp_end", "Expected a time that is not before timestamp_start.")
    faults.where(end - start > LONGEST_S, "timestamp_end", "Expected at most a day after timestamp_start.")


def _extras(columns: Columns, faults: Faults) -> dict[str, Floats]:
    """What is kept only where the settings say so; it is checked in any case."""
    extras = {}
    names = columns.values.get("platform", ())
    wrong = [number for number, name in enumerate(names) if isinstance(name, str) and not name.isprintable()]
    faults.add(np.array(wrong, dtype=np.int64), "platform", TEXT)
    rssi = _optional(columns, "rssi", _number, faults)
    faults.where(abs(rssi) > RSSI_MAX, "rssi", f"Expected dBm from {-RSSI_MAX} to {RSSI_MAX}.")
    place = [_optional(columns, name, _number, faults) for name in ("latitude", "longitude")]
    for name, column, most in zip(("latitude", "longitude"), place, (90, 180), strict=True):
        faults.where(abs(column) > most, name, f"Expected degrees from {-most} to {most}.")
    if settings.TRACING_KEEP_SIGNAL:
        extras["rssi"] = np.rint(rssi)
        names = columns.values.get("platform", [None] * columns.count)
        platforms = (PLATFORMS.get(name.lower()) if isinstance(name, str) else None for name in names)
        extras["platform"] = np.array([platform or math.nan for platform in platforms], dtype=np.float64)
    if settings.TRACING_KEEP_POSITIONS:
        position = np.stack(place, axis=1)
        position[np.isnan(position).any(axis=1)] = np.nan
        extras["position"] = position
    return extras


Read = Callable[[Any], float | str]


def _column(columns: Columns, name: str, read: Read, faults: Faults) -> Floats:
    """Read a column that every record must have; where it can't be read, NaN and a fault."""
    column = columns.values[name]
    if (fast := _all_numbers(column)) is not None and not (read is _integer and (fast % 1).any()):
        return fast
    return _one_by_one(column, name, read, faults, missing=REQUIRED)


def _optional(columns: Columns, name: str, read: Read, faults: Faults) -> Floats:
    """Read a column that a record may lack: NaN."""
    column = columns.values.get(name)
    if column is None:
        return np.full(columns.count, np.nan)
    if (fast := _all_numbers(column)) is not None:
        return fast
    return _one_by_one(column, name, read, faults, missing=None)


def _all_numbers(column: Sequence[Any] | Floats) -> Floats | None:
    """The whole column at once, where all of it is finite numbers; as floats, which are exact below 2**53."""
    if isinstance(column, np.ndarray):
        return column if np.isfinite(column).all() else None
    kinds = set(map(type, column))
    try:
        if kinds <= {int, float}:
            numbers = np.array(column, dtype=np.float64)
        elif kinds == {str} and _is_plain("".join(column)):
            numbers = np.array(list(map(float, column)), dtype=np.float64)
        else:
            return None
    except (ValueError, OverflowError):
        return None
    return numbers if np.isfinite(numbers).all() else None


def _one_by_one(
    column: Sequence[Any] | Floats, name: str, read: Read, faults: Faults, *, missing: str | None
) -> Floats:
    numbers = np.full(len(column), np.nan)
    wrong: dict[str, list[int]] = {}
    for place, value in enumerate(column):
        if value is None or value == "":
            if missing:
                wrong.setdefault(missing, []).append(place)
            continue
        result = read(value)
        if isinstance(result, str):
            wrong.setdefault(result, []).append(place)
        else:
            numbers[place] = result
    for message, places in wrong.items():
        mask = np.zeros(len(column), dtype=bool)
        mask[places] = True
        faults.where(mask, name, message)
    return numbers


def _is_plain(text: str) -> bool:
    """Whether what Python takes for numbers are such elsewhere too: not 1_0, nor digits of other scripts."""
    return text.isascii() and "_" not in text


def _number(value: Any) -> float | str:
    """A finite number, or what was expected instead."""
    if isinstance(value, bool) or not isinstance(value, int | float | str):
        return NUMBER
    if isinstance(value, str) and not _is_plain(value):
        return NUMBER
    try:
        number = float(value)
    except (ValueError, OverflowError):
        return NUMBER
    return number if math.isfinite(number) else NUMBER


def _integer(value: Any) -> float | str:
    number = _number(value)
    return INTEGER if isinstance(number, str) or number % 1 else number


def _instant(value: Any) -> float | str:
    number = _number(value)
    if not isinstance(number, str):
        return number
    try:
        moment = datetime.fromisoformat(value)
        return (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).timestamp()
    except (TypeError, ValueError, OverflowError):
        return INSTANT
