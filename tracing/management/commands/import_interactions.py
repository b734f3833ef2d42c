"""Imports files of records. Stopped anywhere, it can be run again: what is stored already stays as it is.

At the end the days that it filled are packed, rather than in the night.
"""

import gzip
import os
import sys
import zlib
from argparse import ArgumentParser
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import date
from pathlib import Path
from typing import IO, Any, cast

import numpy as np
from django.core.management.base import BaseCommand, CommandError
from django.db import DatabaseError
from tqdm import tqdm

from config import clock
from tracing import packing, partitions
from tracing.intake import BadRecords, Columns, NotReadable, Records, Stored, records_checked
from tracing.intake.bounds import GZIP_MAGIC
from tracing.intake.bulk import Days, Storing
from tracing.intake.files import columns_in
from tracing.intake.records import RECORD_MIN_S

SHOWN = 20


class Command(BaseCommand):
    help = (
        "Import files of interactions: CSV, NDJSON or a JSON list, packed by gzip or not; - is standard "
        "input. Records stored before are skipped, so you can repeat a run that was stopped."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("files", nargs="+", metavar="FILE")
        parser.add_argument(
            "--skip-bad",
            action="store_true",
            help="Name bad records and go on; otherwise the run stops at them.",
        )

    def handle(self, *args: Any, **options: Any) -> None:
        new = known = bad = 0
        self.days: set[date] = set()
        self.too_short = self.intervals_differ = 0
        for name in options["files"]:
            try:
                stored, faulty = self.import_file(name, skip_bad=options["skip_bad"])
            except (OSError, EOFError, zlib.error, NotReadable, DatabaseError) as error:
                raise CommandError(f"{name}: {error}") from error
            new, known, bad = new + stored.new, known + stored.known, bad + faulty
        packing.pack(clock.now(), self.days)
        self.stdout.write(f"{new:,} new records, {known:,} known before, {bad:,} bad.")
        if self.too_short:
            self.stdout.write(
                f"{self.too_short:,} last less than {RECORD_MIN_S} s, and never count as contact."
            )
        if self.intervals_differ:
            self.stdout.write(f"{self.intervals_differ:,} have an interval that their times contradict.")
        if bad:
            sys.exit(1)

    def import_file(self, name: str, *, skip_bad: bool) -> tuple[Stored, int]:
        """Store a file day by day; while one is being stored, the next is read."""
        bad = before = 0
        days = Days()
        with opened(name) as (file, size), Storing() as storing, bar(name, size) as progress:
            try:
                for columns, read_bytes in columns_in(file):
                    records, faults = self.checked(columns, before, name, skip_bad=skip_bad)
                    before, bad = before + columns.count, bad + faults
                    self.too_short += records.too_short
                    self.intervals_differ += records.intervals_differ
                    days.add(records)
                    for overdue in days.overdue():
                        storing.put(overdue)
                    progress.update(read_bytes)
            finally:
                # Also what was held back when a bad record ended it.
                for held in days.rest():
                    storing.put(held)
                stored = storing.finish()
        self.days |= {partitions.day_of(day * partitions.DAY_S) for day in storing.days}
        return stored, bad

    def checked(self, columns: Columns, before: int, name: str, *, skip_bad: bool) -> tuple[Records, int]:
        """Check a part; bad records are named, and end the run unless they are to be skipped."""
        try:
            return records_checked(columns, now=clock.now()), 0
        except BadRecords as error:
            for number, field, message in error.faults[:SHOWN]:
                self.stderr.write(f"{name}: record {before + number + 1}: {field}: {message}")
            if not skip_bad:
                raise CommandError(
                    f"{error.records} bad records, of which the first are named above. The {before} before "
                    "this part are stored. Use --skip-bad to skip bad ones."
                )
            good = np.flatnonzero(~error.bad)
            return records_checked(columns.only(good.tolist()), now=clock.now()), error.records


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
