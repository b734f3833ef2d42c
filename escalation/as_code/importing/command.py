"""What the commands that import another system's set-up have in common."""

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from config import clock
from escalation.as_code.applying import as_yaml
from escalation.as_code.importing.files import lists_of
from escalation.as_code.importing.taken import Taken
from escalation.as_code.reading import Refused


class ImportCommand(BaseCommand):
    """Reads what an API has listed, prints YAML for `apply`, and says what it leaves out."""

    lists: Sequence[str]
    taken_over: Callable[..., Taken]

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("folder", type=Path, help="With the answers, a file a list: docs/migrate.md.")

    def handle(self, *args: Any, **options: Any) -> None:
        try:
            lists: Mapping[str, Any] = lists_of(options["folder"], self.lists)
            taken = type(self).taken_over(lists, now=clock.now())
        except Refused as error:
            raise CommandError(str(error))
        except (KeyError, TypeError, ValueError, AttributeError) as error:
            raise CommandError(f"Something in the answers is not as the API documents it: {error!r}")
        self.stdout.write(as_yaml(taken.document), ending="")
        for line in taken.left_out:
            self.stderr.write(f"Left out: {line}")
        self.stderr.write(f"{len(taken.left_out)} things were not taken over, or not as they were.")
