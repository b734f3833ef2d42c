"""One's own times on call, and asking others to stand in."""

from datetime import datetime, timedelta
from typing import Any, Final, NamedTuple
from uuid import UUID

from django.contrib import messages
from django.core.exceptions import ValidationError
from django.db.models import Q, QuerySet
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.shortcuts import get_object_or_404
from django.urls import reverse
from django.views.generic import TemplateView

from accounts.models import User
from config import clock
from config.rest.exceptions import Conflict, TooMany
from escalation.models import CoverRequest, Schedule
from escalation.policies.words import name_of
from escalation.schedules.handoffs import OnCall, spells
from escalation.schedules.row import final_row
from escalation.schedules.selectors import people_by_id, roster_of, schedules_visible_to
from escalation.services import covers
from notifications.web import limits
from notifications.web.page import Page

State = CoverRequest.State
#: How far ahead the page shows one's times on call.
AHEAD: Final = timedelta(days=35)


class Mine(NamedTuple):
    """A schedule that somebody is in: their times on call, and whom they can ask."""

    schedule: Schedule
    spells: list[OnCall]
    others: list[tuple[UUID, str]]


class OnCallPage(Page, TemplateView):
    template_name = "escalation/on_call.html"

    def get_context_data(self, **kwargs: Any) -> dict[str, Any]:
        now = clock.now()
        requests = CoverRequest.objects.filter(state=State.OPEN, ends_at__gt=now).order_by("starts_at")
        requests = requests.select_related("schedule", "asked_by", "asked")
        mine = [_mine(each, self.person, now) for each in schedules_visible_to(self.person).order_by("name")]
        theirs = [each.schedule.pk for each in mine]
        asks_me = Q(asked=self.person) | Q(asked=None, schedule__in=theirs)
        return super().get_context_data(**kwargs) | {
            "mine": [each for each in mine if each.spells or not self.person.is_staff],
            "asked_of_me": [
                (name_of(each.asked_by), each)
                for each in requests.filter(asks_me).exclude(asked_by=self.person)
            ],
            "asked_by_me": [(name_of(each.asked), each) for each in requests.filter(asked_by=self.person)],
        }


class AskPage(Page):
    """Ask others to stand in for one time on call."""

    http_method_names = ["post"]

    def post(self, request: HttpRequest, schedule_id: UUID) -> HttpResponse:
        schedule = get_object_or_404(schedules_visible_to(self.person), pk=schedule_id)
        try:
            limits.take_act(self.person)
            starts_at, ends_at = (_moment(request.POST.get(name, "")) for name in ("starts_at", "ends_at"))
            asked = request.POST.get("asked", "")
            covers.cover_ask(
                schedule=schedule,
                by=self.person,
                starts_at=starts_at,
                ends_at=ends_at,
                asked_id=UUID(asked) if asked else None,
                note=request.POST.get("note", "")[:200],
                now=clock.now(),
            )
        except ValidationError as error:
            messages.error(request, " ".join(error.messages))
        except (Conflict, TooMany) as error:
            messages.error(request, str(error))
        except ValueError:
            messages.error(request, "That is no time on call.")
        else:
            messages.success(request, "Asked. You are on call until somebody accepts.")
        return HttpResponseRedirect(reverse("escalation:on-call"))


class AnswerPage(Page):
    """Accept, decline or withdraw; ``act`` is the service, ``done`` what is said of it."""

    http_method_names = ["post"]
    act: Any = None
    done = ""

    def post(self, request: HttpRequest, cover_id: UUID) -> HttpResponse:
        cover = get_object_or_404(_covers_of(self.person), pk=cover_id)
        try:
            limits.take_act(self.person)
            self.act(request=cover, by=self.person, now=clock.now())
        except (Conflict, TooMany) as error:
            messages.error(request, str(error))
        else:
            messages.success(request, self.done)
        return HttpResponseRedirect(reverse("escalation:on-call"))


def _mine(schedule: Any, person: User, now: datetime) -> Mine:
    row = final_row(roster_of(schedule), now, now + AHEAD)
    own = [each for each in spells(row) if each.user_id == person.pk]
    people = people_by_id(schedule).values()
    others = [(each.pk, name_of(each)) for each in people if each.is_active and each.pk != person.pk]
    return Mine(schedule, own, sorted(others, key=lambda each: each[1].casefold()))


def _covers_of(person: User) -> QuerySet[CoverRequest]:
    theirs = schedules_visible_to(person).values("pk")
    return CoverRequest.objects.filter(schedule__in=theirs).select_related("schedule")


def _moment(given: str) -> datetime:
    moment = datetime.fromisoformat(given)
    if moment.tzinfo is None:
        raise ValueError("no zone")
    return moment
