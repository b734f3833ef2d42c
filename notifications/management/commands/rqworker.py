"""``manage.py rqworker`` of django-rq, with other checks before it starts."""

from django_rq.management.commands import rqworker

from notifications.checks import BEFORE_START


class Command(rqworker.Command):
    requires_system_checks = BEFORE_START
