"""Whether it lives, whether it is ready, and how much it does."""

from typing import Any

from django.http import HttpResponse
from prometheus_client import CONTENT_TYPE_LATEST
from rest_framework import status
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from config import readiness
from config.findings import WARNING
from config.rest.api import RETRY_AFTER_S, Unreachable
from notifications.exposition import exposition


class LiveView(APIView):
    """The process answers. Touches nothing, so that it stays true while PostgreSQL or Redis are away."""

    authentication_classes: list[Any] = []
    permission_classes: list[Any] = []

    def get(self, request: Request) -> Response:
        return Response({"status": "ok"})


class ReadyView(APIView):
    """Everything that delivering needs is there; 503 names what isn't."""

    def perform_authentication(self, request: Request) -> None:
        # Without PostgreSQL nobody can be recognised, and finding that out takes the pool ten seconds:
        # so that is asked first, and said to anyone.
        if not readiness.reachable():
            raise Unreachable("PostgreSQL can't be reached.")
        super().perform_authentication(request)

    def get(self, request: Request) -> Response:
        components = readiness.findings()
        broken = sorted(name for name, finding in components.items() if not finding["ok"])
        warnings = sorted(
            name
            for name, finding in components.items()
            if finding["ok"] and str(finding["detail"]).startswith(WARNING)
        )
        word = "broken" if broken else "ok"
        found = {"status": word, "broken": broken, "warnings": warnings, "components": components}
        if not broken:
            return Response(found)
        retry = {"Retry-After": str(RETRY_AFTER_S)}
        return Response(found, status=status.HTTP_503_SERVICE_UNAVAILABLE, headers=retry)


class MetricsView(APIView):
    """Counters and gauges in Prometheus' text format."""

    def get(self, request: Request) -> HttpResponse:
        return HttpResponse(exposition(), content_type=CONTENT_TYPE_LATEST)
