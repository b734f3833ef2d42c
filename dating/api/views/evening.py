"""The evening as one of its people has it: ready, the call, the people met, and what is said of them."""

from uuid import UUID

from drf_spectacular.utils import OpenApiExample, OpenApiResponse, extend_schema
from rest_framework.exceptions import NotFound
from rest_framework.request import Request
from rest_framework.response import Response

from config import clock
from config.rest.openapi import BODY, errors
from config.rest.views import stored, validated
from dating.api.serializers import (
    DatingProfileSerializer,
    EveningSerializer,
    JoinedSerializer,
    ReactionInSerializer,
    ReactionSerializer,
)
from dating.api.snapshots import evening_of
from dating.api.views.base import PersonView
from dating.models import DatingProfile, Event, Registration
from dating.services import reaction_record, ready_mark
from dating.services.calls import call_enter


class _Evening(PersonView):
    def registration(self, event: Event) -> Registration:
        """Return the caller's part; whoever has none gets 404."""
        own = event.registrations.filter(user=self.person()).select_related("user", "event").first()
        if own is None:
            raise NotFound("You are not registered for this event.")
        return own

    def answer(self, event: Event) -> Response:
        own = self.registration(Event.objects.get(pk=event.pk))
        return Response(EveningSerializer(evening_of(own, now=clock.now())).data)


@extend_schema(tags=["dating"])
class EveningView(_Evening):
    @extend_schema(operation_id="dating_evening", responses={200: EveningSerializer, **errors(403, 404)})
    def get(self, request: Request, event_id: UUID) -> Response:
        """Show the evening's progress, your call, the people you met, and in the end your matches."""
        return self.answer(self.event(event_id))


@extend_schema(tags=["dating"])
class ReadyView(_Evening):
    @extend_schema(
        operation_id="dating_ready", request=None, responses={200: EveningSerializer, **errors(403, 404, 409)}
    )
    def post(self, request: Request, event_id: UUID) -> Response:
        """Say that you are ready. Once everyone is, the first round begins at once."""
        event = self.event(event_id)
        self.registration(event)
        ready_mark(event=event, user=self.person(), now=clock.now())
        return self.answer(event)


@extend_schema(tags=["dating"])
class JoinView(_Evening):
    @extend_schema(
        operation_id="dating_join", request=None, responses={200: JoinedSerializer, **errors(403, 404, 409)}
    )
    def post(self, request: Request, event_id: UUID) -> Response:
        """Join your call in the current round: returns its address, and records that you came.

        In the built-in room, you have come once its page is in the call.
        """
        event = self.event(event_id)
        self.registration(event)
        url = call_enter(event=event, user=self.person(), now=clock.now())
        return Response({"url": url}, headers={"Cache-Control": "no-store"})


@extend_schema(tags=["dating"])
class ReactionsView(_Evening):
    @extend_schema(
        operation_id="dating_react",
        request=ReactionInSerializer,
        responses={
            201: OpenApiResponse(ReactionSerializer, description="Noted."),
            200: OpenApiResponse(ReactionSerializer, description="You have said the same before."),
            **errors(*BODY, 403, 404, 409),
        },
        examples=[
            OpenApiExample(
                "a like",
                value={"about": "0198c7f2-6c00-7f1d-9a51-0f4f0c1f2a33", "kind": "like"},
                request_only=True,
            )
        ],
    )
    def post(self, request: Request, event_id: UUID) -> Response:
        """Like, dislike or report somebody you met: one opinion and one report each.

        You can also report someone who, as far as is known, did not come to your date.
        """
        event = self.event(event_id)
        self.registration(event)
        wish = validated(ReactionInSerializer(data=request.data))
        about_id = wish.pop("about")
        reaction, created = reaction_record(
            event=event, user=self.person(), about_id=about_id, now=clock.now(), **wish
        )
        return stored(ReactionSerializer(reaction).data, is_new=created)


@extend_schema(tags=["dating"])
class ProfileView(PersonView):
    @extend_schema(
        operation_id="dating_profile_read", responses={200: DatingProfileSerializer, **errors(403)}
    )
    def get(self, request: Request) -> Response:
        """What matching knows about you."""
        profile = DatingProfile.objects.filter(user=self.person()).first() or DatingProfile()
        return Response(DatingProfileSerializer(profile).data)

    @extend_schema(
        operation_id="dating_profile_change",
        request=DatingProfileSerializer,
        responses={200: DatingProfileSerializer, **errors(*BODY, 403)},
        examples=[
            OpenApiExample(
                "whole", value={"birthday": "1999-05-01", "city": "Paris", "seeks": "men"}, request_only=True
            )
        ],
    )
    def patch(self, request: Request) -> Response:
        """Change what matching knows about you; fields you leave out stay as they are."""
        changes = validated(DatingProfileSerializer(data=request.data))
        profile, _ = DatingProfile.objects.update_or_create(user=self.person(), defaults=changes)
        return Response(DatingProfileSerializer(profile).data)
