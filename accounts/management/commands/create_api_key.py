"""``manage.py create_api_key NAME --scope S …``: makes a machine's key and shows it once."""

from typing import Any

from django.core.management.base import BaseCommand, CommandParser

from accounts.models import Scope
from accounts.services import api_key_create


class Command(BaseCommand):
    help = "Create an API key with the given scopes and print it. It is shown only this once."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("name")
        parser.add_argument("--scope", action="append", required=True, choices=Scope.values, dest="scopes")

    def handle(self, *args: Any, **options: Any) -> None:
        api_key, key = api_key_create(name=options["name"], scopes=options["scopes"])
        self.stdout.write(f"{api_key.name}: {', '.join(api_key.scopes)}")
        self.stdout.write(f"Keep it safe, it won't be shown again: {key}")
