"""Running an evening: what is going on in it, pausing, extending, dropping somebody, ending it."""

from collections.abc import Callable
from typing import Any, ClassVar, Final
from uuid import UUID

from drf_spectacular.utils import OpenApiExample, extend_schema
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.serializers import Serializer

from config import clock
from config.rest.openapi import BODY, errors
from config.rest.views import validated
from dating.api.serializers import DropInSerializer, ExtendInSerializer, RunSheetSerializer
from dating.api.snapshots import run_sheet_of
from dating.api.views.base import OrganiserView, posts
from dating.models import Event
from dating.services import event_drop, event_end, event_extend_round, event_pause, event_resume

_ANSWERS: Final[dict[Any, Any]] = {200: RunSheetSerializer, **errors(403, 404, 409)}
_ANSWERS_TO_BODY: Final[dict[Any, Any]] = {200: RunSheetSerializer, **errors(*BODY, 403, 404, 409)}


@extend_schema(tags=["dating"])
class RunSheetView(OrganiserView):
    @extend_schema(operation_id="dating_run_sheet", responses={200: RunSheetSerializer, **errors(403, 404)})
    def get(self, request: Request, event_id: UUID) -> Response:
        """Show the groups, who meets whom when and where, who is missing, and what has happened so far."""
        return Response(RunSheetSerializer(run_sheet_of(self.event(event_id))).data)


class _Change(OrganiserView):
    description = ""  # in the answer to OPTIONS; the schema's is the class's docstring
    service: ClassVar[Callable[..., Any]]
    #: What the body holds: what the service takes besides.
    takes: ClassVar[type[Serializer[Any]] | None] = None

    def post(self, request: Request, event_id: UUID) -> Response:
        event = self.event(event_id)  # who may not do it hears nothing of what the body lacks
        given = validated(self.takes(data=request.data)) if self.takes else {}
        type(self).service(event=event, now=clock.now(), **given)
        return Response(RunSheetSerializer(run_sheet_of(Event.objects.get(pk=event.pk))).data)


@posts("dating_pause", request=None, responses=_ANSWERS)
class PauseView(_Change):
    """Stop the clock, from the ready check on. Repeating the request changes nothing."""

    service = event_pause


@posts("dating_resume", request=None, responses=_ANSWERS)
class ResumeView(_Change):
    """Start the clock again; everything ahead moves back by the length of the pause."""

    service = event_resume


@posts(
    "dating_extend",
    request=ExtendInSerializer,
    responses=_ANSWERS_TO_BODY,
    examples=[OpenApiExample("a minute", value={"by_s": 60}, request_only=True)],
)
class ExtendView(_Change):
    """Extend the current round."""

    service, takes = event_extend_round, ExtendInSerializer


@posts(
    "dating_drop",
    request=DropInSerializer,
    responses=_ANSWERS_TO_BODY,
    examples=[
        OpenApiExample(
            "somebody", value={"registration_id": "0198c7f2-6c00-7f1d-9a51-0f4f0c1f2a33"}, request_only=True
        )
    ],
)
class DropView(_Change):
    """Remove somebody: their call ends, and their partners meet others where they can."""

    service, takes = event_drop, DropInSerializer


@posts("dating_end", request=None, responses=_ANSWERS)
class EndView(_Change):
    """End it early, or call it off if it has not begun. People in a call can still rate each other."""

    service = event_end
