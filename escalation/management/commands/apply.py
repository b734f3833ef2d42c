"""``manage.py apply FILE…``: makes shops, schedules, policies and the rest of a set-up as files say."""

import json
import sys
from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from escalation.as_code.applying import applied, planned
from escalation.as_code.reading import Refused, read
from escalation.as_code.schema import schema


class Command(BaseCommand):
    help = "Show what YAML files would change, and change it once you agree. See docs/as-code.md."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("files", nargs="*", type=Path, metavar="FILE")
        parser.add_argument("--prune", action="store_true", help="Also remove what no file names.")
        parser.add_argument("--yes", action="store_true", help="Don't ask.")
        parser.add_argument("--check", action="store_true", help="Change nothing; fail if something would.")
        parser.add_argument("--schema", action="store_true", help="Print the files' JSON Schema, and stop.")

    def handle(self, *args: Any, **options: Any) -> None:
        if options["schema"]:
            self.stdout.write(json.dumps(schema(), indent=2))
            return
        if not options["files"]:
            raise CommandError("Name at least one file.")
        try:
            document = read(options["files"])
            changes = planned(document, prune=options["prune"])
            for change in changes:
                for line in change.lines():
                    self.stdout.write(line)
            if not changes:
                self.stdout.write("Nothing to change.")
                return
            if options["check"]:
                raise CommandError(f"{_counted(len(changes))} to make.")
            if not options["yes"] and not self._agrees():
                raise CommandError("Nothing was changed.")
            applied(document, prune=options["prune"], expected=changes)
        except Refused as error:
            raise CommandError(str(error))
        self.stdout.write(f"{_counted(len(changes))} made.")

    def _agrees(self) -> bool:
        if not sys.stdin.isatty():
            raise CommandError("Nothing was changed: there is nobody to ask. Say --yes, or --check.")
        return input("Make these changes? [y/N] ").strip().lower() in ("y", "yes")


def _counted(count: int) -> str:
    return f"{count} change{'' if count == 1 else 's'}"
