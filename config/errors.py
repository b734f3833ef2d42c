"""Answers for what no view answers: JSON where machines ask, Django's pages elsewhere."""

import sys
from collections.abc import Callable
from typing import Any

from django.http import HttpRequest, HttpResponse, JsonResponse
from django.utils import translation
from django.views import defaults

from config.outages import is_outage
from config.rest.api import RETRY_AFTER_S, Unreachable
from notifications.web.page import in_language_of
from notifications.web.page import unavailable as page_unavailable

MACHINE_PATHS = (
    "/api/", "/webhook", "/preferences", "/health", "/metrics", "/integrations/", "/v2/", "/ping/",
)  # fmt: skip


def _answers(status: int, detail: str, page: Callable[..., HttpResponse]) -> Callable[..., HttpResponse]:
    def answer(request: HttpRequest, exception: Exception) -> HttpResponse:
        if _is_machines(request.path):
            return JsonResponse({"detail": detail}, status=status)
        with in_language_of(request):
            return page(request, exception)

    return answer


bad_request = _answers(400, "Bad request.", defaults.bad_request)
permission_denied = _answers(403, "Not allowed.", defaults.permission_denied)
not_found = _answers(404, "Not found.", defaults.page_not_found)


def server_error(request: HttpRequest, *args: Any) -> HttpResponse:
    # Of what no view answers by itself: sessions, log-in, the admin.
    if is_outage(sys.exc_info()[1]):
        return unavailable(request, Unreachable.default_detail)
    if _is_machines(request.path):
        return JsonResponse({"detail": "Something broke on our side; it has been logged."}, status=500)
    # By what the browser asks for: whose session it is may be what broke.
    with translation.override(translation.get_language_from_request(request)):
        return defaults.server_error(request)


def unavailable(request: HttpRequest, detail: str) -> HttpResponse:
    """Return the answer of a path that can't be served at the moment."""
    if not _is_machines(request.path):
        return page_unavailable(request)
    return JsonResponse({"detail": detail}, status=503, headers={"Retry-After": str(RETRY_AFTER_S)})


def _is_machines(path: str) -> bool:
    return path.startswith(MACHINE_PATHS) or path == "/api"
