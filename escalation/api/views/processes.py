"""Starting, stopping and acknowledging escalations, and showing what became of them."""

from typing import Any, Final

from django.db.models import QuerySet
from django.http import Http404
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import OpenApiExample, OpenApiParameter, OpenApiResponse, extend_schema
from rest_framework.exceptions import PermissionDenied
from rest_framework.request import Request
from rest_framework.response import Response

from accounts.models import ApiKey
from config import clock
from config.rest.exceptions import Conflict
from config.rest.openapi import BODY, errors
from config.rest.views import stored
from escalation import requests, selectors
from escalation.api.filters import ProcessFilter
from escalation.api.serializers import (
    REQUEST_SCHEMA,
    ProcessAnswerSerializer,
    ProcessDetailSerializer,
    ProcessSerializer,
)
from escalation.api.views.base import ListedView, page_of
from escalation.models import EscalationProcess
from escalation.services import process_acknowledge
from escalation.services.requests import STARTED, Answer, request_run
from notifications.selectors import sees_all

EARLIER_RUNS: Final = 50
NEWEST: Final[tuple[str, ...]] = ("-started_at", "-id")
START: Final = {
    "process-id": "restaurantname",
    "action": "start",
    "notifications": [
        {"channel": "phone", "at": 1555057084, "phone-number": "+3851111111"},
        {"channel": "email", "at": 1555057096, "email": "me@example.org"},
        {"channel": "user", "at": 1555057200, "user-id": "33cbb18c-3e9d-4acc-9667-2fbe7bf29137"},
    ],
}
STOP: Final = {"process-id": "restaurantname", "action": "stop"}
POLICY: Final = {
    "process-id": "restaurantname",
    "action": "start",
    "policy": "night-shift",
    "severity": "standard",
}
PROCESS: Final = {
    "id": "0198c7f2-54b1-7d6e-8a53-6f2b1f0c9e11",
    "process_id": "restaurantname",
    "state": "active",
    "started_at": "2026-01-31T10:00:00Z",
    "ended_at": None,
    "ended_by": "",
    "ended_via": "",
    "acknowledged_at": None,
    "resume_at": None,
    "round": 1,
    "next_round_at": None,
    "last_resort_at": None,
    "policy": None,
    "policy_version": None,
    "severity": "critical",
}
IGNORED_ANSWER: Final = {
    "result": "ignored",
    "detail": "A process with this id is already active; this start was ignored.",
    "process": PROCESS,
}
STOPPED: Final = OpenApiResponse(
    ProcessAnswerSerializer, description="Stopped; or ignored, and `detail` says why."
)
PROCESS_ID: Final = OpenApiParameter(
    "process_id",
    OpenApiTypes.STR,
    OpenApiParameter.PATH,
    description="A process id, which means its latest run; or the UUID of one run.",
)


class OneProcessView(ListedView):
    serializer_class: type[Any] = ProcessSerializer
    ordering: tuple[str, ...] = NEWEST
    queryset = EscalationProcess.objects.none()

    def get_queryset(self) -> QuerySet[EscalationProcess]:
        return selectors.processes_visible_to(self.request.user)

    def latest(self, process_id: str) -> EscalationProcess:
        process = selectors.runs_of(self.get_queryset(), process_id).order_by(*NEWEST).first()
        if process is None:
            raise Http404
        return process

    def answer(self, answer: Answer) -> Response:
        return stored(ProcessAnswerSerializer(answer).data, is_new=answer.result == STARTED)


@extend_schema(tags=["escalations"])
class ProcessesView(OneProcessView):
    """Also at the original's path, `/escalations/`."""

    filterset_class = ProcessFilter

    @extend_schema(
        operation_id="escalations_request",
        request={"application/json": REQUEST_SCHEMA},
        responses={
            201: OpenApiResponse(
                ProcessAnswerSerializer, description="Started: people will be told until it is stopped."
            ),
            200: STOPPED,
            **errors(*BODY, 403),
        },
        examples=[
            OpenApiExample("start", value=START, request_only=True),
            OpenApiExample("start by policy", value=POLICY, request_only=True),
            OpenApiExample("stop", value=STOP, request_only=True),
            OpenApiExample("ignored", value=IGNORED_ANSWER, response_only=True, status_codes=["200"]),
        ],
    )
    def post(self, request: Request) -> Response:
        """Start a process, or stop it: the original's JSON.

        A start for an active process is ignored, and so is a stop when none is active. One invalid
        notification makes the whole start invalid. Once a stop is answered, no send of the process begins.
        """
        answer = request_run(
            requests.request_of(request.data),
            now=clock.now(),
            by=str(request.user),
            started_by=request.auth if isinstance(request.auth, ApiKey) else self.person,
        )
        return self.answer(answer)

    @extend_schema(operation_id="escalations_list", responses=page_of(ProcessSerializer))
    def get(self, request: Request) -> Response:
        """List processes, newest first: all for staff and machines, for others those that tell them."""
        return self.listed(self.get_queryset())


@extend_schema(tags=["escalations"], parameters=[PROCESS_ID])
class ProcessView(OneProcessView):
    serializer_class = ProcessDetailSerializer

    @extend_schema(
        operation_id="escalations_read", responses={200: ProcessDetailSerializer, **errors(403, 404)}
    )
    def get(self, request: Request, process_id: str) -> Response:
        """Show the latest run: who was to be told, when, and what happened; people see what was for them."""
        process: Any = self.latest(process_id)
        runs = self.get_queryset().filter(process_id=process.process_id, started_at__lt=process.started_at)
        process.notifications = selectors.history_of(process, request.user)
        process.earlier_runs = runs.order_by(*self.ordering)[:EARLIER_RUNS]
        return Response(ProcessDetailSerializer(process).data)


@extend_schema(tags=["escalations"], parameters=[PROCESS_ID])
class AcknowledgeView(OneProcessView):
    @extend_schema(
        operation_id="escalations_acknowledge",
        request=None,
        responses={200: ProcessSerializer, **errors(403, 404, 409)},
    )
    def post(self, request: Request, process_id: str) -> Response:
        """Say that somebody is taking care of it, and cancel everything pending. 409 if it was stopped."""
        process = self.latest(process_id)
        acknowledged = process_acknowledge(process=process, by=str(request.user), via="api", now=clock.now())
        if not acknowledged and process.state != EscalationProcess.State.ACKNOWLEDGED:
            raise Conflict("This escalation has already been stopped.")
        return Response(ProcessSerializer(process).data)


@extend_schema(tags=["escalations"], parameters=[PROCESS_ID])
class StopView(OneProcessView):
    @extend_schema(
        operation_id="escalations_stop",
        request=None,
        responses={200: STOPPED, **errors(403, 404)},
    )
    def post(self, request: Request, process_id: str) -> Response:
        """Stop a process: once this is answered, no send of it begins. Ignored if none is active.

        The UUID of a run stops that run alone.
        """
        process = self.latest(process_id)
        # People may ask for their own; that they can't stop them is said once it is known whose they are.
        if not sees_all(request.user):
            raise PermissionDenied("Only staff can stop escalations; you can acknowledge it.")
        stop = requests.Request(process.process_id, "stop")
        run = None if process.process_id == process_id else process.pk
        return self.answer(request_run(stop, now=clock.now(), by=str(request.user), run=run))
