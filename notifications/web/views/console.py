"""The console: what happens now, where anything is found, and what is to be set up."""

from contextlib import suppress
from datetime import datetime
from functools import partial
from urllib.parse import urlencode
from uuid import uuid4

from django.conf import settings
from django.core.handlers.asgi import ASGIRequest
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.utils.dateparse import parse_datetime

from accounts.models import Shop, User
from config import clock
from config.live import EVENT_STREAM, STREAM_HEADERS, LiveResponse
from notifications.inbox.look import credentials_of
from notifications.inbox.stream import Listener
from notifications.web.console import hubs
from notifications.web.console.done import PAGE_SIZE, done
from notifications.web.console.finding import hits
from notifications.web.console.setup import steps_of
from notifications.web.console.showing import View, news, shown_to
from notifications.web.page import Page, is_htmx, time_zone_of


class FindPage(Page):
    """For staff: everything that a text names, as it is typed."""

    def get(self, request: HttpRequest) -> HttpResponse:
        text = request.GET.get("q", "")
        context = {"text": text, "hits": hits(self.person, text), "is_asked": len(text.strip()) > 1}
        return render(
            request, "web/console/_hits.html" if is_htmx(request) else "web/console/find.html", context
        )


class SetupPage(Page):
    """For staff: what is still to be done, and a line that sends the first alert."""

    def get(self, request: HttpRequest) -> HttpResponse:
        steps = steps_of(self.person)
        needed = [step for step in steps if not step.is_optional]
        context = {
            "steps": steps,
            "done": sum(step.is_done for step in needed),
            "needed": len(needed),
            "base": settings.PUBLIC_URL,
            "shop": Shop.objects.order_by("pk").values_list("slug", flat=True).first() or "SHOP",
            "uuid": uuid4(),
            "now": int(clock.timestamp()),
        }
        page = "web/console/_steps.html" if is_htmx(request) else "web/console/setup.html"
        return render(request, page, context)


class DonePage(Page):
    """For staff: who did what, the newest first."""

    def get(self, request: HttpRequest) -> HttpResponse:
        who = request.GET.get("who", "").replace("\x00", "").strip()[:200]
        found = done(self.person, who, _moment(request.GET.get("before", "")))
        shown = found[:PAGE_SIZE]
        older = urlencode({"who": who, "before": shown[-1].at.isoformat()}) if len(found) > PAGE_SIZE else ""
        return render(request, "web/console/done.html", {"done": shown, "who": who, "older": older})


def _moment(text: str) -> datetime:
    """Return a time that an address says; else now."""
    with suppress(ValueError):
        if (moment := parse_datetime(text)) and moment.tzinfo and 1970 <= moment.year < 2100:
            return moment
    return clock.now()


class NowPage(Page):
    """For staff. Its stream keeps it up to date."""

    def get(self, request: HttpRequest) -> HttpResponse:
        return render(request, "web/console/now.html", {"panels": shown_to(_view_of(self.person))})


class StreamPage(Page):
    """The panels that say something else than those that the page has, and from then on whatever changes."""

    http_method_names = ["get"]

    def get(self, request: HttpRequest) -> HttpResponse:
        view, have = _view_of(self.person), request.GET.getlist("have")
        if hubs.count() >= settings.STREAMS_MAX:
            return HttpResponse(status=503, headers={"Retry-After": "30"})
        listener = Listener(
            user_id=self.person.pk,
            after=None,
            credentials=credentials_of(self.person),
            log_in=request.session.session_key or "",
        )
        # Without an event loop, the page asks again and again.
        content = b"" if isinstance(request, ASGIRequest) else news(shown_to(view), set(have))
        return LiveResponse(
            content,
            live=partial(hubs.serve, listener, view, have),
            content_type=EVENT_STREAM,
            headers=STREAM_HEADERS,
        )


def _view_of(person: User) -> View:
    return View(person.language, time_zone_of(person))
