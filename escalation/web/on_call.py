"""One's own times on call, and asking others to stand in."""

from collections.abc import Iterable
from datetime import datetime, timedelta
from typing import Any, Final, NamedTuple
from uuid import UUID

from django import forms
from django.contrib import messages
from django.core.exceptions import ValidationError
from django.db.models import Q, QuerySet
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.shortcuts import get_object_or_404
from django.urls import reverse
from django.utils import timezone
from django.utils.translation import gettext
from django.views.generic import TemplateView

from accounts.models import User
from config import clock
from config.rest.exceptions import Conflict, TooMany
from escalation.holes.reading import holes_of_schedules
from escalation.models import CoverRequest, Schedule
from escalation.policies.words import name_of
from escalation.schedules.handoffs import OnCall, spells
from escalation.schedules.row import final_row
from escalation.schedules.selectors import people_by_id, roster_of, schedules_visible_to
from escalation.services import covers
from escalation.web.holes import shown
from notifications.web import limits
from notifications.web.page import Page

State = CoverRequest.State
#: How far ahead the page shows one's times on call.
AHEAD: Final = timedelta(days=35)
#: Times of others that are offered for a swap.
MOST_SWAPS: Final = 30


class Mine(NamedTuple):
    """A schedule that somebody is in: their times on call, whom they can ask, and what they can swap with.

    ``ill_until`` is until when they are asked for at once; None where they are not on call so soon.
    """

    schedule: Schedule
    spells: list[tuple[OnCall, datetime | None]]
    others: list[tuple[UUID, str]]
    swaps: list[tuple[OnCall, str]]


class AskForm(forms.Form):
    """``in_return`` is what is taken for it: whose, from when, and until when."""

    starts_at = forms.DateTimeField()
    ends_at = forms.DateTimeField()
    asked = forms.UUIDField(required=False)
    in_return = forms.CharField(required=False, max_length=200)
    note = forms.CharField(required=False, max_length=200)

    def clean_in_return(self) -> tuple[UUID, datetime, datetime] | None:
        if not self.cleaned_data["in_return"]:
            return None
        try:
            whose, begin, end = self.cleaned_data["in_return"].split()
            return UUID(whose), _moment(begin), _moment(end)
        except ValueError:
            raise ValidationError(gettext("That is no time on call."))

    def clean(self) -> dict[str, Any]:
        cleaned = super().clean() or self.cleaned_data
        swap = cleaned.get("in_return")
        if swap and cleaned.get("asked") not in (None, swap[0]):
            raise ValidationError(gettext("Take something in return from the person whom you ask."))
        return cleaned


class OnCallPage(Page, TemplateView):
    template_name = "escalation/on_call.html"

    def get_context_data(self, **kwargs: Any) -> dict[str, Any]:
        now = clock.now()
        requests = CoverRequest.objects.filter(state=State.OPEN, ends_at__gt=now).order_by("starts_at")
        requests = requests.select_related("schedule", "asked_by", "asked")
        schedules = list(schedules_visible_to(self.person).order_by("name"))
        mine = [_mine(each, self.person, now) for each in schedules]
        theirs = [each.schedule.pk for each in mine]
        asks_me = Q(asked=self.person) | Q(asked=None, schedule__in=theirs)
        return super().get_context_data(**kwargs) | {
            "holes": shown(holes_of_schedules(schedules, now=now)),
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
        form, now = AskForm(request.POST), clock.now()
        try:
            if not form.is_valid():
                raise ValidationError([text for texts in form.errors.values() for text in texts])
            limits.take_act(self.person)
            asked = form.cleaned_data
            whose, begin, end = asked["in_return"] or (asked["asked"], None, None)
            spells_shown = [spell for spell, _ in _mine(schedule, self.person, now).spells]
            covers.cover_ask(
                schedule=schedule,
                by=self.person,
                starts_at=_exact(asked["starts_at"], (each.starts_at for each in spells_shown)),
                ends_at=_exact(asked["ends_at"], (each.ends_at for each in spells_shown)),
                asked_id=whose,
                return_starts_at=begin,
                return_ends_at=end,
                note=asked["note"],
                now=now,
            )
        except ValidationError as error:
            messages.error(request, " ".join(error.messages))
        except (Conflict, TooMany) as error:
            messages.error(request, str(error))
        else:
            messages.success(request, gettext("Asked. You are on call until somebody accepts."))
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
    row = spells(final_row(roster_of(schedule), now, now + AHEAD))
    people = people_by_id(schedule).values()
    names = {each.pk: name_of(each) for each in people if each.is_active and each.pk != person.pk}
    until = _ill_until(now)
    own = [
        (each, min(each.ends_at, until) if each.starts_at < until else None)
        for each in row
        if each.user_id == person.pk
    ]
    swaps = [(each, names[each.user_id]) for each in row if each.user_id in names and each.starts_at > now]
    return Mine(schedule, own, sorted(names.items(), key=lambda each: each[1].casefold()), swaps[:MOST_SWAPS])


def _ill_until(now: datetime) -> datetime:
    """Return the next noon on the wall that is at least six hours away: the night is over then."""
    local = timezone.localtime(now + timedelta(hours=6))
    noon = local.replace(hour=12, minute=0, second=0, microsecond=0)
    return noon if noon >= local else noon + timedelta(days=1)


def _exact(given: datetime, moments: Iterable[datetime]) -> datetime:
    """Return the moment that a field shows, which has no seconds, as it is."""
    return next((each for each in moments if abs(each - given) < timedelta(minutes=1)), given)


def _covers_of(person: User) -> QuerySet[CoverRequest]:
    theirs = schedules_visible_to(person).values("pk")
    return CoverRequest.objects.filter(schedule__in=theirs).select_related("schedule")


def _moment(given: str) -> datetime:
    moment = datetime.fromisoformat(given)
    if moment.tzinfo is None:
        raise ValueError("no zone")
    return moment
