"""``manage.py load_caller_ids FILE``: takes the registry of caller ids from a file of the original's."""

import json
from pathlib import Path
from typing import Any

from django.core.exceptions import ValidationError
from django.core.management.base import BaseCommand, CommandError, CommandParser

from config.rest.api import messages_by_field
from notifications.services.caller_ids import caller_ids_replace


class Command(BaseCommand):
    help = 'Replace the registry of caller ids with a JSON file: {"+385": "+3851111111", "default": "+1…"}.'

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("file", type=Path)

    def handle(self, *args: Any, **options: Any) -> None:
        try:
            registry = json.loads(options["file"].read_text())
        except (OSError, ValueError) as error:
            raise CommandError(f"{options['file']}: {error}")
        if not isinstance(registry, dict):
            raise CommandError("Expected a JSON object of prefixes and phone numbers.")
        try:
            stored = caller_ids_replace(registry=registry)
        except ValidationError as error:
            faults = messages_by_field(error).items()
            raise CommandError("\n".join(f"{name}: {' '.join(found)}" for name, found in faults))
        self.stdout.write(f"{len(stored)} caller ids: {', '.join(stored)}")
