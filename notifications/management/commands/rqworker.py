"""``manage.py rqworker`` of django-rq: all queues if none is named, and other checks before it starts."""

from typing import Any

from django.conf import settings
from django_rq.management.commands import rqworker

from notifications.checks import BEFORE_START


class Command(rqworker.Command):
    requires_system_checks = BEFORE_START

    def handle(self, *queues: str, **options: Any) -> None:
        super().handle(*(queues or settings.RQ_QUEUES), **options)
