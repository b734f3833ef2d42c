"""``manage.py publish``: sends events and answers to the brokers, in order, until it is told to stop."""

import signal
from types import FrameType
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from notifications.brokers import sources
from notifications.brokers.publisher import PublisherLoop
from notifications.checks import BEFORE_START


class Command(BaseCommand):
    help = "Publish what waits for the brokers, until SIGTERM or Ctrl-C. If several run, only one is at work."
    requires_system_checks = BEFORE_START

    def handle(self, *args: Any, **options: Any) -> None:
        if not sources.names():
            raise CommandError("No broker is configured to publish to: see docs/brokers.md.")
        loop = PublisherLoop()

        def stop(number: int, frame: FrameType | None) -> None:
            loop.stop.set()

        for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
            signal.signal(number, stop)
        loop.run()
