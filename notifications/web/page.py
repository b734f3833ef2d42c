"""What every page shares: who may see it, in whose time zone, and what browsers may do with it."""

from typing import Any, Final
from urllib.parse import urlencode
from zoneinfo import ZoneInfo

import structlog
from django.contrib.auth import REDIRECT_FIELD_NAME
from django.contrib.auth.models import AnonymousUser
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.http.response import HttpResponseBase
from django.template.loader import render_to_string
from django.template.response import SimpleTemplateResponse
from django.urls import reverse
from django.utils import timezone
from django.utils.cache import add_never_cache_headers
from django.views.generic import View
from django_htmx.http import HttpResponseClientRedirect

from accounts.models import User
from accounts.rights import may_use
from config.outages import is_outage
from config.zones import zone_of

log = structlog.get_logger(__name__)

# Scripts and styles are files of ours, never part of a page: text that somebody manages to put into one
# can't do anything.
CONTENT_SECURITY_POLICY: Final = "; ".join(
    (
        "default-src 'none'",
        "script-src 'self'",
        "style-src 'self'",
        "img-src 'self'",
        "connect-src 'self'",
        "form-action 'self'",
        "base-uri 'none'",
        "frame-ancestors 'none'",
    )
)


class Page(View):
    """A page for whoever may use it by accounts.rights; whoever is not logged in is asked to."""

    def dispatch(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponseBase:
        try:
            if not self.is_allowed(request):
                if request.user.is_authenticated:
                    raise PermissionDenied
                response: HttpResponseBase = self.turned_away()
            else:
                with timezone.override(time_zone_of(request.user)):
                    response = super().dispatch(request, *args, **kwargs)
                    if isinstance(response, SimpleTemplateResponse):
                        response.render()
        except Exception as error:
            if not is_outage(error):
                raise
            log.error("dependency_unreachable", error=type(error).__name__)
            response = unavailable()
        return guarded(response)

    def is_allowed(self, request: HttpRequest) -> bool:
        """Whether whoever asks may do this here, if there is anything to do by this method."""
        method = request.method or ""
        if method.lower() not in self.http_method_names or not hasattr(self, method.lower()):
            return True  # the answer is 405
        route = request.resolver_match.route if request.resolver_match else ""
        return may_use(request.user, route, method)

    def turned_away(self) -> HttpResponse:
        """Answer whoever is not logged in."""
        return to_log_in(self.request)

    @property
    def person(self) -> User:
        """Who is logged in."""
        assert isinstance(self.request.user, User)
        return self.request.user


def guarded(response: HttpResponseBase) -> HttpResponseBase:
    """Add the headers that each page has. What it shows is one person's, and so kept by no cache."""
    response["Content-Security-Policy"] = CONTENT_SECURITY_POLICY
    add_never_cache_headers(response)
    return response


def is_htmx(request: HttpRequest) -> bool:
    """Whether htmx asks, for a part of a page. Its middleware would cost every request of the API too."""
    return request.headers.get("HX-Request") == "true"


def to_log_in(request: HttpRequest) -> HttpResponse:
    """Send somebody to the log-in, and from there back to where they wanted to go."""
    if is_htmx(request):
        return HttpResponseClientRedirect(reverse("web:login"))
    wanted = {REDIRECT_FIELD_NAME: request.get_full_path()} if request.method == "GET" else {}
    return HttpResponseRedirect(reverse("web:login") + (f"?{urlencode(wanted)}" if wanted else ""))


def unavailable() -> HttpResponse:
    """Say that what the page depends on is away; made without asking the database who is logged in."""
    context = {
        "user": AnonymousUser(),
        "heading": "Back in a moment",
        "text": "Tocsin can't reach its database at the moment. Nothing was changed; try again.",
    }
    response = HttpResponse(render_to_string("web/outcome.html", context), status=503)
    response["Retry-After"] = "2"
    return response


def time_zone_of(user: Any) -> ZoneInfo:
    """Return a person's own zone; UTC for nobody."""
    return zone_of(user.time_zone if isinstance(user, User) else "UTC")
