"""`manage.py show_sql [NAME]`: the SQL that is written by hand, as it is run."""

from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from config import statements


class Command(BaseCommand):
    help = "Lists the SQL statements with their purposes, or prints one as it is run, for psql."
    requires_system_checks: list[str] = []

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("name", nargs="?", help="of the statement to print; lists them all if not given")

    def handle(self, *args: Any, name: str | None, **options: Any) -> None:
        known = statements.known()
        if name is None:
            width = max(map(len, known))
            for each in known.values():
                self.stdout.write(f"{each.name:{width}}  {each.purpose}")
            return
        if name not in known:
            raise CommandError(f"There is no statement {name}: see `manage.py show_sql`.")
        statement = known[name]
        self.stdout.write(f"-- {statement.purpose}")
        for parameter in statement.parameters:
            self.stdout.write(f"\\set {parameter} ''")
        self.stdout.write(f"{statement.for_psql};")
