"""``manage.py export``: prints people, shops, schedules, policies, integrations and routes for `apply`."""

from typing import Any

from django.core.management.base import BaseCommand, CommandParser

from escalation.as_code.applying import as_yaml, exported
from escalation.as_code.kinds import KINDS


class Command(BaseCommand):
    help = "Print what is set up as YAML, in the form that `apply` takes. See docs/as-code.md."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument(
            "--only", action="append", choices=[kind.name for kind in KINDS], help="A kind; several times."
        )

    def handle(self, *args: Any, **options: Any) -> None:
        wanted = {kind: things for kind, things in exported().items() if kind in (options["only"] or [kind])}
        self.stdout.write(as_yaml(wanted), ending="")
