"""Running an evening: what is going on in it, pausing, extending, dropping somebody, ending it."""

from collections.abc import Callable
from datetime import timedelta
from typing import Any, Final
from uuid import UUID

from drf_spectacular.utils import OpenApiExample, extend_schema
from rest_framework.request import Request
from rest_framework.response import Response

from config import clock
from config.rest.openapi import BODY, errors
from config.rest.views import validated
from dating.api.serializers import DropInSerializer, ExtendInSerializer, RunSheetSerializer
from dating.api.snapshots import run_sheet_of
from dating.api.views.base import OrganiserView
from dating.models import Event
from dating.services import event_drop, event_end, event_extend_round, event_pause, event_resume

_ANSWERS: Final[dict[Any, Any]] = {200: RunSheetSerializer, **errors(403, 404, 409)}
_ANSWERS_TO_BODY: Final[dict[Any, Any]] = {200: RunSheetSerializer, **errors(*BODY, 403, 404, 409)}


class _Run(OrganiserView):
    def answer(self, event: Event) -> Response:
        return Response(RunSheetSerializer(run_sheet_of(Event.objects.get(pk=event.pk))).data)

    def do(self, event_id: UUID, change: Callable[..., Any], **more: Any) -> Response:
        event = self.event(event_id)
        change(event=event, now=clock.now(), **more)
        return self.answer(event)


@extend_schema(tags=["dating"])
class RunSheetView(_Run):
    @extend_schema(operation_id="dating_run_sheet", responses={200: RunSheetSerializer, **errors(403, 404)})
    def get(self, request: Request, event_id: UUID) -> Response:
        """Show the groups, who meets whom when and where, who is missing, and what has happened so far."""
        return Response(RunSheetSerializer(run_sheet_of(self.event(event_id))).data)


@extend_schema(tags=["dating"])
class PauseView(_Run):
    @extend_schema(operation_id="dating_pause", request=None, responses=_ANSWERS)
    def post(self, request: Request, event_id: UUID) -> Response:
        """Stop the clock, from the ready check on. Repeating the request changes nothing."""
        return self.do(event_id, event_pause)


@extend_schema(tags=["dating"])
class ResumeView(_Run):
    @extend_schema(operation_id="dating_resume", request=None, responses=_ANSWERS)
    def post(self, request: Request, event_id: UUID) -> Response:
        """Start the clock again; everything ahead moves back by the length of the pause."""
        return self.do(event_id, event_resume)


@extend_schema(tags=["dating"])
class ExtendView(_Run):
    @extend_schema(
        operation_id="dating_extend",
        request=ExtendInSerializer,
        responses=_ANSWERS_TO_BODY,
        examples=[OpenApiExample("a minute", value={"by_s": 60}, request_only=True)],
    )
    def post(self, request: Request, event_id: UUID) -> Response:
        """Extend the current round."""
        self.event(event_id)  # who may not do it hears nothing of what the body lacks
        by_s = validated(ExtendInSerializer(data=request.data))["by_s"]
        return self.do(event_id, event_extend_round, by=timedelta(seconds=by_s))


@extend_schema(tags=["dating"])
class DropView(_Run):
    @extend_schema(
        operation_id="dating_drop",
        request=DropInSerializer,
        responses=_ANSWERS_TO_BODY,
        examples=[
            OpenApiExample(
                "somebody",
                value={"registration_id": "0198c7f2-6c00-7f1d-9a51-0f4f0c1f2a33"},
                request_only=True,
            )
        ],
    )
    def post(self, request: Request, event_id: UUID) -> Response:
        """Remove somebody: their call ends, and their partners meet others where they can."""
        self.event(event_id)
        registration_id = validated(DropInSerializer(data=request.data))["registration_id"]
        return self.do(event_id, event_drop, registration_id=registration_id)


@extend_schema(tags=["dating"])
class EndView(_Run):
    @extend_schema(operation_id="dating_end", request=None, responses=_ANSWERS)
    def post(self, request: Request, event_id: UUID) -> Response:
        """End it early, or call it off if it has not begun. People in a call can still rate each other."""
        return self.do(event_id, event_end)
