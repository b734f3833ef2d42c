"""``manage.py rqscheduler`` of django-rq, with other checks before it starts."""

from django_rq.management.commands import rqscheduler

from notifications.checks import BEFORE_START


class Command(rqscheduler.Command):
    requires_system_checks = BEFORE_START
