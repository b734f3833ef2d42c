"""Where a person wants to be told."""

from uuid import UUID

from django.db.models import QuerySet
from django.http import Http404
from drf_spectacular.utils import OpenApiExample, OpenApiResponse, extend_schema
from rest_framework import status
from rest_framework.exceptions import PermissionDenied, ValidationError
from rest_framework.generics import GenericAPIView, get_object_or_404
from rest_framework.request import Request
from rest_framework.response import Response

from accounts.api.serializers.credentials import AcceptedSerializer, CodeSerializer
from accounts.api.throttles import Acts, PerAccount
from accounts.models import User
from accounts.ranks import OUTRANKED, may_act_on
from config import clock
from config.rest.openapi import BODY, errors
from config.rest.views import stored, validated
from notifications import selectors
from notifications.api.filters import ContactPointFilter
from notifications.api.serializers import (
    ContactPointChangeSerializer,
    ContactPointInSerializer,
    ContactPointSerializer,
    DeliverySerializer,
    SecretSerializer,
)
from notifications.channels import registry
from notifications.channels.transport import signing
from notifications.models import ContactPoint
from notifications.services import confirmations
from notifications.services import contact_points as services
from notifications.services.delivery_actions import contact_point_try

EXAMPLE = {"channel": "webhook", "address": "https://hooks.example.com/tocsin", "label": "Back office"}
SENT = {"detail": "A code is on its way."}
BATCHES = {"batch": 50, "linger_ms": 20, "batch_format": "ndjson"}


class _ContactPoints(GenericAPIView[ContactPoint]):
    serializer_class = ContactPointSerializer
    queryset = ContactPoint.objects.none()

    def get_queryset(self) -> QuerySet[ContactPoint]:
        return selectors.contact_points_visible_to(self.request.user)


class _OneContactPoint(_ContactPoints):
    def contact_point(self, contact_point_id: UUID) -> ContactPoint:
        return get_object_or_404(self.get_queryset(), pk=contact_point_id)

    def changeable(self, contact_point_id: UUID) -> ContactPoint:
        """Return one that is theirs to change: their own, or for staff that of an ordinary person."""
        contact_point = self.contact_point(contact_point_id)
        by: User = self.request.user  # type: ignore[assignment]
        if not may_act_on(by, contact_point.user):
            raise PermissionDenied(OUTRANKED)
        return contact_point


@extend_schema(tags=["contact points"])
class ContactPointsView(_ContactPoints):
    throttle_classes = [Acts]
    filterset_class = ContactPointFilter

    @extend_schema(
        operation_id="contact_points_list",
        responses={200: ContactPointSerializer(many=True), **errors(400, 403)},
    )
    def get(self, request: Request) -> Response:
        """List your own, newest first; for staff, everyone's."""
        page = self.paginate_queryset(self.filter_queryset(self.get_queryset()))
        return self.get_paginated_response(self.get_serializer(page, many=True).data)

    @extend_schema(
        operation_id="contact_points_create",
        request=ContactPointInSerializer,
        responses={
            201: ContactPointSerializer,
            200: OpenApiResponse(
                ContactPointSerializer, description="The same contact point already exists."
            ),
            **errors(*BODY, 403, 409, 429),
        },
        examples=[
            OpenApiExample("webhook", value=EXAMPLE, request_only=True),
            OpenApiExample("webhook in batches", value=EXAMPLE | BATCHES, request_only=True),
        ],
    )
    def post(self, request: Request) -> Response:
        """Add an address to get messages at.

        A code is sent there, and nothing else until you enter it (`…/confirm/`). You need none for the
        email address or phone number that the account has confirmed, nor where staff who may add contact
        points in the admin add it. 409, too, while the account's own email address is not confirmed.
        """
        fields = validated(ContactPointInSerializer(data=request.data))
        user_id = fields.pop("user_id", None)
        user: User = self.request.user  # type: ignore[assignment]
        if user_id not in (None, user.pk):
            if not user.is_staff:
                raise PermissionDenied("Only staff can add contact points for others.")
            owner = User.objects.filter(pk=user_id).first()
            if owner is None:
                raise ValidationError({"user_id": ["There is no such person."]})
            if not may_act_on(user, owner):
                raise PermissionDenied(OUTRANKED)
            user = owner
        vouched = confirmations.may_vouch(request.user)  # type: ignore[arg-type]
        contact_point, created = services.contact_point_create(user=user, vouched=vouched, **fields)
        return stored(self.get_serializer(contact_point).data, is_new=created)


@extend_schema(tags=["contact points"])
class ContactPointView(_OneContactPoint):
    throttle_classes = [Acts]

    @extend_schema(
        operation_id="contact_points_read", responses={200: ContactPointSerializer, **errors(403, 404)}
    )
    def get(self, request: Request, contact_point_id: UUID) -> Response:
        return Response(self.get_serializer(self.contact_point(contact_point_id)).data)

    @extend_schema(
        operation_id="contact_points_change",
        request=ContactPointChangeSerializer,
        responses={200: ContactPointSerializer, **errors(*BODY, 403, 404, 409, 429)},
        examples=[OpenApiExample("batches", value=BATCHES, request_only=True)],
    )
    def patch(self, request: Request, contact_point_id: UUID) -> Response:
        """Change its address, label or batches, or switch it off or on.

        You have to confirm a new address again.
        """
        contact_point = self.changeable(contact_point_id)
        changed = services.contact_point_update(
            contact_point=contact_point,
            vouched=confirmations.may_vouch(request.user),  # type: ignore[arg-type]
            **validated(ContactPointChangeSerializer(data=request.data)),
        )
        return Response(self.get_serializer(changed).data)

    @extend_schema(
        operation_id="contact_points_remove",
        responses={204: OpenApiResponse(description="Removed."), **errors(403, 404)},
    )
    def delete(self, request: Request, contact_point_id: UUID) -> Response:
        """Remove it, and cancel what was still to be sent there. Its history stays."""
        services.contact_point_remove(contact_point=self.changeable(contact_point_id))
        return Response(status=status.HTTP_204_NO_CONTENT)


@extend_schema(tags=["contact points"])
class TestSendView(_OneContactPoint):
    throttle_classes = [PerAccount]
    account_throttle_scope = "test-send"

    @extend_schema(
        operation_id="contact_points_test",
        request=None,
        responses={202: DeliverySerializer, **errors(403, 404, 409, 429)},
    )
    def post(self, request: Request, contact_point_id: UUID) -> Response:
        """Send a test message there, if it is confirmed. You can follow the delivery in the answer."""
        point = self.changeable(contact_point_id)
        delivery = contact_point_try(contact_point=point, by=request.user, via="api")
        return Response(DeliverySerializer(delivery).data, status=status.HTTP_202_ACCEPTED)


class _Own(_OneContactPoint):
    """Its owner's alone: staff, who see all, enter no code for others, and don't see their secrets."""

    refusal = "Only its owner can confirm it."

    def contact_point(self, contact_point_id: UUID) -> ContactPoint:
        contact_point = super().contact_point(contact_point_id)
        if contact_point.user_id != self.request.user.pk:
            raise PermissionDenied(self.refusal)
        return contact_point


@extend_schema(tags=["contact points"])
class CodeView(_Own):
    @extend_schema(
        operation_id="contact_points_code",
        request=None,
        responses={202: AcceptedSerializer, **errors(403, 404, 409, 429)},
    )
    def post(self, request: Request, contact_point_id: UUID) -> Response:
        """Send another code there. Earlier codes are void; 409 if it is already confirmed."""
        confirmations.code_send(contact_point=self.contact_point(contact_point_id), now=clock.now())
        return Response(SENT, status=status.HTTP_202_ACCEPTED)


@extend_schema(tags=["contact points"])
class ConfirmView(_Own):
    @extend_schema(
        operation_id="contact_points_confirm",
        request=CodeSerializer,
        responses={200: ContactPointSerializer, **errors(*BODY, 403, 404)},
        examples=[OpenApiExample("code", value={"code": "042137"}, request_only=True)],
    )
    def post(self, request: Request, contact_point_id: UUID) -> Response:
        """Enter the code that came there: from now on, it gets messages."""
        contact_point = self.contact_point(contact_point_id)
        code = validated(CodeSerializer(data=request.data))["code"]
        confirmed = confirmations.contact_point_confirm(
            contact_point=contact_point, code=code, now=clock.now()
        )
        return Response(ContactPointSerializer(confirmed).data)


class _Secret(_Own):
    refusal = "Only its owner can see the secret."

    def signed(self, contact_point_id: UUID) -> ContactPoint:
        contact_point = self.contact_point(contact_point_id)
        if not registry.sendable(contact_point.channel).is_signed:
            raise Http404
        return contact_point

    def answer(self, contact_point: ContactPoint) -> Response:
        secret = {
            "secret": signing.secret_for(contact_point.pk, contact_point.secret_version),
            "version": contact_point.secret_version,
            "rotated_at": contact_point.secret_rotated_at,
        }
        return Response(SecretSerializer(secret).data, headers={"Cache-Control": "no-store"})


@extend_schema(tags=["contact points"])
class SecretView(_Secret):
    @extend_schema(
        operation_id="contact_points_secret", responses={200: SecretSerializer, **errors(403, 404)}
    )
    def get(self, request: Request, contact_point_id: UUID) -> Response:
        """Show the secret that signs messages to this webhook; 404 for other channels."""
        return self.answer(self.signed(contact_point_id))


@extend_schema(tags=["contact points"])
class RotateSecretView(_Secret):
    @extend_schema(
        operation_id="contact_points_rotate_secret",
        request=None,
        responses={200: SecretSerializer, **errors(403, 404)},
    )
    def post(self, request: Request, contact_point_id: UUID) -> Response:
        """Make a new secret. Messages are signed with both for a day."""
        contact_point = self.signed(contact_point_id)
        return self.answer(services.contact_point_rotate_secret(contact_point=contact_point))
