"""The page of those who run an evening."""

from datetime import timedelta
from typing import Any

from django.core.exceptions import ValidationError
from django.http import HttpResponse
from django.shortcuts import render
from django.utils.translation import gettext

from config import clock
from config.digits import whole
from dating import services
from dating.services.evening import EXTENSION_MAX_S
from dating.web.evening import pace_of
from dating.web.runsheet import run_sheet_of
from dating.web.views.shared import EventChange, EventPage, part

#: By how much a round can be extended, in seconds.
EXTENSIONS = (60, 120, 300)


class _RunSheet(EventPage):
    for_organiser = True

    def context(self, **more: Any) -> dict[str, Any]:
        now = clock.now()
        sheet = run_sheet_of(self.event, pace=pace_of(self.event, now))
        return {
            "sheet": sheet,
            "event": self.event,
            "now": now,
            "extensions": [(seconds, seconds // 60) for seconds in EXTENSIONS],
            "refusal": "",
            **more,
        }


class RunSheetPage(_RunSheet):
    def shown(self, **more: Any) -> HttpResponse:
        return render(self.request, "dating/runsheet.html", self.context(**more))


class NowPage(_RunSheet):
    """The part that moves, for htmx."""

    def shown(self, **more: Any) -> HttpResponse:
        context = self.context(**more)
        return part(self.request, "dating/_runsheet.html", context["sheet"].fingerprint, context)


class _Change(EventChange, NowPage):
    back = "dating:runsheet"
    for_organiser = True


class PauseChange(_Change):
    def act(self) -> str:
        services.event_pause(event=self.event, now=clock.now())
        return gettext("Paused.")


class ResumeChange(_Change):
    def act(self) -> str:
        services.event_resume(event=self.event, now=clock.now())
        return gettext("The evening has resumed.")


class ExtendChange(_Change):
    def act(self) -> str:
        if not (by_s := whole(self.request.POST.get("by_s", ""), most=EXTENSION_MAX_S)):
            raise ValidationError(
                gettext("by_s: expected seconds, from 1 to %(most)d.") % {"most": EXTENSION_MAX_S}
            )
        services.event_extend_round(event=self.event, by=timedelta(seconds=by_s), now=clock.now())
        return gettext("The round has been extended.")


class DropChange(_Change):
    def act(self) -> str:
        services.event_drop(event=self.event, registration_id=self.given_id("registration"), now=clock.now())
        return gettext("They have been removed.")


class EndChange(_Change):
    def act(self) -> str:
        services.event_end(event=self.event, now=clock.now())
        return gettext("It ends.")
