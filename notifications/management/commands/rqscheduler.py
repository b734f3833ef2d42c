"""``manage.py rqscheduler`` of django-rq, with other checks before it starts."""

from django_rq.management.commands import rqscheduler


class Command(rqscheduler.Command):
    # Only the product's own: Django's look at the code, and load every page of the product for it.
    requires_system_checks = ["tocsin"]
