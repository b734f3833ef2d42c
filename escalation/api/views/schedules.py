"""Schedules: their layers, who stands in, who is on call, and the calendar of it."""

from collections.abc import Iterable
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from django.db.models import QuerySet
from django.http import Http404, HttpResponse
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import OpenApiExample, OpenApiResponse, extend_schema
from rest_framework import status
from rest_framework.exceptions import ValidationError
from rest_framework.generics import get_object_or_404
from rest_framework.request import Request
from rest_framework.response import Response

from accounts.api.views.base import OpenView
from config import clock
from config.rest.openapi import BODY, errors
from config.rest.views import stored, validated
from escalation.api.filters import ScheduleFilter
from escalation.api.schedule_serializers import (
    MAX_SPAN,
    AtSerializer,
    FinalRowSerializer,
    OverrideInSerializer,
    OverrideSerializer,
    ScheduleChangeSerializer,
    ScheduleInSerializer,
    ScheduleOnCallSerializer,
    ScheduleSerializer,
    SpanSerializer,
)
from escalation.api.views.base import REMOVED, ListedView, made, page_of
from escalation.models import Schedule, ScheduleOverride
from escalation.policies.words import name_of
from escalation.schedules import links, selectors
from escalation.schedules.calendar import FUTURE, MEDIA_TYPE, PAST, calendar_of
from escalation.schedules.row import Duty, final_row, on_call
from escalation.services import schedules as services

PEOPLE = ["0198c7f2-54b1-7d6e-8a53-6f2b1f0c9e11", "0198c7f2-54b1-7d6e-8a53-6f2b1f0c9e12"]
EXAMPLE = {
    "name": "Shop front",
    "layers": [
        {
            "name": "Weeks",
            "time_zone": "Europe/Paris",
            "starts_on": "2026-01-05",
            "handoff_at": "08:00",
            "shift_h": 168,
            "members": PEOPLE,
        },
        {
            "name": "Working hours, by two",
            "time_zone": "America/New_York",
            "starts_on": "2026-01-05",
            "handoff_at": "09:00",
            "shift_h": 24,
            "per_turn": 2,
            "members": PEOPLE,
            "restrictions": [
                {"weekdays": ["mon", "tue", "wed", "thu", "fri"], "begin": "09:00", "end": "17:00"}
            ],
        },
    ],
}
CALENDAR_EXAMPLE = {
    "name": "Back office",
    "layers": [
        {
            "name": "Google",
            "time_zone": "Europe/Paris",
            "ical_url": "https://calendar.google.com/calendar/ical/on-call%40example.com/private-0123/basic.ics",
        }
    ],
}
TAG = "on-call schedules"
CALENDAR: dict[Any, Any] = {
    (200, "text/calendar"): OpenApiResponse(
        OpenApiTypes.STR, description="From two weeks ago to 92 days ahead."
    ),
    **errors(403, 404),
}
STANDS_IN: dict[Any, Any] = {
    201: OpenApiResponse(OverrideSerializer, description="They stand in."),
    200: OpenApiResponse(OverrideSerializer, description="They already did."),
    **errors(*BODY, 403, 404),
}
DAY_OFF = OpenApiExample(
    "a day off",
    value={"user_id": PEOPLE[1], "starts_at": "2026-02-02T07:00:00Z", "ends_at": "2026-02-03T07:00:00Z"},
    request_only=True,
)


class ScheduleBaseView(ListedView):
    """Staff change schedules. Whoever takes turns in one sees it, as do machines that read escalations."""

    serializer_class: type[Any] = ScheduleSerializer
    queryset = Schedule.objects.none()
    lookup_url_kwarg = "schedule_id"

    def get_queryset(self) -> QuerySet[Schedule]:
        return selectors.schedules_visible_to(self.request.user)


@extend_schema(tags=[TAG])
class SchedulesView(ScheduleBaseView):
    filterset_class = ScheduleFilter

    @extend_schema(operation_id="schedules_list", responses=page_of(ScheduleSerializer))
    def get(self, request: Request) -> Response:
        """List schedules, newest first: all for staff and machines, for others those they take turns in."""
        return self.listed(self.get_queryset())

    @extend_schema(
        operation_id="schedules_create",
        request=ScheduleInSerializer,
        responses=made(ScheduleSerializer, "schedule"),
        examples=[
            OpenApiExample("working hours over weeks", value=EXAMPLE, request_only=True),
            OpenApiExample("a calendar of others", value=CALENDAR_EXAMPLE, request_only=True),
        ],
    )
    def post(self, request: Request) -> Response:
        """Create a schedule; 409 if another one has the name."""
        given = validated(ScheduleInSerializer(data=request.data))
        schedule, created = services.schedule_create(**given)
        return self.answer_again(schedule.pk, is_new=created)


@extend_schema(tags=[TAG])
class ScheduleView(ScheduleBaseView):
    @extend_schema(operation_id="schedules_read", responses={200: ScheduleSerializer, **errors(403, 404)})
    def get(self, request: Request, schedule_id: UUID) -> Response:
        return self.answer_again(schedule_id)

    @extend_schema(
        operation_id="schedules_change",
        request=ScheduleChangeSerializer,
        responses={200: ScheduleSerializer, **errors(*BODY, 403, 404, 409)},
        examples=[OpenApiExample("another name", value={"name": "Counter"}, request_only=True)],
    )
    def patch(self, request: Request, schedule_id: UUID) -> Response:
        """Change the name, or all layers at once. The past is then as if it had always been so."""
        schedule = self.get_object()
        given = validated(ScheduleChangeSerializer(schedule, data=request.data))
        services.schedule_update(schedule=schedule, **given)
        return self.answer_again(schedule_id)

    @extend_schema(operation_id="schedules_remove", responses=REMOVED)
    def delete(self, request: Request, **ids: UUID) -> Response:
        """Remove it; policies that name it no longer tell anyone through it."""
        services.schedule_remove(schedule=self.get_object())
        return Response(status=status.HTTP_204_NO_CONTENT)


@extend_schema(tags=[TAG])
class ScheduleOnCallView(ScheduleBaseView):
    @extend_schema(
        operation_id="schedules_on_call",
        parameters=[AtSerializer],
        responses={200: ScheduleOnCallSerializer, **errors(400, 403, 404)},
    )
    def get(self, request: Request, schedule_id: UUID) -> Response:
        """Show who is on call at a time, from when until when, and by which layer or override."""
        schedule = self.get_object()
        at, duty = on_call_asked(request, schedule)
        shown = _shown(schedule, [duty] if duty else [])
        return Response(ScheduleOnCallSerializer({"at": at, "on_call": shown[0] if shown else None}).data)


@extend_schema(tags=[TAG])
class FinalRowView(ScheduleBaseView):
    @extend_schema(
        operation_id="schedules_final",
        parameters=[SpanSerializer],
        responses={200: FinalRowSerializer, **errors(400, 403, 404)},
    )
    def get(self, request: Request, schedule_id: UUID) -> Response:
        """Show the final row: who is on call from one time until another, after all layers and overrides."""
        schedule = self.get_object()
        begin, end, row = row_asked(request, schedule)
        return Response(FinalRowSerializer({"begin": begin, "end": end, "final": _shown(schedule, row)}).data)


@extend_schema(tags=[TAG])
class OverridesView(ScheduleBaseView):
    serializer_class = OverrideSerializer

    @extend_schema(operation_id="schedules_overrides", responses=page_of(OverrideSerializer, 404))
    def get(self, request: Request, **ids: UUID) -> Response:
        """List who stands in or stood in, newest entry first."""
        overrides = ScheduleOverride.objects.filter(schedule=self.get_object())
        return self.listed(overrides.select_related("user"))

    @extend_schema(
        operation_id="schedules_override",
        request=OverrideInSerializer,
        responses=STANDS_IN,
        examples=[DAY_OFF],
    )
    def post(self, request: Request, **ids: UUID) -> Response:
        """Have somebody stand in, whether they take turns or not. Where two overlap, the newer one counts.

        Repeating the request returns 200 and the existing one.
        """
        schedule = self.get_object()
        given = validated(OverrideInSerializer(data=request.data))
        override, created = services.override_create(schedule=schedule, **given)
        return stored(OverrideSerializer(override).data, is_new=created)


@extend_schema(tags=[TAG])
class OverrideView(ScheduleBaseView):
    @extend_schema(operation_id="schedules_override_remove", responses=REMOVED)
    def delete(self, request: Request, override_id: UUID, **ids: UUID) -> Response:
        overrides = ScheduleOverride.objects.filter(schedule=self.get_object())
        services.override_remove(override=get_object_or_404(overrides, pk=override_id))
        return Response(status=status.HTTP_204_NO_CONTENT)


@extend_schema(tags=[TAG])
class RenewLinkView(ScheduleBaseView):
    @extend_schema(
        operation_id="schedules_renew_link",
        request=None,
        responses={200: ScheduleSerializer, **errors(403, 404)},
    )
    def post(self, request: Request, **ids: UUID) -> Response:
        """Void the earlier calendar links; the answer has the new one."""
        schedule = services.schedule_renew_link(schedule=self.get_object())
        return self.answer_again(schedule.pk)


@extend_schema(tags=[TAG])
class ScheduleCalendarView(ScheduleBaseView):
    @extend_schema(operation_id="schedules_calendar", responses=CALENDAR)
    def get(self, request: Request, **ids: UUID) -> HttpResponse:
        """Who is on call, as iCalendar; for programs that can't log in there is `calendar_url`."""
        return calendar_response(self.get_object())


class CalendarLinkView(OpenView):
    """The same for anyone who has the secret link."""

    def get(self, request: Request, token: str) -> HttpResponse:
        target = links.target_of(token)
        if target is None:
            raise Http404
        schedules = Schedule.objects.filter(pk=target.schedule_id, link_version=target.version)
        response = calendar_response(
            get_object_or_404(selectors.with_layers(schedules.filter(deleted_at=None)))
        )
        # The address is a key to this: it is told to nobody.
        response["Referrer-Policy"] = "no-referrer"
        response["X-Robots-Tag"] = "noindex"
        return response


def calendar_response(schedule: Any) -> HttpResponse:
    """Answer with the calendar of a schedule that was read by ``with_layers``."""
    now = clock.now()
    people = selectors.people_by_id(schedule)
    calendar = calendar_of(
        schedule_id=schedule.pk,
        name=schedule.name,
        time_zone=schedule.in_layers[0].time_zone if schedule.in_layers else "UTC",
        row=final_row(selectors.roster_of(schedule), now - PAST, now + FUTURE),
        names={pk: name_of(user) for pk, user in people.items()},
        now=now,
    )
    return HttpResponse(calendar, content_type=MEDIA_TYPE)


def on_call_asked(request: Request, schedule: Schedule) -> tuple[datetime, Duty | None]:
    """Return the time that a request asks about, and who is on call then."""
    at = validated(AtSerializer(data=request.query_params)).get("at") or clock.now()
    return at, on_call(selectors.roster_of(schedule), at)


def row_asked(request: Request, schedule: Schedule) -> tuple[datetime, datetime, list[Duty]]:
    """Return the two times between which a request asks, and the final row there."""
    asked = validated(SpanSerializer(data=request.query_params))
    begin = asked.get("begin") or clock.now()
    end = asked.get("end") or begin + timedelta(weeks=4)
    if not timedelta(0) < end - begin <= MAX_SPAN:
        raise ValidationError({"end": ["Expected a time after the beginning, and at most 92 days later."]})
    return begin, end, final_row(selectors.roster_of(schedule), begin, end)


def _shown(schedule: Schedule, row: Iterable[Duty]) -> list[dict[str, Any]]:
    people = selectors.people_by_id(schedule)
    return [
        {
            **duty._asdict(),
            "people": [
                {"user_id": user_id, "name": name_of(people.get(user_id))} for user_id in duty.user_ids
            ],
        }
        for duty in row
    ]
