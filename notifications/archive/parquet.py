"""The files of the archive: written in row groups as the rows come, read by row groups as they are asked for.

Import it by notifications.archive.later: pyarrow is an optional extra, and takes a while to load.
"""

from collections.abc import Iterable, Iterator, Mapping
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, BinaryIO, Final, Self

import pyarrow as pa
import pyarrow.compute as compute
import pyarrow.parquet as pq

from notifications.archive.tables import DELIVERIES, Row, Table
from notifications.archive.tree import CHUNK

_KINDS: Final = {
    "uuid": pa.string(),
    "text": pa.string(),
    "json": pa.string(),
    "time": pa.timestamp("us", tz="UTC"),
    "int": pa.int64(),
    "float": pa.float64(),
    "bool": pa.bool_(),
    "uuids": pa.list_(pa.string()),
    "hash": pa.binary(32),
}
#: Rows turned into columns at once, and the bytes at which a row group ends early.
_BATCH: Final = 1000
_GROUP_BYTES: Final = 16 << 20
_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)


def _schema(table: Table) -> pa.Schema:
    extra = (("leaf", "hash"),) if table is DELIVERIES else ()
    return pa.schema([(name, _KINDS[kind]) for name, kind in (*table.columns, *extra)])


class Writer:
    """Writes the rows of one table within ``with``; those of deliveries end in their leaf."""

    def __init__(self, table: Table, path: Path) -> None:
        self._schema = _schema(table)
        self._whole_chunks = table is DELIVERIES
        self._file = pq.ParquetWriter(path, self._schema, compression="zstd", write_page_checksum=True)
        self._rows: list[Row] = []
        self._batches: list[pa.RecordBatch] = []
        self._grouped = 0

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        if kind is None:
            self._end_group()
        self._file.close()

    def add(self, row: Row) -> None:
        self._rows.append(row)
        self._grouped += 1
        if self._grouped == CHUNK:
            self._end_group()
        elif len(self._rows) == _BATCH:
            self._pack()
            if not self._whole_chunks and sum(each.nbytes for each in self._batches) >= _GROUP_BYTES:
                self._end_group()

    def _pack(self) -> None:
        if self._rows:
            columns = [
                pa.array(values, type=field.type)
                for values, field in zip(zip(*self._rows, strict=True), self._schema, strict=True)
            ]
            self._batches.append(pa.record_batch(columns, schema=self._schema))
            self._rows = []

    def _end_group(self) -> None:
        self._pack()
        if self._batches:
            self._file.write_table(pa.Table.from_batches(self._batches), row_group_size=CHUNK)
            self._batches = []
        self._grouped = 0


def _rows(batch: pa.RecordBatch) -> Iterator[Row]:
    return zip(*map(_values, batch.columns), strict=True)


def _values(column: pa.Array) -> list[Any]:
    if not pa.types.is_timestamp(column.type):
        return list(column.to_pylist())
    # Many times quicker than pyarrow's own way.
    moments = column.cast(pa.int64()).to_pylist()
    return [None if each is None else _EPOCH + timedelta(microseconds=each) for each in moments]


class Reader:
    """Reads a file; ``groups`` says which row groups may hold a key, by the least and greatest in each."""

    def __init__(self, source: BinaryIO) -> None:
        self._file = pq.ParquetFile(source, page_checksum_verification=True, pre_buffer=False)

    @property
    def count(self) -> int:
        return int(self._file.metadata.num_rows)

    def rows(self) -> Iterator[Row]:
        for group in range(self._file.num_row_groups):
            yield from self.group(group)

    def group(self, group: int, columns: Iterable[str] | None = None) -> Iterator[Row]:
        names = list(columns) if columns else None
        for batch in self._file.iter_batches(batch_size=_BATCH, row_groups=[group], columns=names):
            yield from _rows(batch)

    def groups(self, column: str, keys: Iterable[str]) -> list[int]:
        """Return the row groups whose span of a column holds one of these keys."""
        wanted = sorted(keys)
        place = self._file.schema_arrow.get_field_index(column)
        found = []
        for group in range(self._file.num_row_groups):
            span: Any = self._file.metadata.row_group(group).column(place).statistics
            is_known = span is not None and span.has_min_max
            if not is_known or any(span.min <= key <= span.max for key in wanted):
                found.append(group)
        return found

    def spans(self, column: str) -> list[tuple[str, str]]:
        """Return the least and the greatest value of a column in each row group."""
        place = self._file.schema_arrow.get_field_index(column)
        metadata = self._file.metadata
        spans: Any = [
            metadata.row_group(group).column(place).statistics for group in range(self._file.num_row_groups)
        ]
        return [(span.min, span.max) for span in spans]

    def matching(self, group: int, values: Mapping[str, Iterable[str]]) -> Iterator[Row]:
        """The rows of a row group that have one of these values in each of these columns."""
        chosen = None
        if values:
            columns = self._file.read_row_group(group, columns=list(values))
            for name, wanted in values.items():
                has = compute.is_in(columns.column(name), pa.array(sorted(set(wanted)), pa.string()))
                chosen = has if chosen is None else compute.and_(chosen, has)
            if not compute.any(chosen).as_py():
                return
        rows = self._file.read_row_group(group)
        for batch in (rows if chosen is None else rows.filter(chosen)).to_batches():
            yield from _rows(batch)

    def where(self, column: str, keys: Iterable[str], columns: Iterable[str] | None = None) -> Iterator[Row]:
        """The rows with one of these keys in a column; of other columns only those that are named."""
        names = list(columns) if columns else None
        wanted = pa.array(sorted(set(keys)), pa.string())
        for group in self.groups(column, wanted.to_pylist()):
            keys_of = self._file.read_row_group(group, columns=[column]).column(0)
            chosen = compute.is_in(keys_of, wanted)
            if compute.any(chosen).as_py():
                rows = self._file.read_row_group(group, columns=names).filter(chosen)
                for batch in rows.to_batches():
                    yield from _rows(batch)
