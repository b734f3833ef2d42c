"""Integrations: what may report here, what it sent, and trying a body; and the routes of what comes."""

from typing import Any, Final
from uuid import UUID

from django.db.models import QuerySet
from django_filters.rest_framework import DjangoFilterBackend  # type: ignore[import-untyped]
from drf_spectacular.utils import OpenApiExample, OpenApiResponse, extend_schema
from rest_framework import status
from rest_framework.exceptions import ValidationError
from rest_framework.generics import GenericAPIView, get_object_or_404
from rest_framework.request import Request
from rest_framework.response import Response

from config import clock
from config.rest.openapi import BODY, errors
from config.rest.views import stored, validated
from escalation.api.group_filters import IntegrationFilter
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
from escalation.api.views.processes import name_of
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


class _Integrations(GenericAPIView[Any]):
    serializer_class: type[Any] = IntegrationSerializer
    filter_backends: Any = []
    queryset = Integration.objects.none()

    def get_queryset(self) -> QuerySet[Integration]:
        return Integration.objects.select_related("shop")

    def integration(self, integration_id: UUID) -> Integration:
        return get_object_or_404(self.get_queryset(), pk=integration_id)

    def shown(self, integrations: Any, *, many: bool = False) -> Any:
        return IntegrationSerializer(integrations, many=many, context={"principal": self.request.user}).data


@extend_schema(tags=["integrations"])
class IntegrationsView(_Integrations):
    filter_backends = [DjangoFilterBackend]
    filterset_class = IntegrationFilter

    @extend_schema(
        operation_id="integrations_list",
        responses={200: IntegrationSerializer(many=True), **errors(400, 403)},
    )
    def get(self, request: Request) -> Response:
        """List integrations, newest first."""
        page = self.paginate_queryset(self.filter_queryset(self.get_queryset()))
        return self.get_paginated_response(self.shown(page, many=True))

    @extend_schema(
        operation_id="integrations_create",
        request=IntegrationInSerializer,
        responses={
            201: IntegrationSerializer,
            200: OpenApiResponse(IntegrationSerializer, description="The same integration already exists."),
            **errors(*BODY, 403, 409),
        },
        examples=[
            OpenApiExample("alertmanager", value=EXAMPLE, request_only=True),
            OpenApiExample("JSON with a mapping", value=MAPPED, request_only=True),
        ],
    )
    def post(self, request: Request) -> Response:
        """Create an integration, with a key of its own; 409 if another one has the name."""
        given = validated(IntegrationInSerializer(data=request.data))
        integration, created = setting_up.integration_create(**given)
        return stored(self.shown(integration), is_new=created)


@extend_schema(tags=["integrations"])
class IntegrationView(_Integrations):
    @extend_schema(
        operation_id="integrations_read", responses={200: IntegrationSerializer, **errors(403, 404)}
    )
    def get(self, request: Request, integration_id: UUID) -> Response:
        return Response(self.shown(self.integration(integration_id)))

    @extend_schema(
        operation_id="integrations_change",
        request=IntegrationChangeSerializer,
        responses={200: IntegrationSerializer, **errors(*BODY, 403, 404, 409)},
        examples=[OpenApiExample("switch off", value={"is_enabled": False}, request_only=True)],
    )
    def patch(self, request: Request, integration_id: UUID) -> Response:
        """Change the given fields. What is open already stays where it was led."""
        integration = self.integration(integration_id)
        given = validated(IntegrationChangeSerializer(data=request.data))
        return Response(self.shown(setting_up.integration_update(integration=integration, **given)))

    @extend_schema(
        operation_id="integrations_remove",
        responses={204: OpenApiResponse(description="Removed."), **errors(403, 404)},
    )
    def delete(self, request: Request, integration_id: UUID) -> Response:
        """Remove it with its requests and groups. Nobody more is told of what is open."""
        integration = self.integration(integration_id)
        setting_up.integration_remove(integration=integration, by=name_of(request), via="api")
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
        integration = self.integration(integration_id)
        return Response(self.shown(setting_up.integration_renew_key(integration=integration)))


@extend_schema(tags=["integrations"])
class IntegrationRequestsView(_Integrations):
    serializer_class = IntakeRequestSerializer

    @extend_schema(
        operation_id="integrations_requests",
        responses={200: IntakeRequestSerializer(many=True), **errors(400, 403, 404)},
    )
    def get(self, request: Request, integration_id: UUID) -> Response:
        """List what it was sent, newest first, with what came of it."""
        requests = IntakeRequest.objects.filter(integration=self.integration(integration_id))
        page = self.paginate_queryset(requests)
        return self.get_paginated_response(IntakeRequestSerializer(page, many=True).data)


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
        integration = self.integration(integration_id)
        given = validated(TryInSerializer(data=request.data))
        try:
            tried = body_try(
                integration=integration,
                body=given["body"],
                headers=given.get("headers", {}),
                now=clock.now(),
            )
        except Malformed as error:
            raise ValidationError({"body": [str(error)]})
        return Response(TriedListSerializer({"occurrences": tried}).data)


class _Routes(GenericAPIView[Route]):
    serializer_class: type[Any] = RouteSerializer
    filter_backends: Any = []
    ordering = ("position", "id")
    queryset = Route.objects.all()

    def route(self, route_id: UUID) -> Route:
        return get_object_or_404(self.get_queryset(), pk=route_id)


@extend_schema(tags=["routes"])
class RoutesView(_Routes):
    @extend_schema(
        operation_id="routes_list", responses={200: RouteSerializer(many=True), **errors(400, 403)}
    )
    def get(self, request: Request) -> Response:
        """List routes in the order in which they are asked."""
        page = self.paginate_queryset(self.get_queryset())
        return self.get_paginated_response(RouteSerializer(page, many=True).data)

    @extend_schema(
        operation_id="routes_create",
        request=RouteInSerializer,
        responses={
            201: RouteSerializer,
            200: OpenApiResponse(RouteSerializer, description="The same route already exists."),
            **errors(*BODY, 403, 409),
        },
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
        return Response(RouteSerializer(self.route(route_id)).data)

    @extend_schema(
        operation_id="routes_change",
        request=RouteChangeSerializer,
        responses={200: RouteSerializer, **errors(*BODY, 403, 404, 409)},
        examples=[OpenApiExample("only show it", value={"is_shadow": True}, request_only=True)],
    )
    def patch(self, request: Request, route_id: UUID) -> Response:
        """Change the given fields. What is open already stays where it was led."""
        route = self.route(route_id)
        given = validated(RouteChangeSerializer(data=request.data))
        return Response(RouteSerializer(setting_up.route_update(route=route, **given)).data)

    @extend_schema(
        operation_id="routes_remove",
        responses={204: OpenApiResponse(description="Removed."), **errors(403, 404)},
    )
    def delete(self, request: Request, route_id: UUID) -> Response:
        """Remove it. What it led stays where it is."""
        self.route(route_id).delete()
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
