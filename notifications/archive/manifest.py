"""The manifests: what there is of each month, each with the hash of the one before it."""

import hashlib
import json
import re
from collections.abc import Iterable
from dataclasses import asdict, dataclass
from typing import Any, Final, Self

from notifications.archive.faults import ArchiveError
from notifications.archive.store import Store
from notifications.archive.tables import FORMAT
from notifications.history.month import Month

NAME: Final = "manifest.json"
#: The roots of the chunks of the tree.
TREE: Final = "tree.json"
_PLACE: Final = re.compile(r"[0-9]{4}-(?:0[1-9]|1[0-2])(?:\.[1-9][0-9]*)?/" + re.escape(NAME))


@dataclass(frozen=True, slots=True)
class File:
    """A file as it was written. ``content`` is of its rows, however they were packed."""

    name: str
    rows: int
    bytes: int
    sha256: str
    content: str
    first: str | None
    last: str | None


@dataclass(frozen=True, slots=True)
class Tree:
    """The Merkle tree over the deliveries, in the order of their file."""

    leaves: int
    root: str
    chunk: int


@dataclass(frozen=True, slots=True)
class Manifest:
    """What was archived of a month, and what came before it in the chain."""

    number: int
    month: Month
    revision: int
    previous: str | None
    written_at: str
    files: tuple[File, ...]
    tree: Tree
    alerts: int
    counts: tuple[tuple[str, str, int], ...]
    #: As it is stored; its hash is what the next one names.
    text: bytes = b""

    @property
    def sha256(self) -> str:
        return hashlib.sha256(self.text).hexdigest()

    @property
    def folder(self) -> str:
        return folder_of(self.month, self.revision)

    @property
    def content(self) -> dict[str, tuple[int, str]]:
        """What the rows were, by file: two manifests of the same rows have the same."""
        return {each.name: (each.rows, each.content) for each in self.files}

    def place(self, file: str) -> str:
        return f"{self.folder}/{file}"

    def dump(self) -> bytes:
        values = asdict(self) | {"format": FORMAT, "month": str(self.month)}
        del values["text"]
        return json.dumps(values, indent=1, sort_keys=True).encode() + b"\n"

    @classmethod
    def load(cls, text: bytes) -> Self:
        """Read a manifest; raises ValueError for whatever is none."""
        try:
            values: dict[str, Any] = json.loads(text)
            if (version := values.pop("format")) != FORMAT:
                raise ValueError(f"format {version!r} is not known here")
            read = {
                "month": Month.parse(values["month"]),
                "files": tuple(File(**each) for each in values["files"]),
                "tree": Tree(**values["tree"]),
                "counts": tuple((status, reason, count) for status, reason, count in values["counts"]),
            }
            return cls(**values | read, text=text)
        except (KeyError, TypeError, AttributeError) as error:
            raise ValueError(f"it lacks something, or has too much: {error}") from error


def folder_of(month: Month, revision: int) -> str:
    """Return where a month lies: ``2026-09``, or ``2026-09.2`` for its second revision."""
    return str(month) if revision == 1 else f"{month}.{revision}"


def is_manifest(name: str) -> bool:
    return _PLACE.fullmatch(name) is not None


def read(store: Store, name: str) -> Manifest:
    """Read one manifest; raises ValueError or FileNotFoundError."""
    with store.open(name) as file:
        return Manifest.load(file.read())


def chain(store: Store) -> list[Manifest]:
    """Return all manifests in order; raises ArchiveError where one can't be read or does not follow."""
    found: list[Manifest] = []
    for name in filter(is_manifest, store.names()):
        try:
            found.append(read(store, name))
        except (ValueError, FileNotFoundError) as error:
            raise ArchiveError(f"{name}: not a manifest: {error}") from error
    found.sort(key=lambda each: each.number)
    for each, fault in breaks(found):
        raise ArchiveError(f"{each.folder}/{NAME}: {fault}")
    return found


def breaks(manifests: list[Manifest]) -> Iterable[tuple[Manifest, str]]:
    """Yield wherever one does not follow the one before it."""
    before: Manifest | None = None
    known: dict[Month, int] = {}
    for number, each in enumerate(manifests, 1):
        if each.number != number:
            yield each, f"it is number {each.number} of the chain, where {number} was expected"
        if each.previous != (before.sha256 if before else None):
            yield each, "it does not follow from the manifest before it"
        if known and each.month not in known and each.month != max(known).following:
            yield each, f"the chain has a gap: {max(known).following} was expected"
        if each.revision != known.get(each.month, 0) + 1:
            yield each, f"revision {each.revision} does not follow revision {known.get(each.month, 0)}"
        known[each.month] = each.revision
        before = each


def latest(manifests: Iterable[Manifest]) -> dict[Month, Manifest]:
    """Return the manifest that counts for each month: its last revision."""
    return {each.month: each for each in manifests}
