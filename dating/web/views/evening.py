"""An evening, for those who take part or could."""

from typing import Any

from django.core.exceptions import ValidationError
from django.http import HttpResponse
from django.shortcuts import render
from django.utils.translation import gettext, gettext_lazy

from config import clock
from dating import services
from dating.links import invitation_url
from dating.models import Reaction
from dating.selectors import runs
from dating.web.evening import evening_of
from dating.web.views.shared import EventChange, EventPage, part
from notifications.web import limits

_OPINIONS = {
    Reaction.Kind.LIKE.value: gettext_lazy("You liked them."),
    Reaction.Kind.DISLIKE.value: gettext_lazy("Noted."),
}


class _Evening(EventPage):
    def context(self, **more: Any) -> dict[str, Any]:
        now = clock.now()
        evening = evening_of(self.event, self.person, now=now)
        return {"evening": evening, "event": self.event, "now": now, "refusal": "", **more}


class EveningPage(_Evening):
    def shown(self, **more: Any) -> HttpResponse:
        context = self.context(**more)
        registration = context["evening"].registration
        context["runs"] = runs(self.person, self.event)
        context["invitation"] = invitation_url(registration) if registration else ""
        return render(self.request, "dating/evening.html", context)


class NowPage(_Evening):
    """The part that moves, for htmx."""

    def shown(self, **more: Any) -> HttpResponse:
        context = self.context(**more)
        return part(self.request, "dating/_evening.html", context["evening"].fingerprint, context)


class _Change(EventChange, NowPage):
    back = "dating:evening"


class RegisterChange(_Change):
    def act(self) -> str:
        limits.take_act(self.person)
        registration = services.registration_create(event=self.event, user=self.person, now=clock.now())
        waits = registration.state == registration.State.WAITING
        return gettext("You are on the waiting list.") if waits else gettext("You are registered.")


class ConfirmChange(_Change):
    def act(self) -> str:
        limits.take_act(self.person)
        services.registration_confirm(event=self.event, user=self.person, now=clock.now())
        return gettext("You have confirmed.")


class CancelChange(_Change):
    def act(self) -> str:
        limits.take_act(self.person)
        services.registration_cancel(event=self.event, user=self.person, now=clock.now())
        return gettext("You have cancelled.")


class ReadyChange(_Change):
    def act(self) -> str:
        services.ready_mark(event=self.event, user=self.person, now=clock.now())
        return gettext("You are ready.")


class OpinionChange(_Change):
    """What somebody says of somebody they met."""

    def act(self) -> str:
        kind = self.request.POST.get("kind", "")
        if kind not in _OPINIONS:
            raise ValidationError(gettext("kind: expected like or dislike."))
        services.reaction_record(
            event=self.event, user=self.person, about_id=self.given_id("about"), kind=kind, now=clock.now()
        )
        return str(_OPINIONS[kind])
