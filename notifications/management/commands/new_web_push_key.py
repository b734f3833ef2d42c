"""A key for the channel webpush, printed and kept nowhere."""

from typing import Any

from django.core.management.base import BaseCommand

from notifications.channels.transport import web_push


class Command(BaseCommand):
    help = "Print a new private key for WEB_PUSH_KEY. Browsers that subscribed with another must do so again."
    requires_system_checks = []

    def handle(self, *args: Any, **options: Any) -> None:
        self.stdout.write(web_push.new_key())
