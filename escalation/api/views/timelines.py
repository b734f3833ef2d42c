"""Timelines of escalations and alert groups, as JSON and as Markdown; and notes on them."""

from typing import Any, Final
from uuid import UUID

from django.http import HttpResponse
from django.utils.cache import patch_vary_headers
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import OpenApiExample, OpenApiResponse, extend_schema
from rest_framework import status
from rest_framework.request import Request
from rest_framework.response import Response

from config import clock
from config.rest.openapi import BODY, errors
from config.rest.views import validated
from config.zones import zone_of
from escalation.api.timeline_serializers import NoteInSerializer, NoteSerializer, TimelineSerializer
from escalation.api.views.base import ListedView, page_of
from escalation.api.views.groups import OneGroupView
from escalation.api.views.processes import PROCESS_ID, OneProcessView
from escalation.models import AlertGroup, Entry, EscalationProcess
from escalation.timelines import selectors
from escalation.timelines.entries import note_add
from escalation.timelines.lines import Timeline
from escalation.timelines.markdown import MEDIA_TYPE, markdown_response

_AS_MARKDOWN: Final = OpenApiResponse(
    OpenApiTypes.STR, description="With times in UTC and in your own time zone."
)
_BOTH: Final[dict[Any, Any]] = {
    (200, "application/json"): TimelineSerializer,
    (200, MEDIA_TYPE): _AS_MARKDOWN,
    **errors(403, 404),
}
_MARKDOWN: Final[dict[Any, Any]] = {(200, MEDIA_TYPE): _AS_MARKDOWN, **errors(403, 404)}
_NOTED: Final[dict[Any, Any]] = {201: NoteSerializer, **errors(*BODY, 403, 404, 409)}
_EXAMPLE: Final = OpenApiExample(
    "a note", value={"text": "Restarted the payment service."}, request_only=True
)


class _Notes(ListedView):
    """Whoever may see it may read what was noted on it, and note something."""

    serializer_class: type[Any] = NoteSerializer
    ordering: tuple[str, ...] = ("-id",)

    def notes_of(self, about: EscalationProcess | AlertGroup) -> Response:
        return self.listed(about.entries.filter(kind=Entry.Kind.NOTE))

    def note(self, request: Request, about: EscalationProcess | AlertGroup) -> Response:
        text = validated(NoteInSerializer(data=request.data))["text"]
        by = str(request.user)
        entry = note_add(about=about, text=text, by=by, via="api", user=self.person, now=clock.now())
        return Response(NoteSerializer(entry).data, status=status.HTTP_201_CREATED)


@extend_schema(tags=["escalations"], parameters=[PROCESS_ID])
class ProcessTimelineView(OneProcessView):
    serializer_class = TimelineSerializer

    @extend_schema(operation_id="escalations_timeline", responses=_BOTH)
    def get(self, request: Request, process_id: str) -> HttpResponse:
        """Show what happened in the latest run; people see the messages to themselves.

        `Accept: text/markdown` gets it as Markdown.
        """
        process = self.latest(process_id)
        return _shown(request, selectors.timeline_of_process(process, request.user), process.pk)


@extend_schema(tags=["escalations"], parameters=[PROCESS_ID])
class ProcessMarkdownView(OneProcessView):
    @extend_schema(operation_id="escalations_timeline_markdown", responses=_MARKDOWN)
    def get(self, request: Request, process_id: str) -> HttpResponse:
        """The timeline as Markdown, ready to paste into a post-mortem."""
        process = self.latest(process_id)
        return _markdown(request, selectors.timeline_of_process(process, request.user), process.pk)


@extend_schema(tags=["escalations"], parameters=[PROCESS_ID])
class ProcessNotesView(_Notes, OneProcessView):
    @extend_schema(operation_id="escalations_notes", responses=page_of(NoteSerializer, 404))
    def get(self, request: Request, process_id: str) -> Response:
        """List what was noted on the latest run, newest first."""
        return self.notes_of(self.latest(process_id))

    @extend_schema(
        operation_id="escalations_note", request=NoteInSerializer, responses=_NOTED, examples=[_EXAMPLE]
    )
    def post(self, request: Request, process_id: str) -> Response:
        """Note something on the latest run, for good. 409 if it has 500 notes."""
        return self.note(request, self.latest(process_id))


@extend_schema(tags=["alert groups"])
class GroupTimelineView(OneGroupView):
    serializer_class = TimelineSerializer

    @extend_schema(operation_id="groups_timeline", responses=_BOTH)
    def get(self, request: Request, group_id: UUID) -> HttpResponse:
        """Show what happened to a group, with all escalations by which it was told.

        People see the messages to themselves. `Accept: text/markdown` gets it as Markdown.
        """
        group = self.get_object()
        return _shown(request, selectors.timeline_of_group(group, request.user), group.pk)


@extend_schema(tags=["alert groups"])
class GroupMarkdownView(OneGroupView):
    @extend_schema(operation_id="groups_timeline_markdown", responses=_MARKDOWN)
    def get(self, request: Request, group_id: UUID) -> HttpResponse:
        """The timeline as Markdown, ready to paste into a post-mortem."""
        group = self.get_object()
        return _markdown(request, selectors.timeline_of_group(group, request.user), group.pk)


@extend_schema(tags=["alert groups"])
class GroupNotesView(_Notes, OneGroupView):
    @extend_schema(operation_id="groups_notes", responses=page_of(NoteSerializer, 404))
    def get(self, request: Request, group_id: UUID) -> Response:
        """List what was noted on a group, newest first."""
        return self.notes_of(self.get_object())

    @extend_schema(
        operation_id="groups_note", request=NoteInSerializer, responses=_NOTED, examples=[_EXAMPLE]
    )
    def post(self, request: Request, group_id: UUID) -> Response:
        """Note something on a group, for good. 409 if it has 500 notes."""
        return self.note(request, self.get_object())


def _shown(request: Request, timeline: Timeline, about: UUID) -> HttpResponse:
    response: HttpResponse = (
        _markdown(request, timeline, about)
        if MEDIA_TYPE in request.headers.get("Accept", "")
        else Response(TimelineSerializer(timeline).data)
    )
    patch_vary_headers(response, ("Accept",))
    return response


def _markdown(request: Request, timeline: Timeline, about: UUID) -> HttpResponse:
    zone = zone_of(getattr(request.user, "time_zone", "UTC"))
    return markdown_response(timeline, zone, about=about)
