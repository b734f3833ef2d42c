"""Writing months: files first, read back and compared; the manifest last."""

import hashlib
import json
import tempfile
from collections import Counter
from contextlib import ExitStack
from dataclasses import replace
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any, Final

import structlog
from django.conf import settings
from django.db.models import Count

from config import clock
from notifications.archive import later, manifest, rows, store, tree
from notifications.archive.faults import ArchiveError
from notifications.archive.manifest import NAME, TREE, File, Manifest, Tree
from notifications.archive.reading import manifest_of
from notifications.archive.store import Store
from notifications.archive.tables import (
    ACTIONS,
    ALERTS,
    ATTEMPTS,
    DELIVERIES,
    NOTIFICATIONS,
    TABLES,
    Row,
    Table,
)
from notifications.archive.verifying import Content, check_files, read_back
from notifications.database import alone
from notifications.history.month import Month
from notifications.models import ArchivedMonth, Delivery

log = structlog.get_logger(__name__)

#: Two writers would make two chains of one.
_LOCK: Final = 0x7AC2


def due(now: datetime) -> Month | None:
    """Return the last month that is to be in the archive by now: the whole of it is past the retention."""
    if not settings.HISTORY_RETENTION_DAYS:
        return None
    return Month.of(now - timedelta(days=settings.HISTORY_RETENTION_DAYS)).previous


def keep(month: Month) -> None:
    """Have a month in the archive, as it is now, before it is dropped; and all before it.

    Of a month that is there already, with the same counts, the files are checked and the rows not read again:
    that can take long. Does nothing where no archive is set. Raises ArchiveError where it can't be done: then
    the month must stay.
    """
    if not store.is_set():
        return
    row = _last(month)
    live = Delivery.objects.filter(pk__gte=month.first_id, pk__lt=month.end_id).order_by()
    counts = live.values_list("status", "reason").annotate(Count("pk"))
    if row is None or sorted(counts) != sorted(map(tuple, row.counts)):
        write_through(month)
        row = _last(month)
    if row is not None:
        archive, of = store.store(), manifest_of(row)
        check_files(archive, of)


def _last(month: Month) -> ArchivedMonth | None:
    return ArchivedMonth.objects.filter(month=month.first).order_by("number").last()


def write_through(last: Month) -> list[Manifest]:
    """Write what is missing up to this month, or has changed of it; returns that. Raises ArchiveError."""
    if last.end > clock.now():
        raise ArchiveError(f"{last} is not over yet.")
    archive = store.store()
    written = []
    with alone(_LOCK) as is_alone:
        if not is_alone:
            raise ArchiveError("Another process is writing the archive.")
        known = _known(archive)
        months = manifest.latest(known)
        oldest = None if months else rows.oldest()
        if last in months:
            month = last
        elif months and last < min(months):
            raise ArchiveError(f"{last} is before the first month of the archive, {min(months)}.")
        elif months:
            month = max(months).following
        elif oldest:
            month = Month.of(oldest)
        else:
            return []
        while month <= last:
            if made := _write(archive, month, known):
                known.append(made)
                written.append(made)
            month = month.following
    return written


def _known(archive: Store) -> list[Manifest]:
    """Return the chain; raises ArchiveError where it is not what this database has written."""
    chain = manifest.chain(archive)
    remembered = dict(ArchivedMonth.objects.values_list("number", "sha256"))
    for each in chain:
        sha256 = remembered.pop(each.number, None)
        if sha256 is None:
            # Remember a manifest whose writer was killed before it could, if it is what would be written now.
            with tempfile.TemporaryDirectory(prefix="tocsin-archive-") as folder:
                staged = _stage(each.month, Path(folder))
            if staged.content != each.content:
                raise ArchiveError(
                    f"{each.place(NAME)} is neither known to the database nor what it would write. What to "
                    f"do: if an interrupted run has left it, delete {each.folder} in the archive."
                )
            _remember(each)
        elif sha256 != each.sha256:
            raise ArchiveError(f"{each.place(NAME)} is not as it was written: see manage.py archive verify.")
    if remembered:
        raise ArchiveError("Manifests are missing from the archive: see manage.py archive verify.")
    return chain


def _remember(made: Manifest) -> None:
    ArchivedMonth.objects.create(
        number=made.number,
        month=made.month.first,
        revision=made.revision,
        sha256=made.sha256,
        alerts=made.alerts,
        counts=made.counts,
    )


def _write(archive: Store, month: Month, known: list[Manifest]) -> Manifest | None:
    """Write a month, and return its manifest; None where it is archived already, as it is now."""
    if count := rows.live(month):
        raise ArchiveError(f"{month} has {count} deliveries that have not ended.")
    before = manifest.latest(known).get(month)
    with tempfile.TemporaryDirectory(prefix="tocsin-archive-") as folder:
        staged = _stage(month, Path(folder))
        if before:
            rows_before = {each.name: each.rows for each in before.files}
            is_less = any(each.rows < rows_before.get(each.name, 0) for each in staged.files)
            if staged.content == before.content or is_less:  # less of a month that is being dropped
                return None
        made = replace(
            staged,
            number=len(known) + 1,
            revision=before.revision + 1 if before else 1,
            previous=known[-1].sha256 if known else None,
            written_at=clock.now().isoformat(),
        )
        made = replace(made, text=made.dump())
        for name in archive.names(f"{made.folder}/"):
            archive.delete(name)  # of a run that was interrupted
        for file in made.files:
            archive.put(made.place(file.name), Path(folder) / file.name)
        read_back(archive, made)
        written = {file.name: file.rows for file in made.files}
        for name, count in rows.counts(month).items():
            if written[f"{name}.parquet"] != count:
                raise ArchiveError(f"{month} has changed while it was written: its {name} are {count:,} now.")
        (Path(folder) / NAME).write_bytes(made.text)
        archive.put(made.place(NAME), Path(folder) / NAME)
    if manifest.read(archive, made.place(NAME)).text != made.text:
        raise ArchiveError(f"{made.place(NAME)} is not as it was written.")
    _remember(made)
    log.info("month_archived", month=str(month), revision=made.revision, deliveries=made.tree.leaves)
    return made


class _Sheet:
    """A file being written, and the hash of its rows."""

    def __init__(self, table: Table, folder: Path, open_files: ExitStack) -> None:
        self.content = Content(table)
        self._path = folder / table.file
        self._writer: Any = open_files.enter_context(later.parquet().Writer(table, self._path))

    def add(self, row: Row) -> None:
        self.content.add(row)
        self._writer.add(row)

    def file(self) -> File:
        content = self.content
        return _file(self._path, content.rows, content.sha256, content.first, content.last)


def _file(path: Path, count: int, content: str, first: str | None = None, last: str | None = None) -> File:
    with path.open("rb") as source:
        sha256 = hashlib.file_digest(source, "sha256").hexdigest()
    return File(path.name, count, path.stat().st_size, sha256, content, first, last)


def _stage(month: Month, folder: Path) -> Manifest:
    """Write a month's files to a folder of this machine; their manifest has no place in the chain yet."""
    counts: Counter[tuple[str, str]] = Counter()
    status, reason = DELIVERIES.index("status"), DELIVERIES.index("reason")
    chunks = tree.Chunks()
    with ExitStack() as open_files:
        sheets = {table: _Sheet(table, folder, open_files) for table in TABLES}
        for each in rows.deliveries(month):
            leaf = each.leaf
            sheets[DELIVERIES].add((*each.row, leaf))
            for attempt in each.attempts:
                sheets[ATTEMPTS].add(attempt)
            counts[each.row[status], each.row[reason]] += 1
            chunks.add(leaf)
        for table in (NOTIFICATIONS, ALERTS, ACTIONS):
            for row in rows.alerts(month) if table is ALERTS else rows.of_table(table, month):
                sheets[table].add(row)
    files = [sheets[table].file() for table in TABLES]
    roots = {"chunk": tree.CHUNK, "roots": [each.hex() for each in chunks.roots]}
    (folder / TREE).write_text(json.dumps(roots))
    root = tree.root_of(chunks.roots).hex()
    return Manifest(
        number=0,
        month=month,
        revision=0,
        previous=None,
        written_at="",
        files=(*files, _file(folder / TREE, len(chunks.roots), root)),
        tree=Tree(sheets[DELIVERIES].content.rows, root, tree.CHUNK),
        alerts=sheets[ALERTS].content.rows,
        counts=tuple(sorted((*key, count) for key, count in counts.items())),
    )
