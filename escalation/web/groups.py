"""Alert groups in a browser: what is wrong now, who takes care of it, and what was said of each."""

from contextlib import suppress
from datetime import datetime, time, timedelta
from typing import Any, Final
from urllib.parse import urlencode
from uuid import UUID

from django.contrib import messages
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.shortcuts import get_object_or_404
from django.urls import reverse
from django.utils import timezone
from django.utils.formats import date_format
from django.utils.translation import gettext, gettext_lazy
from django.views.generic import TemplateView

from config import clock
from escalation.groups import ending, selectors
from escalation.groups.matching import labels_of_group
from escalation.models import AlertGroup
from escalation.timelines.markdown import markdown_response
from escalation.timelines.selectors import timeline_of_group
from escalation.web.notes import NoteForm, note_from
from escalation.web.silences import said
from notifications.web.page import Page

State = AlertGroup.State
PAGE_SIZE: Final = 30
#: So many of those that aren't over are shown, the newest first.
MOST_OPEN: Final = 200
#: How long a group can be put off here: what the form gives, and the words of its button.
SNOOZES: Final = {
    "1h": gettext_lazy("Snooze for an hour"),
    "4h": gettext_lazy("Snooze for 4 hours"),
    "tomorrow": gettext_lazy("Snooze until tomorrow, 8:00"),
}
_HOURS: Final = {"1h": 1, "4h": 4}
_MORNING: Final = time(8)


class GroupsPage(Page, TemplateView):
    """What is open comes first: all for staff, for others what they were told of."""

    template_name = "escalation/groups.html"

    def get_context_data(self, **kwargs: Any) -> dict[str, Any]:
        groups = selectors.groups_visible_to(self.person)
        only = self.request.GET.get("state", "")
        only = only if only in State.values else ""
        # "open" is behind "acknowledged" in the alphabet.
        is_open = groups.exclude(state=State.RESOLVED).order_by("-state", "-opened_at", "-pk")
        if only:
            is_open = is_open.filter(state=only)
        resolved = groups.filter(state=State.RESOLVED).order_by("-pk")
        if only not in ("", State.RESOLVED):
            resolved = resolved.none()
        with suppress(ValueError):
            # The list of what is over goes on from there.
            resolved = resolved.filter(pk__lt=UUID(self.request.GET.get("before", "")))
            is_open = is_open.none()
        shown, over = list(is_open[: MOST_OPEN + 1]), list(resolved[: PAGE_SIZE + 1])
        return super().get_context_data(**kwargs) | {
            "groups": [*shown[:MOST_OPEN], *over[:PAGE_SIZE]],
            "has_more_open": len(shown) > MOST_OPEN,
            "most_open": MOST_OPEN,
            "states": State.choices,
            "state": only,
            "older": over[PAGE_SIZE - 1].pk if len(over) > PAGE_SIZE else None,
        }


class _OneGroup(Page):
    def group(self, group_id: UUID) -> AlertGroup:
        return get_object_or_404(selectors.groups_visible_to(self.person), pk=group_id)


class GroupPage(_OneGroup, TemplateView):
    template_name = "escalation/group.html"

    def get_context_data(self, **kwargs: Any) -> dict[str, Any]:
        group = self.group(self.kwargs["group_id"])
        # Somebody may have taken what was snoozed.
        is_quiet = group.quiet and (group.quiet != AlertGroup.Quiet.SNOOZED or group.rings_at)
        labels = labels_of_group(group)
        exactly = [{"label": name, "op": "=", "value": labels[name]} for name in ("integration", "key")]
        return super().get_context_data(**kwargs) | {
            "group": group,
            "quiet": group.get_quiet_display() if is_quiet else "",
            "silence_query": urlencode({"matching": said(exactly)}),
            "alerts": selectors.alerts_of(group),
            "said": selectors.said_of(group),
            "stormed": selectors.stormed_of(group),
            "snoozes": SNOOZES.items(),
            "record": timeline_of_group(group, self.person),
            "note_form": kwargs.get("note_form") or NoteForm(),
            "note_url": reverse("escalation:group-notes", args=[group.pk]),
            "markdown_url": reverse("escalation:group-markdown", args=[group.pk]),
        }


class GroupNotesPage(GroupPage):
    """For whoever sees the group."""

    http_method_names = ["post"]

    def post(self, request: HttpRequest, group_id: UUID) -> HttpResponse:
        group, form = self.group(group_id), NoteForm(request.POST)
        if status := note_from(form, group, by=self.person, now=clock.now()):
            return self.render_to_response(self.get_context_data(note_form=form), status=status)
        messages.success(request, gettext("Noted."))
        return HttpResponseRedirect(reverse("escalation:group", args=[group.pk]))


class GroupMarkdownPage(_OneGroup):
    http_method_names = ["get", "head", "options"]

    def get(self, request: HttpRequest, group_id: UUID) -> HttpResponse:
        group = self.group(group_id)
        timeline = timeline_of_group(group, self.person)
        return markdown_response(timeline, timezone.get_current_timezone(), about=group.pk)


class _Change(_OneGroup):
    """Something done to a group; leads back to its page."""

    http_method_names = ["post"]

    def post(self, request: HttpRequest, group_id: UUID) -> HttpResponse:
        group = self.group(group_id)
        if said := self.change(group, by=str(self.person), now=clock.now()):
            messages.success(request, said)
        else:
            messages.info(request, gettext("It was already resolved."))
        return HttpResponseRedirect(reverse("escalation:group", args=[group.pk]))

    def change(self, group: AlertGroup, *, by: str, now: datetime) -> str:
        """Do it; return what to say of that, or "" where the group is over."""
        raise NotImplementedError


class GroupAcknowledgePage(_Change):
    def change(self, group: AlertGroup, *, by: str, now: datetime) -> str:
        is_done = ending.group_acknowledge(group=group, by=by, via="web", now=now)
        return gettext("Acknowledged. Nobody more will be told.") if is_done else ""


class GroupResolvePage(_Change):
    def change(self, group: AlertGroup, *, by: str, now: datetime) -> str:
        is_done = ending.group_resolve(group=group, by=by, via="web", now=now)
        return gettext("Resolved. Whoever was told of it is told that it is over.") if is_done else ""


class GroupSnoozePage(_Change):
    def change(self, group: AlertGroup, *, by: str, now: datetime) -> str:
        until = _until(self.request.POST.get("for", ""), now)
        if not ending.group_snooze(group=group, until=until, by=by, via="web", now=now):
            return ""
        return gettext("Snoozed until %(until)s.") % {
            "until": date_format(timezone.localtime(until), "j E, H:i")
        }


def _until(given: str, now: datetime) -> datetime:
    """Return the time that a button stands for; an hour from now for anything else."""
    if given != "tomorrow":
        return now + timedelta(hours=_HOURS.get(given, 1))
    tomorrow = timezone.localtime(now).date() + timedelta(days=1)
    return datetime.combine(tomorrow, _MORNING, timezone.get_current_timezone())
