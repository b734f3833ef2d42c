"""Shops, and how their alerts are told."""

from uuid import UUID

from django.db.models import QuerySet
from drf_spectacular.utils import OpenApiExample, extend_schema
from rest_framework.generics import GenericAPIView, get_object_or_404
from rest_framework.request import Request
from rest_framework.response import Response

from accounts import selectors
from accounts.api.serializers.shops import ShopChangeSerializer, ShopSettingsSerializer
from accounts.models import Shop
from accounts.services.shops import shop_update
from config.rest.openapi import BODY, errors
from config.rest.views import validated


class _Shops(GenericAPIView[Shop]):
    serializer_class = ShopSettingsSerializer
    queryset = Shop.objects.none()

    def get_queryset(self) -> QuerySet[Shop]:
        return selectors.shops_visible_to(self.request.user)


@extend_schema(tags=["alerts"])
class ShopsView(_Shops):
    ordering = ("-id",)

    @extend_schema(
        operation_id="shops_list", responses={200: ShopSettingsSerializer(many=True), **errors(400, 403)}
    )
    def get(self, request: Request) -> Response:
        """List shops, newest first: all for staff and machines, for others those where they work."""
        page = self.paginate_queryset(self.get_queryset())
        return self.get_paginated_response(ShopSettingsSerializer(page, many=True).data)


@extend_schema(tags=["alerts"])
class ShopView(_Shops):
    @extend_schema(operation_id="shops_read", responses={200: ShopSettingsSerializer, **errors(403, 404)})
    def get(self, request: Request, shop_id: UUID) -> Response:
        """Show a shop; only your own unless you are staff."""
        return Response(ShopSettingsSerializer(get_object_or_404(self.get_queryset(), pk=shop_id)).data)

    @extend_schema(
        operation_id="shops_change",
        request=ShopChangeSerializer,
        responses={200: ShopSettingsSerializer, **errors(*BODY, 403, 404)},
        examples=[
            OpenApiExample(
                "group alerts", value={"group_alerts_s": 300, "repeat_alerts_s": 3600}, request_only=True
            )
        ],
    )
    def patch(self, request: Request, shop_id: UUID) -> Response:
        """Group a shop's alerts by their label, or tell each of them; for the staff."""
        shop = get_object_or_404(self.get_queryset(), pk=shop_id)
        given = validated(ShopChangeSerializer(data=request.data))
        return Response(ShopSettingsSerializer(shop_update(shop=shop, **given)).data)
