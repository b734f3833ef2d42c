"""Where the archive lies, by ARCHIVE_URL: a directory, or a bucket of S3 or whatever speaks it."""

import contextlib
import os
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO, Protocol
from urllib.parse import unquote, urlsplit

from django.conf import settings

from notifications.archive import later
from notifications.archive.faults import ArchiveError


class Store(Protocol):
    """Named files. ``put`` is all or nothing: a file is there as a whole, or as it was before."""

    def names(self, prefix: str = "") -> list[str]: ...

    def put(self, name: str, path: Path) -> None: ...

    def delete(self, name: str) -> None: ...

    def open(self, name: str) -> contextlib.AbstractContextManager[BinaryIO]:
        """A file to read and seek in; raises FileNotFoundError."""


class Directory:
    """A directory of this machine, or one that is mounted here."""

    def __init__(self, root: Path) -> None:
        self._root = root

    def names(self, prefix: str = "") -> list[str]:
        found = (each for each in self._root.rglob("*") if not each.is_dir())
        names = (each.relative_to(self._root).as_posix() for each in found)
        return sorted(name for name in names if name.startswith(prefix))

    def put(self, name: str, path: Path) -> None:
        target = self._root / name
        target.parent.mkdir(parents=True, exist_ok=True)
        beside = target.with_name(f"{target.name}.part")
        with path.open("rb") as source, beside.open("wb") as copy:
            shutil.copyfileobj(source, copy, 1 << 20)
            copy.flush()
            os.fsync(copy.fileno())
        beside.replace(target)
        descriptor = os.open(target.parent, os.O_RDONLY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)

    def delete(self, name: str) -> None:
        (self._root / name).unlink(missing_ok=True)

    @contextlib.contextmanager
    def open(self, name: str) -> Iterator[BinaryIO]:
        with (self._root / name).open("rb") as file:
            yield file


def is_set() -> bool:
    return bool(settings.ARCHIVE_URL)


def store() -> Store:
    """Return the archive's store; raises ArchiveError where none is set."""
    if not is_set():
        raise ArchiveError("There is no archive: ARCHIVE_URL is not set.")
    parts = urlsplit(settings.ARCHIVE_URL)
    match parts.scheme:
        case "s3":
            bucket: Store = later.s3().Bucket(parts.netloc, parts.path.strip("/"))
            return bucket
        case "file":
            return Directory(Path(unquote(parts.path)))
        case "":
            return Directory(Path(settings.ARCHIVE_URL))
    raise ArchiveError(
        f"ARCHIVE_URL can be a directory, file:///… or s3://bucket/prefix, not {parts.scheme}:…"
    )
