"""Escalations in a browser: the list of them, and each as a line with its steps."""

from contextlib import suppress
from typing import Any, Final
from uuid import UUID

from django.contrib import messages
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.http.response import HttpResponseBase
from django.shortcuts import get_object_or_404, render
from django.urls import reverse
from django.utils.cache import patch_vary_headers
from django.utils.timezone import get_current_timezone
from django.utils.translation import gettext
from django.views.decorators.csrf import csrf_exempt
from django.views.generic import TemplateView

from config import clock
from escalation import selectors
from escalation.api.views.processes import ProcessesView
from escalation.models import EscalationProcess
from escalation.services.processes import process_acknowledge, process_stop
from escalation.timelines.lines import process_timeline
from escalation.timelines.markdown import markdown_response
from escalation.timelines.selectors import run_of, timeline_of_process
from escalation.web.notes import NoteForm, note_from
from escalation.web.timeline import timeline
from notifications.web.page import Page, is_htmx
from notifications.web.views.shared import wants_page

PAGE_SIZE: Final = 30
#: What htmx takes for: ask no more.
STOP_POLLING: Final = 286
#: What the list can be narrowed by. Not by "finished": nothing ends so any more.
STATES: Final = [each for each in EscalationProcess.State.choices if each[0] != "finished"]
_ORDER: Final = ("-started_at", "-id")


class ListPage(Page, TemplateView):
    """Newest first: all for staff, for others those in which they are told."""

    template_name = "escalation/list.html"

    def get_context_data(self, **kwargs: Any) -> dict[str, Any]:
        processes = selectors.processes_visible_to(self.person).order_by(*_ORDER)
        only = self.request.GET.get("state", "")
        if only in EscalationProcess.State.values:
            processes = selectors.in_states(processes, [only])
        # Ids are ordered by time, as the list is.
        with suppress(ValueError):
            processes = processes.filter(pk__lt=UUID(self.request.GET.get("before", "")))
        shown = list(processes[: PAGE_SIZE + 1])
        return super().get_context_data(**kwargs) | {
            "processes": shown[:PAGE_SIZE],
            "states": STATES,
            "state": only,
            "older": shown[PAGE_SIZE - 1].pk if len(shown) > PAGE_SIZE else None,
        }


class _OneProcess(Page):
    def process(self, run_id: UUID) -> EscalationProcess:
        return get_object_or_404(selectors.processes_visible_to(self.person), pk=run_id)


class _ShownProcess(_OneProcess):
    def shown(self, process: EscalationProcess, form: NoteForm, *, status: int = 200) -> HttpResponse:
        """Answer with a process; htmx gets only what moves of it, until it is over."""
        run = run_of(process, self.person)
        runs = selectors.processes_visible_to(self.person).filter(process_id=process.process_id)
        context = {
            "process": process,
            "is_live": is_live(process),
            "timeline": timeline(process, run.deliveries, now=clock.now()),
            "record": process_timeline(run),
            "note_form": form,
            "note_url": reverse("escalation:notes", args=[process.pk]),
            "markdown_url": reverse("escalation:markdown", args=[process.pk]),
            "runs": list(runs.exclude(pk=process.pk).order_by(*_ORDER)[:5]),
        }
        if not is_htmx(self.request):
            return render(self.request, "escalation/timeline.html", context, status=status)
        status = 200 if context["is_live"] else STOP_POLLING
        return render(self.request, "escalation/_timeline.html", context, status=status)


class TimelinePage(_ShownProcess):
    """One process, live."""

    http_method_names = ["get", "head", "options"]

    def get(self, request: HttpRequest, run_id: UUID) -> HttpResponse:
        return self.shown(self.process(run_id), NoteForm())


class NotesPage(_ShownProcess):
    """For whoever sees the process."""

    http_method_names = ["post"]

    def post(self, request: HttpRequest, run_id: UUID) -> HttpResponse:
        process, form = self.process(run_id), NoteForm(request.POST)
        if status := note_from(form, process, by=self.person, now=clock.now()):
            return self.shown(process, form, status=status)
        messages.success(request, gettext("Noted."))
        return HttpResponseRedirect(reverse("escalation:timeline", args=[process.pk]))


class MarkdownPage(_OneProcess):
    http_method_names = ["get", "head", "options"]

    def get(self, request: HttpRequest, run_id: UUID) -> HttpResponse:
        process = self.process(run_id)
        timeline = timeline_of_process(process, self.person)
        return markdown_response(timeline, get_current_timezone(), about=process.pk)


def _over(process: EscalationProcess) -> str:
    """Return what to say of a process that can't be ended any more."""
    return (
        gettext("It had already ended by itself.")
        if process.ran_out
        else gettext("It was already %(state)s.") % {"state": process.get_state_display().lower()}
    )


def is_live(process: EscalationProcess) -> bool:
    """Whether something may still move: it is active, goes on later, or something of it is being sent."""
    waits = process.resume_at is not None or process.last_resort_look_at is not None
    return process.is_active or waits or process.silent_at is None


class _Change(_OneProcess):
    """Something done to a process; leads back to its page."""

    http_method_names = ["post"]

    def back(self, process: EscalationProcess) -> HttpResponse:
        return HttpResponseRedirect(reverse("escalation:timeline", args=[process.pk]))


class AcknowledgePage(_Change):
    """For who is told in it, and for staff."""

    def post(self, request: HttpRequest, run_id: UUID) -> HttpResponse:
        process = self.process(run_id)
        if process_acknowledge(process=process, by=str(self.person), via="web", now=clock.now()):
            messages.success(request, gettext("Acknowledged. Nothing more will be sent."))
        else:
            messages.info(request, _over(process))
        return self.back(process)


class StopPage(_Change):
    """For staff: asks first, since it can't be undone."""

    http_method_names = ["get", "post"]

    def process(self, run_id: UUID) -> EscalationProcess:
        process = super().process(run_id)
        if not self.person.is_staff:
            raise PermissionDenied
        return process

    def get(self, request: HttpRequest, run_id: UUID) -> HttpResponse:
        process = self.process(run_id)
        if not (process.is_active or process.resume_at):
            return self.back(process)
        return render(request, "escalation/stop.html", {"process": process})

    def post(self, request: HttpRequest, run_id: UUID) -> HttpResponse:
        process = self.process(run_id)
        # This run alone: a page that was left open must not stop a later one.
        if process_stop(
            process_id=process.process_id, by=str(self.person), via="web", now=clock.now(), run=process.pk
        ):
            messages.success(request, gettext("Stopped. Nothing more will be sent."))
        else:
            messages.info(request, _over(process))
        return self.back(process)


_page = ListPage.as_view()
_api = ProcessesView.as_view(schema=None)


# The page has no forms; the API sees to CSRF itself.
@csrf_exempt
def escalations(request: HttpRequest) -> HttpResponseBase:
    response = _page(request) if wants_page(request) else _api(request)
    patch_vary_headers(response, ("Accept", "Authorization"))
    return response
