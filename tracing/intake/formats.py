"""From bytes to columns of raw values: a JSON list, NDJSON, or the original's CSV."""

import csv
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

import numpy as np
import orjson
from django.conf import settings
from numpy.typing import NDArray

from tracing.intake.bounds import VALUES_MOST, NotReadable, TooMany

REQUIRED: Final = ("my_id", "other_id", "timestamp_start", "distance")
FIELDS: Final = (*REQUIRED, "timestamp_end", "interval", "rssi", "platform", "latitude", "longitude")
# What the original's files hold, for those without a line of names.
CSV_COLUMNS: Final = (
    "my_id", "other_id", "timestamp_start", "timestamp_end", "interval", "rssi", "distance", "platform",
)  # fmt: skip
SEPARATORS = (",", ";", "\t")
NUMERIC: Final = tuple(name for name in FIELDS if name != "platform")
LINE_MAX: Final = 10_000
CONTROL: Final = bytes({*range(32), 127} - {*b"\t\n\r"})
# How orjson says that it got none.
NO_MEMORY: Final = "Not enough memory"


@dataclass(frozen=True)
class Columns:
    """Raw values by field; a field that no record has is missing. ``misshapen``: records that are none."""

    count: int
    values: Mapping[str, Sequence[Any] | NDArray[np.float64]]
    misshapen: Mapping[int, str] = field(default_factory=dict)

    def only(self, chosen: list[int]) -> "Columns":
        """The records of these numbers, none of which is misshapen."""
        values = {
            name: column[chosen] if isinstance(column, np.ndarray) else [column[number] for number in chosen]
            for name, column in self.values.items()
        }
        return Columns(len(chosen), values)


def columns_of(data: bytes, media_type: str) -> Columns:
    """Read a whole body.

    Raises:
        NotReadable: it is no JSON, or no CSV with the columns that are needed.
        TooMany: it has more records than an upload may have.
    """
    most = settings.TRACING_UPLOAD_MAX_RECORDS
    match media_type:
        case "application/json":
            return from_json(data, most)
        case "application/x-ndjson":
            return from_ndjson(data, most)
        case "text/csv":
            lines = lines_of(data)
            names = csv_names(lines[0])
            columns = from_csv(lines[1:] if names.in_first_line else lines, names)
            if columns.count > most:
                raise TooMany
            return columns
        case _:
            raise NotReadable(f"{media_type} can't be read")


def from_json(data: bytes, most: int | None = None) -> Columns:
    try:
        rows = orjson.loads(data)
    except orjson.JSONDecodeError as error:
        if str(error).startswith(NO_MEMORY):
            raise MemoryError
        raise NotReadable(f"The body is not valid JSON: {str(error)[:200]}.")
    if not isinstance(rows, list):
        raise NotReadable("Expected a list of records.")
    if most is not None and len(rows) > most:
        raise TooMany
    return from_objects(rows)


def from_ndjson(data: bytes, most: int | None = None) -> Columns:
    """Read one object a line. A line that is not JSON is a misshapen record; its neighbours are read."""
    lines = [line for line in data.split(b"\n") if line.strip()]
    if most is not None and len(lines) > most:
        raise TooMany
    try:
        # One list of all is read many times faster than each for itself, where every line is an object.
        rows = orjson.loads(b"[" + b",".join(lines) + b"]")
        if len(rows) == len(lines):
            return from_objects(rows)
    except orjson.JSONDecodeError:
        pass
    return from_objects([_json_or_none(line) for line in lines])


def _json_or_none(line: bytes) -> object:
    try:
        return orjson.loads(line)
    except orjson.JSONDecodeError:
        return None


def from_objects(rows: list[Any]) -> Columns:
    misshapen = {}
    if set(map(type, rows)) - {dict}:
        misshapen = {
            number: "Expected an object." for number, row in enumerate(rows) if not isinstance(row, dict)
        }
        rows = [row if isinstance(row, dict) else {} for row in rows]
    values = {}
    for name in FIELDS:
        column = [row.get(name) for row in rows]
        if name in REQUIRED or any(value is not None for value in column):
            values[name] = column
    return Columns(len(rows), values, misshapen)


@dataclass(frozen=True)
class Names:
    """The columns of a CSV file."""

    columns: tuple[str, ...]
    separator: str
    in_first_line: bool


def csv_names(line: str) -> Names:
    """Tell the columns by the first line, the original's if it has numbers; NotReadable: some are missing."""
    line = line.removeprefix("\ufeff")
    separator = max(SEPARATORS, key=line.count)
    cells = tuple(cell.strip().strip('"').lower() for cell in line.split(separator))
    if len(cells) > VALUES_MOST:
        raise NotReadable(f"Expected at most {VALUES_MOST} columns, not {len(cells)}.")
    if cells[0].isdecimal():
        return Names(CSV_COLUMNS, separator, in_first_line=False)
    if missing := [name for name in REQUIRED if name not in cells]:
        raise NotReadable(f"The first line names no column {', '.join(missing)}.")
    if twice := [name for name in FIELDS if cells.count(name) > 1]:
        raise NotReadable(f"The first line names {', '.join(twice)} more than once.")
    return Names(cells, separator, in_first_line=True)


def from_csv(lines: Sequence[str], names: Names) -> Columns:
    """Read lines without the one of names. Columns beyond those that are known are passed over."""
    if (numbers := _numbers(lines, names)) is not None:
        return Columns(len(lines), numbers)
    try:
        rows = [row for row in csv.reader(lines, delimiter=names.separator) if row]
    except csv.Error as error:
        raise NotReadable(f"The body is not valid CSV: {error}.")
    width, misshapen = len(names.columns), {}
    # A file without names may have more columns than we know.
    wrong = {length for length in set(map(len, rows)) if length < width or names.in_first_line}
    if wrong - {width}:
        misshapen = {
            number: f"Expected {width} columns, not {len(row)}."
            for number, row in enumerate(rows)
            if len(row) in wrong - {width}
        }
        empty = [""] * width
        rows = [empty if number in misshapen else row for number, row in enumerate(rows)]
    by_place = list(zip(*rows, strict=False)) or [()] * width
    values = {name: by_place[place] for place, name in enumerate(names.columns) if name in FIELDS}
    return Columns(len(rows), values, misshapen)


def _numbers(lines: Sequence[str], names: Names) -> dict[str, NDArray[np.float64]] | None:
    """Read all columns that matter at once, four times as fast; None where not all of it is plain numbers."""
    places = [place for place, name in enumerate(names.columns) if name in NUMERIC]
    between = sum(line.count(names.separator) for line in lines)
    regular = between == len(lines) * (len(names.columns) - 1) and all(lines)
    if not lines or not regular or settings.TRACING_KEEP_SIGNAL:
        return None
    try:
        table = np.loadtxt(lines, delimiter=names.separator, comments=None, usecols=places, ndmin=2)
    except ValueError:
        return None
    if len(table) != len(lines):
        return None
    return {names.columns[place]: table[:, number] for number, place in enumerate(places)}


def lines_of(data: bytes) -> list[str]:
    """Split what is CSV at CR, LF and CRLF, and at nothing else that Unicode takes for an end of line."""
    if len(data.translate(None, CONTROL)) < len(data):
        raise NotReadable("Expected text without control characters.")
    try:
        lines = data.decode().replace("\r\n", "\n").replace("\r", "\n").removesuffix("\n").split("\n")
    except UnicodeDecodeError:
        raise NotReadable("The body is not UTF-8.")
    if max(map(len, lines)) > LINE_MAX:
        raise NotReadable(f"Expected lines of at most {LINE_MAX} characters.")
    return lines
