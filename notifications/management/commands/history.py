"""``manage.py history``: what a person was told, and was not, from the tables and the archive."""

import json
from argparse import ArgumentParser
from dataclasses import asdict
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

from django.core.management.base import BaseCommand, CommandError
from django.core.serializers.json import DjangoJSONEncoder

from accounts.models import User
from notifications.archive.faults import ArchiveError
from notifications.archive.history import of_person
from notifications.checks import BEFORE_START


def moment(text: str) -> datetime:
    """Read a day or a time; without a zone it is UTC."""
    at = datetime.fromisoformat(text)
    return at if at.tzinfo else at.replace(tzinfo=UTC)


class Command(BaseCommand):
    help = "List what a person was and was not told, in order of time, from the tables and the archive."
    requires_system_checks = BEFORE_START

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--person", required=True, metavar="EMAIL|ID", help="log-in (email), or UUID")
        parser.add_argument(
            "--since", type=moment, metavar="2026-09-01", help="from this day or time on (UTC)"
        )
        parser.add_argument(
            "--until", type=moment, metavar="2026-10-01", help="before this day or time (UTC)"
        )
        parser.add_argument("--format", choices=["table", "json"], default="table")

    def handle(
        self,
        *args: Any,
        person: str,
        since: datetime | None,
        until: datetime | None,
        format: str,
        **options: Any,
    ) -> None:
        try:
            told = of_person(_user_id(person), since=since, until=until)
        except ArchiveError as error:
            raise CommandError(str(error)) from error
        if format == "json":
            self.stdout.write(json.dumps([asdict(each) for each in told], cls=DjangoJSONEncoder, indent=1))
            return
        for each in told:
            at = f"{each.at.astimezone(UTC):%Y-%m-%d %H:%M:%S}"
            self.stdout.write(
                f"{at}  {each.status:<11}{each.channel:<13}{each.kind:<22}{each.title}  ({each.explanation})"
            )
        archived = sum(each.archived for each in told)
        self.stdout.write(f"\n{len(told):,} deliveries, {archived:,} of them from the archive")


def _user_id(person: str) -> UUID:
    """Return the id of a person; one who is not known any more may be in the archive, by id."""
    try:
        return UUID(person)
    except ValueError:
        pass
    user = User.objects.filter(email=person.strip().lower()).first()
    if user is None:
        raise CommandError(f"Nobody logs in as {person}. Give the id of a person who has been deleted.")
    return user.pk
