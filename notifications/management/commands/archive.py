"""``manage.py archive``: writes months of history to the archive, and finds whatever in it has changed."""

import time
from argparse import ArgumentParser
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from config import clock
from notifications.archive import verifying, writing
from notifications.archive.faults import ArchiveError
from notifications.archive.manifest import is_manifest
from notifications.archive.store import store
from notifications.checks import BEFORE_START
from notifications.history.month import Month


def _month(text: str) -> Month:
    return Month.parse(text)


class Command(BaseCommand):
    help = "Write months of history to the archive (ARCHIVE_URL), or verify what is there."
    requires_system_checks = BEFORE_START

    def add_arguments(self, parser: ArgumentParser) -> None:
        actions = parser.add_subparsers(dest="action", required=True)
        write = actions.add_parser("write", help="write the months that are not archived yet")
        write.add_argument(
            "--month",
            type=_month,
            metavar="2026-09",
            help="up to this month; by default, to the last that HISTORY_RETENTION_DAYS does not keep",
        )
        actions.add_parser("verify", help="find any file that was changed, lost, moved or added")

    def handle(self, *args: Any, action: str, month: Month | None = None, **options: Any) -> None:
        try:
            if action == "write":
                self.write(month)
            else:
                self.verify()
        except ArchiveError as error:
            raise CommandError(str(error)) from error

    def write(self, month: Month | None) -> None:
        last = month or writing.due(clock.now())
        written = writing.write_through(last) if last else []
        for each in written:
            size = sum(file.bytes for file in each.files)
            what = f"{each.alerts:,} alerts, {each.tree.leaves:,} deliveries, {size:,} bytes"
            self.stdout.write(f"{each.folder}: {what}")
        if not written:
            self.stdout.write("Nothing to write: everything due is in the archive already.")

    def verify(self) -> None:
        started = time.perf_counter()
        archive = store()
        count = 0
        for fault in verifying.faults(archive):
            count += 1
            self.stderr.write(str(fault))
        duration_s = time.perf_counter() - started
        if count:
            raise CommandError(f"{count:,} faults: see above.")
        if not (names := archive.names()):
            self.stdout.write("The archive is empty, and the database knows of nothing in it.")
            return
        manifests = sum(map(is_manifest, names))
        what = f"{manifests:,} manifests, {len(names) - manifests:,} files"
        self.stdout.write(f"The archive is as it was written: {what}; {duration_s:.1f} s")
