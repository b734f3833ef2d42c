"""Imports files of records. Stopped anywhere, it can be run again: what is stored already stays as it is."""

import gzip
import os
import sys
from argparse import ArgumentParser
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Any, cast

import numpy as np
from django.core.management.base import BaseCommand, CommandError
from django.db import DatabaseError, connection
from django.utils import timezone
from tqdm import tqdm

from tracing.intake import (
    BadRecords,
    Columns,
    NotReadable,
    Records,
    Stored,
    interactions_store,
    records_checked,
)
from tracing.intake.files import columns_in

SHOWN = 20
GZIP_MAGIC = b"\x1f\x8b"


class Command(BaseCommand):
    help = (
        "Import files of interactions: CSV, NDJSON or a JSON list, packed by gzip or not; - is standard "
        "input. What is stored already is passed over, so that a run that was stopped can be repeated."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("files", nargs="+", metavar="FILE")
        parser.add_argument(
            "--skip-bad",
            action="store_true",
            help="Name bad records and go on; otherwise the run ends there.",
        )

    def handle(self, *args: Any, **options: Any) -> None:
        new = known = bad = 0
        for name in options["files"]:
            try:
                stored, faulty = self.import_file(name, skip_bad=options["skip_bad"])
            except (OSError, EOFError, NotReadable, DatabaseError) as error:
                raise CommandError(f"{name}: {error}") from error
            new, known, bad = new + stored.new, known + stored.known, bad + faulty
        self.stdout.write(f"{new:,} new records, {known:,} known before, {bad:,} bad.")
        if bad:
            sys.exit(1)

    def import_file(self, name: str, *, skip_bad: bool) -> tuple[Stored, int]:
        """Store a file part by part; while one is being stored, the next is read."""
        new = known = bad = before = 0
        with opened(name) as (file, size), ThreadPoolExecutor(1) as storing, bar(name, size) as progress:
            last: Future[Stored] | None = None
            try:
                for columns, read_bytes in columns_in(file):
                    records, faults = self.checked(columns, before, name, skip_bad=skip_bad)
                    if last is not None:
                        new, known = new + last.result().new, known + last.result().known
                    last = storing.submit(store, records)
                    before, bad = before + columns.count, bad + faults
                    progress.update(read_bytes)
                if last is not None:
                    new, known = new + last.result().new, known + last.result().known
            finally:
                storing.submit(disconnect).result()
        return Stored(new, known), bad

    def checked(self, columns: Columns, before: int, name: str, *, skip_bad: bool) -> tuple[Records, int]:
        """Check a part; bad records are named, and end the run unless they are to be skipped."""
        try:
            return records_checked(columns, now=timezone.now()), 0
        except BadRecords as error:
            for number, field, message in error.faults[:SHOWN]:
                self.stderr.write(f"{name}: record {before + number + 1}: {field}: {message}")
            if not skip_bad:
                raise CommandError(
                    f"{error.records} bad records, of which the first are named above. The {before} before "
                    "this part are stored. Use --skip-bad to pass over bad ones."
                )
            good = np.flatnonzero(~error.bad)
            return records_checked(columns.only(good.tolist()), now=timezone.now()), error.records


def store(records: Records) -> Stored:
    return interactions_store(records, now=timezone.now())


def disconnect() -> None:
    """Close the connection of the thread that this runs in."""
    connection.close()


@contextmanager
def opened(name: str) -> Iterator[tuple[IO[bytes], int | None]]:
    """Open a file, or standard input; with its size where that is known, unpacked where it is packed."""
    if name == "-":
        yield sys.stdin.buffer, None
        return
    with Path(name).open("rb") as file:
        packed = file.read(2) == GZIP_MAGIC
        file.seek(0)
        if not packed:
            yield file, os.fstat(file.fileno()).st_size
            return
        with gzip.open(file) as unpacked:
            yield cast(IO[bytes], unpacked), None


def bar(name: str, size: int | None) -> "tqdm[Any]":
    return tqdm(total=size, unit="B", unit_scale=True, desc=Path(name).name, disable=None, file=sys.stderr)
