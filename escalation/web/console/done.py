"""What people did to escalations and alert groups."""

from collections.abc import Iterator
from datetime import datetime
from typing import Final

from django.db.models import Q
from django.urls import reverse
from django.utils.translation import gettext

from accounts.models import User
from escalation.models import AlertGroup, Entry, EscalationProcess
from notifications.web.console.done import PAGE_SIZE, Done

# So many of the newest are looked through.
_NEWEST: Final = 5_000
_KINDS: Final = (Entry.Kind.NOTE, Entry.Kind.ACKNOWLEDGED, Entry.Kind.SNOOZED, Entry.Kind.STOPPED)


def groups(person: User, who: str, before: datetime) -> Iterator[Done]:
    """Resolved ones."""
    newest = AlertGroup.objects.order_by("-opened_at").values("pk")[:_NEWEST]
    over = AlertGroup.objects.filter(
        pk__in=newest, state=AlertGroup.State.RESOLVED, resolved_at__lt=before, ended_by__icontains=who
    )
    for group in over.exclude(ended_by="").order_by("-resolved_at", "-pk")[: PAGE_SIZE + 1]:
        assert group.resolved_at
        said = {"name": group.title, "what": group.get_state_display()}
        url = reverse("escalation:group", args=[group.pk])
        yield Done(group.resolved_at, group.ended_by, gettext("%(what)s: “%(name)s”") % said, url)


def entries(person: User, who: str, before: datetime) -> Iterator[Done]:
    """Acknowledgements, stops, snoozes and notes."""
    noted = Entry.objects.filter(Q(by__icontains=who) | Q(user__email__icontains=who), kind__in=_KINDS)
    rows = noted.filter(at__lt=before).exclude(by="", user=None).select_related("process", "group", "user")
    for entry in rows.order_by("-at", "-pk")[: PAGE_SIZE + 1]:
        about = entry.process or entry.group
        assert about
        name = about.process_id if isinstance(about, EscalationProcess) else about.title
        route = "timeline" if isinstance(about, EscalationProcess) else "group"
        said = gettext("%(what)s: “%(name)s”") % {"name": name, "what": entry.get_kind_display()}
        yield Done(
            entry.at, entry.by or str(entry.user), said, reverse(f"escalation:{route}", args=[about.pk])
        )


SOURCES: Final = (groups, entries)
