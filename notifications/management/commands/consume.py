"""``manage.py consume NAME``: reads one source of messages until it is told to stop."""

import signal
from types import FrameType
from typing import Any

from django.core.exceptions import ImproperlyConfigured
from django.core.management.base import BaseCommand, CommandError, CommandParser

from notifications.brokers import sources
from notifications.brokers.consumer import Consumer
from notifications.checks import BEFORE_START


class Command(BaseCommand):
    help = "Read the messages of a broker, as settings.SOURCES names it, until SIGTERM or Ctrl-C."
    requires_system_checks = BEFORE_START

    def add_arguments(self, parser: CommandParser) -> None:
        known = ", ".join(sources.names()) or "none: see docs/brokers.md"
        parser.add_argument("name", help=f"which source (configured: {known})")

    def handle(self, *args: Any, name: str, **options: Any) -> None:
        try:
            consumer = Consumer(sources.get(name))
        except ImproperlyConfigured as error:
            raise CommandError(str(error))

        def stop(number: int, frame: FrameType | None) -> None:
            consumer.stop.set()

        for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
            signal.signal(number, stop)
        consumer.run()
