"""Finding whatever in the archive is not as it was written."""

import hashlib
import json
from collections.abc import Iterator
from typing import Final

from notifications.archive import later, manifest, tree
from notifications.archive.faults import ArchiveError, Fault
from notifications.archive.manifest import NAME, TREE, File, Manifest
from notifications.archive.store import Store
from notifications.archive.tables import DELIVERIES, TABLES, Table
from notifications.history.month import Month
from notifications.models import ArchivedMonth

_PIECE: Final = 1 << 20


def faults(store: Store) -> Iterator[Fault]:
    """Find files that changed, are missing or of no manifest; and a chain that changed or has a gap.

    What the database remembers of each manifest is compared too, so that the archive can't be rewritten or
    cut short as a whole without a trace.
    """
    names = store.names()
    manifests = []
    for name in filter(manifest.is_manifest, names):
        try:
            read = manifest.read(store, name)
        except (ValueError, FileNotFoundError) as error:
            yield Fault(name, f"not a manifest: {error}")
            continue
        if f"{read.folder}/{NAME}" == name:
            manifests.append(read)
        else:
            yield Fault(name, f"the manifest of {read.folder} lies here")
    manifests.sort(key=lambda each: each.number)
    for each, fault in manifest.breaks(manifests):
        yield Fault(each.place(NAME), fault)
    yield from _unlike_the_database(manifests)
    expected = {each.place(file.name) for each in manifests for file in each.files}
    for name in names:
        if name not in expected and not manifest.is_manifest(name):
            yield Fault(name, "no manifest names it (a run that was interrupted leaves such files)")
    for each in manifests:
        for file in each.files:
            yield from file_faults(store, each, file)


def _unlike_the_database(manifests: list[Manifest]) -> Iterator[Fault]:
    known = {row.number: row for row in ArchivedMonth.objects.all()}
    for each in manifests:
        row = known.pop(each.number, None)
        if row is None:
            yield Fault(each.place(NAME), "the database knows of no such manifest")
        elif row.sha256 != each.sha256:
            yield Fault(each.place(NAME), "it is not the manifest that was written")
    for row in known.values():
        folder = manifest.folder_of(Month(row.month), row.revision)
        yield Fault(f"{folder}/{NAME}", "it is missing, or not readable")


def file_faults(store: Store, of: Manifest, file: File) -> Iterator[Fault]:
    """Compare a file's bytes with its manifest."""
    place = of.place(file.name)
    digest, size = hashlib.sha256(), 0
    try:
        with store.open(place) as source:
            while piece := source.read(_PIECE):
                digest.update(piece)
                size += len(piece)
    except FileNotFoundError:
        yield Fault(place, "it is missing")
        return
    if (size, digest.hexdigest()) != (file.bytes, file.sha256):
        yield Fault(place, "it has changed since it was written")


def check_files(store: Store, of: Manifest) -> None:
    """Compare a month's files with its manifest; raises ArchiveError."""
    for file in of.files:
        for fault in file_faults(store, of, file):
            raise ArchiveError(str(fault))


def read_back(store: Store, of: Manifest) -> None:
    """Read what was written, bytes and rows, and compare; raises ArchiveError."""
    check_files(store, of)
    tables = {table.file: table for table in TABLES}
    for file in of.files:
        if table := tables.get(file.name):
            _compare_rows(store, of, file, table)


def _compare_rows(store: Store, of: Manifest, file: File, table: Table) -> None:
    content = Content(table)
    chunks = tree.Chunks()
    with store.open(of.place(file.name)) as source:
        for row in later.parquet().Reader(source).rows():
            content.add(row)
            if table is DELIVERIES:
                chunks.add(row[-1])
    if (content.rows, content.sha256) != (file.rows, file.content):
        raise ArchiveError(f"{of.place(file.name)}: its rows are not those that were written")
    if table is DELIVERIES and tree.root_of(chunks.roots).hex() != of.tree.root:
        raise ArchiveError(f"{of.place(file.name)}: its leaves do not lead to the root")


class Content:
    """The running hash over a table's rows, however a file packs them."""

    def __init__(self, table: Table) -> None:
        self._table = table
        self._digest = hashlib.sha256()
        self.rows = 0
        self.first: str | None = None
        self.last: str | None = None

    def add(self, row: tuple[object, ...]) -> None:
        """Add a row; that of a delivery ends in its leaf."""
        count = len(self._table.columns)
        self._digest.update(self._table.json(row[:count]))
        for leaf in row[count:]:
            self._digest.update(bytes(leaf))  # type: ignore[call-overload]
        self._digest.update(b"\n")
        self.rows += 1
        self.first = self.first or str(row[0])
        self.last = str(row[0])

    @property
    def sha256(self) -> str:
        return self._digest.hexdigest()


def tree_roots(store: Store, of: Manifest) -> list[bytes]:
    """Return the roots of the chunks; raises ArchiveError where they don't lead to the manifest's root."""
    with store.open(of.place(TREE)) as source:
        roots = [bytes.fromhex(each) for each in json.load(source)["roots"]]
    if tree.root_of(roots).hex() != of.tree.root:
        raise ArchiveError(f"{of.place(TREE)}: it has changed since it was written")
    return roots
