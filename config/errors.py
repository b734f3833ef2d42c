"""Answers for what no view answers: JSON where machines ask, Django's pages elsewhere."""

import sys
from typing import Any

from django.http import HttpRequest, HttpResponse, JsonResponse
from django.views import defaults

from config.outages import is_outage
from config.rest.api import RETRY_AFTER_S, Unreachable
from notifications.web import page

MACHINE_PATHS = (
    "/api/",
    "/webhook",
    "/preferences",
    "/health",
    "/metrics",
    "/integrations/",
    "/v2/",
    "/ping/",
)


def bad_request(request: HttpRequest, exception: Exception) -> HttpResponse:
    if _is_for_machine(request):
        return JsonResponse({"detail": "Bad request."}, status=400)
    return defaults.bad_request(request, exception)


def permission_denied(request: HttpRequest, exception: Exception) -> HttpResponse:
    if _is_for_machine(request):
        return JsonResponse({"detail": "Not allowed."}, status=403)
    return defaults.permission_denied(request, exception)


def not_found(request: HttpRequest, exception: Exception) -> HttpResponse:
    if _is_for_machine(request):
        return JsonResponse({"detail": "Not found."}, status=404)
    return defaults.page_not_found(request, exception)


def server_error(request: HttpRequest, *args: Any) -> HttpResponse:
    # Of what no view answers by itself: sessions, log-in, the admin.
    if is_outage(sys.exc_info()[1]):
        return unavailable(request.path, Unreachable.default_detail)
    if _is_for_machine(request):
        return JsonResponse({"detail": "Something broke on our side; it has been logged."}, status=500)
    return defaults.server_error(request)


def unavailable(path: str, detail: str) -> HttpResponse:
    """Return the answer of a path that can't be served at the moment."""
    if not _is_machines(path):
        return page.unavailable()
    return JsonResponse({"detail": detail}, status=503, headers={"Retry-After": str(RETRY_AFTER_S)})


def _is_for_machine(request: HttpRequest) -> bool:
    return _is_machines(request.path)


def _is_machines(path: str) -> bool:
    return path.startswith(MACHINE_PATHS) or path == "/api"
