"""``manage.py rqworker`` of django-rq, with other checks before it starts."""

from django_rq.management.commands import rqworker


class Command(rqworker.Command):
    # Only the product's own: Django's look at the code, and load every page of the product for it.
    requires_system_checks = ["tocsin"]
