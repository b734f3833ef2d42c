"""What people were or were not told, and why; and starting again what failed."""

from collections.abc import Iterable
from dataclasses import asdict
from typing import Any
from uuid import UUID

import structlog
from django.db.models import QuerySet
from drf_spectacular.utils import OpenApiExample, extend_schema
from rest_framework.exceptions import NotFound, PermissionDenied
from rest_framework.generics import GenericAPIView, get_object_or_404
from rest_framework.request import Request
from rest_framework.response import Response

from config.rest.api import Unreachable
from config.rest.exceptions import Conflict
from config.rest.openapi import BODY, errors
from config.rest.views import selected, validated
from notifications import selectors
from notifications.api.filters import DeliveryFilter
from notifications.api.serializers import (
    DeliveryDetailSerializer,
    DeliverySerializer,
    ProofSerializer,
    ReplayedSerializer,
    ReplayManyInSerializer,
)
from notifications.archive import proofs
from notifications.archive.faults import ArchiveError
from notifications.disclosure import notices_read
from notifications.engine import replay
from notifications.models import Delivery, Notification
from notifications.services.delivery_actions import STOPPABLE, deliveries_cancel, deliveries_replay

log = structlog.get_logger(__name__)

THEIRS_ALONE = "This record holds a link or an address that only its person may see."
OVER = "This one was stopped, or is about something that is over, so it can't be replayed."
TOO_OLD = "This one is so old that its address has been erased, so it can't be sent again."
NOT_ENDED = "Only failed and expired deliveries can be replayed; this one is {}."
TOO_LATE = "It is too late: this delivery has ended."
PROOF_EXAMPLE: dict[str, Any] = {
    "format": 1,
    "explanation": proofs.NOT_YET,
    "record": '{"alert":{…},"attempts":[{…}],"delivery":{…},"format":1,"notification":{…}}',
    "leaf": "9f2c…",
    "archive": None,
}


class _Deliveries(GenericAPIView[Delivery]):
    serializer_class = DeliverySerializer
    queryset = Delivery.objects.none()

    def get_queryset(self) -> QuerySet[Delivery]:
        return selectors.deliveries_visible_to(self.request.user)

    def note_reading(self, notices: Iterable[Notification]) -> None:
        notices_read(notices, user=self.request.user, api_key=self.request.auth)

    def refuse_people(self) -> None:
        """Say so to people, who may ask for their own, once it is known whose they are."""
        if not selectors.sees_all(self.request.user):
            raise PermissionDenied("Only staff can replay or cancel deliveries.")


class _OneDelivery(_Deliveries):
    serializer_class = DeliveryDetailSerializer

    def delivery(self, delivery_id: UUID) -> Delivery:
        return get_object_or_404(selectors.with_attempts(self.get_queryset()), pk=delivery_id)

    def answer(self, delivery_id: UUID) -> Response:
        delivery = self.delivery(delivery_id)
        self.note_reading([delivery.notification])
        return Response(self.get_serializer(delivery).data)


@extend_schema(tags=["deliveries"])
class DeliveriesView(_Deliveries):
    filterset_class = DeliveryFilter

    @extend_schema(
        operation_id="deliveries_list", responses={200: DeliverySerializer(many=True), **errors(400, 403)}
    )
    def get(self, request: Request) -> Response:
        """List deliveries, newest first: all for staff and machines, for others their own."""
        page = self.paginate_queryset(self.filter_queryset(self.get_queryset()))
        self.note_reading(each.notification for each in page or ())
        return self.get_paginated_response(self.get_serializer(page, many=True).data)


@extend_schema(tags=["deliveries"])
class DeliveryView(_OneDelivery):
    @extend_schema(
        operation_id="deliveries_read", responses={200: DeliveryDetailSerializer, **errors(403, 404)}
    )
    def get(self, request: Request, delivery_id: UUID) -> Response:
        """Show one delivery, with each attempt and the reason for its state."""
        return self.answer(delivery_id)


@extend_schema(tags=["deliveries"])
class ProofView(_OneDelivery):
    @extend_schema(
        operation_id="deliveries_proof",
        responses={200: ProofSerializer, **errors(403, 404, 409)},
        examples=[OpenApiExample("not archived yet", value=PROOF_EXAMPLE, response_only=True)],
    )
    def get(self, request: Request, delivery_id: UUID) -> Response:
        """Show the outcome of a delivery, archived or not, in a form that anyone can check.

        409: it holds a link or an address that only its person may see.
        """
        try:
            proof = proofs.proof(delivery_id)
        except ArchiveError as error:
            log.warning("archive_unreadable", delivery=str(delivery_id), error=str(error))
            raise Unreachable("The archive can't be read at the moment, or has been changed.") from error
        me = request.user
        if proof is None or not selectors.sees_notice(me, proof.notice, owner_id=proof.user_id):
            raise NotFound
        if me.pk != proof.user_id and proof.holds_secrets:
            raise Conflict(THEIRS_ALONE)
        self.note_reading([proof.notice])
        return Response(ProofSerializer(proof.export()).data)


@extend_schema(tags=["deliveries"])
class ReplayView(_OneDelivery):
    @extend_schema(
        operation_id="deliveries_replay",
        request=None,
        responses={200: DeliveryDetailSerializer, **errors(403, 404, 409)},
    )
    def post(self, request: Request, delivery_id: UUID) -> Response:
        """Replay a failed or expired delivery; 409 for any other."""
        delivery = self.delivery(delivery_id)
        self.refuse_people()
        chosen = Delivery.objects.filter(pk=delivery_id)
        if not deliveries_replay(deliveries=chosen, by=request.user, via="api").count:
            if delivery.revoked_at is not None:
                raise Conflict(OVER)
            if replay.is_too_old(delivery):
                raise Conflict(TOO_OLD)
            raise Conflict(NOT_ENDED.format(delivery.state))
        return self.answer(delivery_id)


@extend_schema(tags=["deliveries"])
class CancelView(_OneDelivery):
    @extend_schema(
        operation_id="deliveries_cancel",
        request=None,
        responses={200: DeliveryDetailSerializer, **errors(403, 404, 409)},
    )
    def post(self, request: Request, delivery_id: UUID) -> Response:
        """Cancel a waiting delivery; one that is being sent is not tried again. 409 for any other."""
        delivery = self.delivery(delivery_id)
        self.refuse_people()
        if delivery.status != Delivery.Status.PENDING:
            raise Conflict(f"Only unsent deliveries can be cancelled; this one is {delivery.state}.")
        chosen = Delivery.objects.filter(pk=delivery_id, status__in=STOPPABLE)
        if not deliveries_cancel(deliveries=chosen, by=request.user, via="api") and not chosen.exists():
            raise Conflict(TOO_LATE)  # since it was looked at
        return self.answer(delivery_id)


@extend_schema(tags=["deliveries"])
class ReplayManyView(_Deliveries):
    @extend_schema(
        operation_id="deliveries_replay_many",
        request=ReplayManyInSerializer,
        responses={200: ReplayedSerializer, **errors(*BODY, 403)},
        examples=[
            OpenApiExample(
                "an outage",
                value={"channel": "webhook", "created_after": "2026-01-31T10:00:00Z"},
                request_only=True,
            )
        ],
    )
    def post(self, request: Request) -> Response:
        """Replay many failed or expired deliveries; others are left as they are."""
        given = validated(ReplayManyInSerializer(data=request.data))
        chosen = selected(selectors.deliveries_seen_by(request.user), given, DeliveryFilter)
        done = deliveries_replay(deliveries=chosen, by=request.user, via="api")
        return Response({"replayed": done.count, "left_out": asdict(done.left_out)})
