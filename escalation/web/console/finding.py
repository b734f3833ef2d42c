"""Where the console looks for escalations, and for what belongs to them."""

from collections.abc import Iterator
from typing import Any, Final
from uuid import UUID

from django.db.models import Q, QuerySet
from django.urls import reverse
from django.utils.translation import gettext

from accounts.models import User
from config.digits import id_in
from escalation.models import AlertGroup, EscalationProcess, Policy, Schedule
from notifications.web.console.finding import MOST, Hit, when

# Names are looked for among so many of the newest.
_NEWEST: Final = 5_000


def found(person: User, text: str) -> Iterator[Hit]:
    """Yield what a text names of escalations, the newest first, and where one does what it says."""
    words = text.casefold()
    if words.startswith("start"):
        yield Hit(
            gettext("Do"),
            gettext("Start an escalation"),
            gettext("Shows first who would be told."),
            reverse("escalation:start"),
        )
    if "on call" in words:
        yield Hit(
            gettext("Do"),
            gettext("Who is on call"),
            gettext("Now, by schedule."),
            f"{reverse('web:console')}#panel-on-call",
        )
    wanted = id_in(text)
    for group in _named(AlertGroup, "opened_at", Q(title__icontains=text) | Q(key=text), wanted):
        url = reverse("escalation:group", args=[group.pk])
        yield Hit(
            gettext("Alert group"), group.title, f"{group.get_state_display()}, {when(group.opened_at)}", url
        )
    # Whoever knows what to do first names what it is to be done with.
    stops = words.startswith("stop ")
    name = text[5:] if stops else text
    for process in _named(EscalationProcess, "started_at", Q(process_id__icontains=name), wanted):
        about = f"{process.get_state_display()}, {when(process.started_at)}"
        url = reverse("escalation:timeline", args=[process.pk])
        if stops and (process.is_active or process.resume_at):
            yield Hit(
                gettext("Do"),
                gettext("Stop %(name)s") % {"name": process.process_id},
                about,
                reverse("escalation:stop", args=[process.pk]),
            )
        else:
            yield Hit(gettext("Escalation"), process.process_id, about, url)
    for model, what, route in (
        (Policy, gettext("Policy"), "policy"),
        (Schedule, gettext("Schedule"), "schedule"),
    ):
        kept = model.objects.filter(Q(name__icontains=text) | Q(pk=wanted), deleted_at=None)
        for each in kept.order_by("name")[:MOST]:
            yield Hit(what, each.name, "", reverse(f"escalation:{route}", args=[each.pk]))


def _named(model: Any, moment: str, named: Q, wanted: UUID | None) -> QuerySet[Any]:
    """Return those of an id or a name; the name is looked for among the newest only."""
    newest = model.objects.order_by(f"-{moment}", "-pk").values("pk")[:_NEWEST]
    return model.objects.filter(Q(pk=wanted) | Q(named, pk__in=newest)).order_by(f"-{moment}", "-pk")[:MOST]
