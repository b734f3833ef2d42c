"""What every page shares: who may see it, in whose time zone, and what browsers may do with it."""

from contextlib import AbstractContextManager
from typing import Any, Final
from urllib.parse import urlencode, urlsplit, urlunsplit
from zoneinfo import ZoneInfo

import structlog
from django.contrib import messages
from django.contrib.auth import REDIRECT_FIELD_NAME
from django.contrib.auth.models import AnonymousUser
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.http.response import HttpResponseBase
from django.shortcuts import render
from django.template.loader import render_to_string
from django.template.response import SimpleTemplateResponse
from django.urls import reverse
from django.utils import timezone, translation
from django.utils.cache import add_never_cache_headers
from django.utils.translation import gettext, gettext_lazy
from django.views.generic import View
from django_htmx.http import HttpResponseClientRedirect

from accounts.models import User
from accounts.rights import may_use
from config.outages import is_outage
from config.zones import zone_of

log = structlog.get_logger(__name__)

# Scripts and styles are files of ours, never part of a page: text that somebody manages to put into one
# can't do anything.
CONTENT_SECURITY_POLICY: Final = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; "
    "form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
)
NOTHING_CHANGED: Final = gettext_lazy(
    "You were logged out in the meantime, so nothing was changed. Log in and try again."
)


class Page(View):
    """A page for whoever may use it by accounts.rights; whoever is not logged in is asked to."""

    def dispatch(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponseBase:
        try:
            with timezone.override(time_zone_of(request.user)), in_language_of(request):
                response = self._answer(request, *args, **kwargs)
        except Exception as error:
            if not is_outage(error):
                raise
            log.error("dependency_unreachable", error=type(error).__name__)
            response = unavailable(request)
        return guarded(response)

    def _answer(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponseBase:
        if not self.is_allowed(request):
            if request.user.is_authenticated:
                raise PermissionDenied
            return self.turned_away()
        response = super().dispatch(request, *args, **kwargs)
        if isinstance(response, SimpleTemplateResponse):
            response.render()
        return response

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

    def forgery_refused(self, *args: Any, **kwargs: Any) -> HttpResponse:
        """Answer a form without the token that goes with the session, which is often over: config.forgery."""
        context = {"log_in": log_in_address(self.request)}
        with in_language_of(self.request):
            response = render(self.request, "403_csrf.html", context, status=403)
        guarded(response)
        return response

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
    """Send somebody to the log-in, and from there back to where they were, or wanted to go."""
    if request.method not in ("GET", "HEAD"):
        messages.error(request, NOTHING_CHANGED)
    address = log_in_address(request)
    return HttpResponseClientRedirect(address) if is_htmx(request) else HttpResponseRedirect(address)


def log_in_address(request: HttpRequest) -> str:
    wanted = page_behind(request)
    return reverse("web:login") + (f"?{urlencode({REDIRECT_FIELD_NAME: wanted})}" if wanted else "")


def page_behind(request: HttpRequest) -> str:
    """Return the path of the page that somebody sees, or asks for; empty where that is not known."""
    if is_htmx(request):
        shown = request.headers.get("HX-Current-URL", "")
    elif request.method in ("GET", "HEAD"):
        return request.get_full_path()
    else:
        shown = request.headers.get("Referer", "")
    try:
        parts = urlsplit(shown)
    except ValueError:
        return ""
    return urlunsplit(("", "", parts.path, parts.query, "")) if parts.netloc == request.get_host() else ""


def unavailable(request: HttpRequest) -> HttpResponse:
    """Say that what the page depends on is away; made without asking the database who is logged in."""
    with translation.override(translation.get_language_from_request(request)):
        context = {
            "user": AnonymousUser(),
            "heading": gettext("Back in a moment"),
            "text": gettext("Tocsin can't reach its database at the moment. Nothing was changed; try again."),
        }
        response = HttpResponse(render_to_string("web/outcome.html", context), status=503)
    response["Retry-After"] = "2"
    return response


def time_zone_of(user: Any) -> ZoneInfo:
    """Return a person's own zone; UTC for nobody."""
    return zone_of(user.time_zone if isinstance(user, User) else "UTC")


def in_language_of(request: HttpRequest) -> AbstractContextManager[None]:
    """Speak the language that somebody has chosen, or else the one of ours that their browser prefers."""
    user = getattr(request, "user", None)
    asked = translation.get_language_from_request(request)
    return translation.override(user.language if isinstance(user, User) else asked)
