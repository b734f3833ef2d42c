"""Paths that the original system's API has too: a browser that opens one gets a page."""

from django.http import HttpRequest
from django.http.response import HttpResponseBase
from django.utils.cache import patch_vary_headers
from django.views.decorators.csrf import csrf_exempt

from notifications.api.views.preferences import PreferencesView
from notifications.web.views.preferences import PreferencesPage

_page = PreferencesPage.as_view()
_api = PreferencesView.as_view(schema=None)


# The page's forms post elsewhere; the API sees to CSRF itself.
@csrf_exempt
def preferences(request: HttpRequest) -> HttpResponseBase:
    response = _page(request) if wants_page(request) else _api(request)
    patch_vary_headers(response, ("Accept", "Authorization"))
    return response


def wants_page(request: HttpRequest) -> bool:
    """Whether somebody opens this in a browser, rather than a program asking the API."""
    return (
        request.method in ("GET", "HEAD")
        and "text/html" in request.headers.get("Accept", "")
        and "Authorization" not in request.headers
        and "user_id" not in request.GET
    )
