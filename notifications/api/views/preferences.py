"""How much a person wants to be told, by which channels, and when not."""

from uuid import UUID

from django.http import Http404
from drf_spectacular.utils import OpenApiExample, OpenApiParameter, OpenApiResponse, extend_schema
from rest_framework import status
from rest_framework.exceptions import PermissionDenied, ValidationError
from rest_framework.generics import GenericAPIView, get_object_or_404
from rest_framework.permissions import SAFE_METHODS
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from accounts.models import User
from accounts.ranks import OUTRANKED, may_act_on
from config import clock
from config.rest.openapi import BODY, errors
from config.rest.originals import PARSERS, AnyContentType
from config.rest.views import validated
from notifications import selectors
from notifications.api.preference_serializers import (
    AllHoursInSerializer,
    AllHoursSerializer,
    AnswerSerializer,
    OwnStepsInSerializer,
    OwnStepsSerializer,
    PreferenceChangeSerializer,
    PreferenceInSerializer,
    PreferenceSerializer,
    QuestionSerializer,
    RuleKeySerializer,
    SubscriptionInSerializer,
    SubscriptionSerializer,
)
from notifications.models import ChannelHours, ContactPoint, Preference, Subscription
from notifications.services.own_steps import decisions_foreseen, own_steps_set, own_steps_shown
from notifications.services.preferences import (
    channel_hours_set,
    preference_set,
    subscription_remove,
    subscription_set,
)

EXAMPLE = {"user_id": "0198c7f2-54b1-7d6e-8a53-6f2b1f0c9e11", "level": "CRITICAL"}
QUIET = {"quiet_from": "22:00", "quiet_until": "07:00", "digest": True}
STEPS = {
    "critical": [
        {"after_s": 0, "channel": "push"},
        {"after_s": 120, "channel": "sms"},
        {"after_s": 300, "contact_point_id": "0198c7f2-7a01-7b1c-9d11-2f4f0c1f2a44"},
    ],
    "standard": [{"after_s": 0, "channel": "push"}, {"after_s": 600, "channel": "email"}],
}
HOURS = {
    "hours": [
        {"channel": "sms", "severity": "critical", "told": "hours", "begins": "09:00", "ends": "18:00"},
        {"channel": "sms", "severity": "standard", "told": "never"},
        {"channel": "email", "severity": "standard", "told": "digest", "begins": "18:00"},
    ]
}
RULE = {"channel": "email", "kind": "stage.*", "is_enabled": False}
WHOSE = OpenApiParameter("user_id", UUID, description="The person. Machines have to give it, staff may.")


class _PreferenceAccess(APIView):
    content_negotiation_class = AnyContentType
    parser_classes = PARSERS

    def person(self, user_id: UUID) -> User:
        """Return whose preference is meant; to a stranger, nobody else exists.

        Raises:
            PermissionDenied: it would be changed, and they have more rights than whoever asks.
        """
        by = self.request.user
        if isinstance(by, User) and by.pk == user_id:
            return by
        if not selectors.sees_all(by):
            raise Http404
        user = get_object_or_404(User, pk=user_id)
        if self.request.method not in SAFE_METHODS and isinstance(by, User) and not may_act_on(by, user):
            raise PermissionDenied(OUTRANKED)
        return user

    def named_person(self) -> User:
        """Return whoever is named by ``user_id`` in the query, or who asks."""
        given = self.request.query_params.get("user_id")
        if given is not None:
            try:
                user_id = UUID(given)
            except ValueError:
                raise ValidationError({"user_id": ["Expected a UUID."]})
            return self.person(user_id)
        if not isinstance(self.request.user, User):
            raise ValidationError({"user_id": ["This field is required: say whose."]})
        return self.request.user


def _preference_of(user: User) -> Preference:
    return Preference.objects.filter(user=user).first() or Preference(user=user)


def _answer(user: User) -> Response:
    return Response(PreferenceSerializer(_preference_of(user)).data)


@extend_schema(tags=["preferences"])
class PreferencesView(_PreferenceAccess):
    """Also at the original's path: `/preferences`."""

    @extend_schema(
        operation_id="preferences_read_own",
        parameters=[WHOSE],
        responses={200: PreferenceSerializer, **errors(400, 403, 404)},
    )
    def get(self, request: Request) -> Response:
        """Show your own preferences, or those of `user_id`."""
        return _answer(self.named_person())

    @extend_schema(
        operation_id="preferences_set",
        request=PreferenceInSerializer,
        responses={200: PreferenceSerializer, **errors(*BODY, 403, 404)},
        examples=[
            OpenApiExample("critical only", value=EXAMPLE, request_only=True),
            OpenApiExample("quiet nights", value={**EXAMPLE, **QUIET}, request_only=True),
        ],
    )
    def put(self, request: Request) -> Response:
        """Set somebody's level. STANDARD: told of everything. CRITICAL: critical alerts only.

        Quiet hours and digest stay as they are if you leave them out.
        """
        changes = validated(PreferenceInSerializer(data=request.data))
        user = self.person(changes.pop("user_id"))
        return Response(PreferenceSerializer(preference_set(user=user, **changes)).data)


@extend_schema(tags=["preferences"])
class PreferenceView(_PreferenceAccess):
    @extend_schema(operation_id="preferences_read", responses={200: PreferenceSerializer, **errors(403, 404)})
    def get(self, request: Request, user_id: UUID) -> Response:
        """Show somebody's preferences. The defaults are everything at once and no quiet hours."""
        return _answer(self.person(user_id))

    @extend_schema(
        operation_id="preferences_change",
        request=PreferenceChangeSerializer,
        responses={200: PreferenceSerializer, **errors(*BODY, 403, 404)},
        examples=[
            OpenApiExample("critical only", value={"level": "CRITICAL"}, request_only=True),
            OpenApiExample("quiet nights", value=QUIET, request_only=True),
            OpenApiExample(
                "no quiet hours", value={"quiet_from": None, "quiet_until": None}, request_only=True
            ),
        ],
    )
    def patch(self, request: Request, user_id: UUID) -> Response:
        """Change the given fields: level, quiet hours, digest."""
        user = self.person(user_id)
        changes = validated(PreferenceChangeSerializer(data=request.data))
        return Response(PreferenceSerializer(preference_set(user=user, **changes)).data)


@extend_schema(tags=["preferences"])
class ExplainView(_PreferenceAccess):
    @extend_schema(
        operation_id="preferences_explain",
        parameters=[QuestionSerializer],
        responses={200: AnswerSerializer, **errors(400, 403, 404)},
    )
    def get(self, request: Request, user_id: UUID) -> Response:
        """Show how somebody would be told of a notification at each contact point, or why not.

        It uses their preferences as they are now, and the code that sends. This sends nothing.
        """
        user = self.person(user_id)
        asked = {"at": clock.now(), **validated(QuestionSerializer(data=request.query_params))}
        decisions = decisions_foreseen(user=user, **asked)
        return Response(AnswerSerializer({"user_id": user.pk, **asked, "decisions": decisions}).data)


@extend_schema(tags=["preferences"])
class OwnStepsView(_PreferenceAccess):
    @extend_schema(
        operation_id="preferences_steps_read", responses={200: OwnStepsSerializer, **errors(403, 404)}
    )
    def get(self, request: Request, user_id: UUID) -> Response:
        """Show by which steps of their own escalations tell somebody."""
        return _steps_answer(self.person(user_id))

    @extend_schema(
        operation_id="preferences_steps_set",
        request=OwnStepsInSerializer,
        responses={200: OwnStepsSerializer, **errors(*BODY, 403, 404)},
        examples=[OpenApiExample("push, then a call", value=STEPS, request_only=True)],
    )
    def put(self, request: Request, user_id: UUID) -> Response:
        """Set them for each severity that you give. They hold from the next escalation on.

        They are used where a policy tells a person without naming channels.
        """
        user = self.person(user_id)
        serializer = OwnStepsInSerializer(data=request.data)
        serializer.is_valid(raise_exception=True)
        own_steps_set(user=user, **serializer.steps())
        return _steps_answer(user)


def _steps_answer(user: User) -> Response:
    points = ContactPoint.objects.filter(user=user, deleted_at=None)
    shown = own_steps_shown(_preference_of(user), points)
    return Response(OwnStepsSerializer({"user_id": user.pk, **shown}).data)


@extend_schema(tags=["preferences"])
class ChannelHoursView(_PreferenceAccess):
    @extend_schema(
        operation_id="preferences_hours_read", responses={200: AllHoursSerializer, **errors(403, 404)}
    )
    def get(self, request: Request, user_id: UUID) -> Response:
        """Show when somebody is told of each severity by each channel, where that isn't as elsewhere."""
        user = self.person(user_id)
        hours = ChannelHours.objects.filter(user=user)
        return Response(AllHoursSerializer({"user_id": user.pk, "hours": hours}).data)

    @extend_schema(
        operation_id="preferences_hours_set",
        request=AllHoursInSerializer,
        responses={200: AllHoursSerializer, **errors(*BODY, 403, 404)},
        examples=[OpenApiExample("text messages by day, one mail a day", value=HOURS, request_only=True)],
    )
    def put(self, request: Request, user_id: UUID) -> Response:
        """Set them all; what you leave out ends. What is held already keeps its time."""
        user = self.person(user_id)
        channel_hours_set(user=user, **validated(AllHoursInSerializer(data=request.data)))
        hours = ChannelHours.objects.filter(user=user)
        return Response(AllHoursSerializer({"user_id": user.pk, "hours": hours}).data)


@extend_schema(tags=["preferences"])
class SubscriptionsView(_PreferenceAccess, GenericAPIView[Subscription]):
    serializer_class = SubscriptionSerializer
    queryset = Subscription.objects.none()
    # A rule has no address of its own, so DRF would find none to describe what can be put here.
    metadata_class = None

    @extend_schema(
        operation_id="subscriptions_list",
        parameters=[WHOSE],
        responses={200: SubscriptionSerializer(many=True), **errors(400, 403, 404)},
    )
    def get(self, request: Request) -> Response:
        """List the rules for kinds and channels. Whatever no rule covers is sent.

        The narrowest rule decides: one for the channel before one for any; then one for exactly the kind,
        before one for its group (`stage.*`), before one for any kind.
        """
        rules = Subscription.objects.filter(user=self.named_person())
        page = self.paginate_queryset(rules)
        return self.get_paginated_response(SubscriptionSerializer(page, many=True).data)

    @extend_schema(
        operation_id="subscriptions_set",
        parameters=[WHOSE],
        request=SubscriptionInSerializer,
        responses={200: SubscriptionSerializer, **errors(*BODY, 403, 404)},
        examples=[OpenApiExample("no mail about internships", value=RULE, request_only=True)],
    )
    def put(self, request: Request) -> Response:
        """Set the rule for this channel and kind.

        Only a rule for exactly its kind silences a critical notification.
        """
        user = self.named_person()
        rule = validated(SubscriptionInSerializer(data=request.data))
        return Response(SubscriptionSerializer(subscription_set(user=user, **rule)).data)

    @extend_schema(
        operation_id="subscriptions_remove",
        parameters=[WHOSE, RuleKeySerializer],
        responses={204: OpenApiResponse(description="Removed."), **errors(400, 403, 404)},
    )
    def delete(self, request: Request) -> Response:
        """Remove the rule for a channel and kind: give both, empty for any."""
        user = self.named_person()
        if not subscription_remove(user=user, **validated(RuleKeySerializer(data=request.query_params))):
            raise Http404
        return Response(status=status.HTTP_204_NO_CONTENT)
