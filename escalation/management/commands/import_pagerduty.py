"""``manage.py import_pagerduty FOLDER``: prints PagerDuty's set-up as YAML for `apply`."""

from escalation.as_code.importing import pagerduty
from escalation.as_code.importing.command import ImportCommand


class Command(ImportCommand):
    help = "Print PagerDuty's set-up, as its API lists it, as YAML for apply. See docs/migrate.md."
    lists = pagerduty.LISTS
    taken_over = staticmethod(pagerduty.taken_over)
