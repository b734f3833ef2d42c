"""Inviting people who may not register by themselves; for the staff."""

from uuid import UUID

from drf_spectacular.utils import OpenApiExample, extend_schema
from rest_framework import status
from rest_framework.generics import GenericAPIView, get_object_or_404
from rest_framework.request import Request
from rest_framework.response import Response

from accounts.api.serializers.invitations import InvitationInSerializer, InvitationSerializer
from accounts.api.views.base import DONE, person
from accounts.models import Invitation
from accounts.services.invitations import invitation_make
from config.rest.openapi import BODY, errors
from config.rest.views import validated


class _Invitations(GenericAPIView[Invitation]):
    serializer_class = InvitationSerializer
    queryset = Invitation.objects.all()


@extend_schema(tags=["accounts"])
class InvitationsView(_Invitations):
    ordering = ("-id",)

    @extend_schema(
        operation_id="invitations_list", responses={200: InvitationSerializer(many=True), **errors(400, 403)}
    )
    def get(self, request: Request) -> Response:
        """List the invitations, newest first."""
        page = self.paginate_queryset(self.get_queryset())
        return self.get_paginated_response(InvitationSerializer(page, many=True).data)

    @extend_schema(
        operation_id="invitations_create",
        request=InvitationInSerializer,
        responses={201: InvitationSerializer, **errors(*BODY, 403, 409)},
        examples=[
            OpenApiExample(
                "student", value={"email": "ana@example.com", "role": "student"}, request_only=True
            )
        ],
    )
    def post(self, request: Request) -> Response:
        """Send somebody a link to register with. It works once, for INVITATION_DAYS days."""
        fields = validated(InvitationInSerializer(data=request.data))
        invitation = invitation_make(by=person(request), **fields)
        return Response(InvitationSerializer(invitation).data, status=status.HTTP_201_CREATED)


@extend_schema(tags=["accounts"])
class InvitationView(_Invitations):
    @extend_schema(operation_id="invitations_remove", responses={**DONE, **errors(403, 404)})
    def delete(self, request: Request, invitation_id: UUID) -> Response:
        """Withdraw an invitation: its link no longer works."""
        get_object_or_404(self.get_queryset(), pk=invitation_id).delete()
        return Response(status=status.HTTP_204_NO_CONTENT)
