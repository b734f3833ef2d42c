"""Integrations: what may report here, what it sent, and trying a body; and the routes of what comes."""

from typing import Any, Final
from uuid import UUID

from drf_spectacular.utils import OpenApiExample, OpenApiResponse, extend_schema
from rest_framework import status
from rest_framework.exceptions import ValidationError
from rest_framework.request import Request
from rest_framework.response import Response

from config import clock
from config.rest.openapi import BODY, errors
from config.rest.views import stored, validated
from escalation.api.filters import IntegrationFilter
from escalation.api.integration_serializers import (
    IntakeRequestSerializer,
    IntegrationChangeSerializer,
    IntegrationInSerializer,
    IntegrationSerializer,
    RouteChangeSerializer,
    RouteInSerializer,
    RouteSerializer,
    RoutesOrderSerializer,
    TriedListSerializer,
    TryInSerializer,
)
from escalation.api.views.base import REMOVED, ListedView, made, page_of
from escalation.intake.occurrence import Malformed
from escalation.models import IntakeRequest, Integration, Route
from escalation.receiving import setting_up
from escalation.receiving.trying import body_try

EXAMPLE: Final = {
    "name": "Prometheus",
    "format": "alertmanager",
    "policy": "0198c7f2-54b1-7d6e-8a53-6f2b1f0c9e11",
}
MAPPED: Final = {
    "name": "Backups",
    "format": "generic",
    "mapping": {"key": "job.id", "state": "job.status", "title": "job.name", "resolved": ["success"]},
}
PASTED: Final = {"body": {"job": {"id": 7, "status": "failed", "name": "Nightly backup"}}}
EXAMPLE_ROUTE: Final = {
    "name": "Databases",
    "matchers": [
        {"label": "team", "op": "=", "value": "db"},
        {"label": "severity", "op": "=", "value": "critical"},
    ],
    "policy": "0198c7f2-54b1-7d6e-8a53-6f2b1f0c9e11",
    "group_by": ["cluster"],
    "group_wait_s": 30,
}


class _Integrations(ListedView):
    serializer_class: type[Any] = IntegrationSerializer
    queryset = Integration.objects.select_related("shop")
    lookup_url_kwarg = "integration_id"


@extend_schema(tags=["integrations"])
class IntegrationsView(_Integrations):
    filterset_class = IntegrationFilter

    @extend_schema(operation_id="integrations_list", responses=page_of(IntegrationSerializer))
    def get(self, request: Request) -> Response:
        """List integrations, newest first."""
        return self.listed(self.get_queryset())

    @extend_schema(
        operation_id="integrations_create",
        request=IntegrationInSerializer,
        responses=made(IntegrationSerializer, "integration"),
        examples=[
            OpenApiExample("alertmanager", value=EXAMPLE, request_only=True),
            OpenApiExample("JSON with a mapping", value=MAPPED, request_only=True),
        ],
    )
    def post(self, request: Request) -> Response:
        """Create an integration, with a key of its own; 409 if another one has the name."""
        given = validated(IntegrationInSerializer(data=request.data))
        integration, created = setting_up.integration_create(**given)
        return stored(self.get_serializer(integration).data, is_new=created)


@extend_schema(tags=["integrations"])
class IntegrationView(_Integrations):
    @extend_schema(
        operation_id="integrations_read", responses={200: IntegrationSerializer, **errors(403, 404)}
    )
    def get(self, request: Request, integration_id: UUID) -> Response:
        return Response(self.get_serializer(self.get_object()).data)

    @extend_schema(
        operation_id="integrations_change",
        request=IntegrationChangeSerializer,
        responses={200: IntegrationSerializer, **errors(*BODY, 403, 404, 409)},
        examples=[OpenApiExample("switch off", value={"is_enabled": False}, request_only=True)],
    )
    def patch(self, request: Request, integration_id: UUID) -> Response:
        """Change the given fields. What is open already stays where it was led."""
        integration = self.get_object()
        given = validated(IntegrationChangeSerializer(data=request.data))
        return Response(
            self.get_serializer(setting_up.integration_update(integration=integration, **given)).data
        )

    @extend_schema(operation_id="integrations_remove", responses=REMOVED)
    def delete(self, request: Request, integration_id: UUID) -> Response:
        """Remove it with its requests and groups. Nobody more is told of what is open."""
        integration = self.get_object()
        setting_up.integration_remove(integration=integration, by=str(request.user), via="api")
        return Response(status=status.HTTP_204_NO_CONTENT)


@extend_schema(tags=["integrations"])
class IntegrationKeyView(_Integrations):
    @extend_schema(
        operation_id="integrations_renew_key",
        request=None,
        responses={200: IntegrationSerializer, **errors(403, 404)},
    )
    def post(self, request: Request, integration_id: UUID) -> Response:
        """Give it a new key. The one before stops working at once."""
        integration = self.get_object()
        return Response(self.get_serializer(setting_up.integration_renew_key(integration=integration)).data)


@extend_schema(tags=["integrations"])
class IntegrationRequestsView(_Integrations):
    serializer_class = IntakeRequestSerializer

    @extend_schema(operation_id="integrations_requests", responses=page_of(IntakeRequestSerializer, 404))
    def get(self, request: Request, integration_id: UUID) -> Response:
        """List what it was sent, newest first, with what came of it."""
        return self.listed(IntakeRequest.objects.filter(integration=self.get_object()))


@extend_schema(tags=["integrations"])
class IntegrationTryView(_Integrations):
    @extend_schema(
        operation_id="integrations_try",
        request=TryInSerializer,
        responses={200: TriedListSerializer, **errors(*BODY, 403, 404)},
        examples=[OpenApiExample("a pasted body", value=PASTED, request_only=True)],
    )
    def post(self, request: Request, integration_id: UUID) -> Response:
        """Show what a body would make, by which route, and why. Nothing is stored, and nobody is told."""
        integration = self.get_object()
        given = validated(TryInSerializer(data=request.data))
        try:
            tried = body_try(
                integration=integration, body=given["body"], headers=given.get("headers", {}), now=clock.now()
            )
        except Malformed as error:
            raise ValidationError({"body": [str(error)]})
        return Response(TriedListSerializer({"occurrences": tried}).data)


class _Routes(ListedView):
    serializer_class: type[Any] = RouteSerializer
    ordering = ("position", "id")
    queryset = Route.objects.all()
    lookup_url_kwarg = "route_id"


@extend_schema(tags=["routes"])
class RoutesView(_Routes):
    @extend_schema(operation_id="routes_list", responses=page_of(RouteSerializer))
    def get(self, request: Request) -> Response:
        """List routes in the order in which they are asked."""
        return self.listed(self.get_queryset())

    @extend_schema(
        operation_id="routes_create",
        request=RouteInSerializer,
        responses=made(RouteSerializer, "route"),
        examples=[OpenApiExample("databases", value=EXAMPLE_ROUTE, request_only=True)],
    )
    def post(self, request: Request) -> Response:
        """Create a route; 409 if another one has the name."""
        route, created = setting_up.route_create(**validated(RouteInSerializer(data=request.data)))
        return stored(RouteSerializer(route).data, is_new=created)


@extend_schema(tags=["routes"])
class RouteView(_Routes):
    @extend_schema(operation_id="routes_read", responses={200: RouteSerializer, **errors(403, 404)})
    def get(self, request: Request, route_id: UUID) -> Response:
        return Response(RouteSerializer(self.get_object()).data)

    @extend_schema(
        operation_id="routes_change",
        request=RouteChangeSerializer,
        responses={200: RouteSerializer, **errors(*BODY, 403, 404, 409)},
        examples=[OpenApiExample("only show it", value={"is_shadow": True}, request_only=True)],
    )
    def patch(self, request: Request, route_id: UUID) -> Response:
        """Change the given fields. What is open already stays where it was led."""
        route = self.get_object()
        given = validated(RouteChangeSerializer(data=request.data))
        return Response(RouteSerializer(setting_up.route_update(route=route, **given)).data)

    @extend_schema(operation_id="routes_remove", responses=REMOVED)
    def delete(self, request: Request, route_id: UUID) -> Response:
        """Remove it. What it led stays where it is."""
        self.get_object().delete()
        return Response(status=status.HTTP_204_NO_CONTENT)


@extend_schema(tags=["routes"])
class RoutesOrderView(_Routes):
    @extend_schema(
        operation_id="routes_order",
        request=RoutesOrderSerializer,
        responses={204: OpenApiResponse(description="They are asked in this order."), **errors(*BODY, 403)},
        examples=[
            OpenApiExample("one", value={"ids": ["0198c7f2-54b1-7d6e-8a53-6f2b1f0c9e11"]}, request_only=True)
        ],
    )
    def put(self, request: Request) -> Response:
        """Set the order in which the routes are asked: the ids of all of them."""
        setting_up.routes_order(**validated(RoutesOrderSerializer(data=request.data)))
        return Response(status=status.HTTP_204_NO_CONTENT)
