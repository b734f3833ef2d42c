"""The console: what happens now, where anything is found, and what is to be set up."""

import hashlib
from typing import Any, NamedTuple
from uuid import uuid4

from django.conf import settings
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.template.loader import render_to_string

from accounts.models import Shop
from config import clock
from notifications.web.console.finding import hits
from notifications.web.console.panels import panels
from notifications.web.console.setup import steps_of
from notifications.web.page import Page, is_htmx


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


class Shown(NamedTuple):
    """A panel as it is shown; ``digest`` is another once it says something else."""

    name: str
    title: str
    html: str
    digest: str


class NowPage(Page):
    """For staff. It asks again by itself, and then gets only the panels that are different now."""

    def get(self, request: HttpRequest) -> HttpResponse:
        shown = self._shown()
        if not is_htmx(request):
            return render(request, "web/console/now.html", {"panels": shown})
        have = set(request.GET.getlist("have"))
        changed = [each for each in shown if each.digest not in have]
        if not changed:
            return HttpResponse(status=204)
        return render(request, "web/console/_panels.html", {"panels": changed, "is_news": True})

    def _shown(self) -> list[Shown]:
        now = clock.now()
        found = []
        for panel in panels():
            said: Any = panel.read(self.person, now)
            # Without the request: what is different each time, such as a token, would look like news.
            html = render_to_string(panel.template, {**said, "user": self.person}) if said is not None else ""
            digest = hashlib.sha256(f"{panel.name}:{html}".encode()).hexdigest()[:16]
            found.append(Shown(panel.name, panel.title, html, digest))
        return found
