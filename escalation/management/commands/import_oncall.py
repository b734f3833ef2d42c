"""``manage.py import_oncall FOLDER``: prints Grafana OnCall's set-up as YAML for `apply`."""

from escalation.as_code.importing import oncall
from escalation.as_code.importing.command import ImportCommand


class Command(ImportCommand):
    help = "Print Grafana OnCall's set-up, as its API lists it, as YAML for apply. See docs/migrate.md."
    lists = oncall.LISTS
    taken_over = staticmethod(oncall.taken_over)
