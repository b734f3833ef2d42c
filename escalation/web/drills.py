"""Drills: what came of them, and the button by which staff start one."""

from typing import Any, Final
from uuid import UUID

from django.contrib import messages
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.shortcuts import get_object_or_404
from django.urls import reverse
from django.utils import timezone
from django.utils.translation import gettext
from django.views.generic import TemplateView

from accounts.models import User
from config import clock
from config.rest.exceptions import Conflict, TooMany
from escalation.drills.reporting import markdown_response, report_of
from escalation.drills.starting import drill_start
from escalation.models import Drill
from escalation.policies.words import name_of
from escalation.schedules.selectors import schedules_visible_to
from notifications.web import limits
from notifications.web.page import Page

# Of the drills that there were, so many are listed.
_MOST: Final = 50


class DrillsPage(Page, TemplateView):
    template_name = "escalation/drills.html"

    def get_context_data(self, **kwargs: Any) -> dict[str, Any]:
        return super().get_context_data(**kwargs) | {
            "is_staff": self.person.is_staff,
            "schedules": schedules_visible_to(self.person).order_by("name"),
            "drills": drills_visible_to(self.person)[:_MOST],
        }


class DrillPage(Page, TemplateView):
    template_name = "escalation/drill.html"

    def get_context_data(self, **kwargs: Any) -> dict[str, Any]:
        drill = get_object_or_404(drills_visible_to(self.person), pk=kwargs["drill_id"])
        return super().get_context_data(**kwargs) | {
            "report": report_of(drill),
            "drill": drill,
            "starter": name_of(drill.started_by) if drill.started_by else "",
        }


class DrillMarkdownPage(Page):
    def get(self, request: HttpRequest, drill_id: UUID) -> HttpResponse:
        drill = get_object_or_404(drills_visible_to(self.person), pk=drill_id)
        return markdown_response(report_of(drill), timezone.get_current_timezone())


class StartDrillPage(Page):
    """For staff: pressing the button twice rings nobody twice."""

    http_method_names = ["post"]

    def post(self, request: HttpRequest, schedule_id: UUID) -> HttpResponse:
        schedule = get_object_or_404(schedules_visible_to(self.person), pk=schedule_id)
        try:
            limits.take_act(self.person)
            drill, is_new = drill_start(
                schedule=schedule, by=self.person, everyone="everyone" in request.POST, now=clock.now()
            )
        except (Conflict, TooMany) as error:
            messages.error(request, str(error))
            return HttpResponseRedirect(reverse("escalation:drills"))
        if is_new:
            messages.success(request, gettext("They are rung now. You are told what came of it."))
        else:
            messages.info(request, gettext("A drill of this schedule is under way."))
        return HttpResponseRedirect(reverse("escalation:drill", args=[drill.pk]))


def drills_visible_to(person: User) -> QuerySet[Drill]:
    """Return the drills of the schedules that somebody sees, newest first."""
    theirs = schedules_visible_to(person).order_by().values("pk")
    return Drill.objects.filter(schedule__in=theirs).select_related("schedule", "started_by")
