"""Shops as the API takes and shows them."""

from typing import Any

from rest_framework import serializers

from accounts.models import LONGEST_GROUP_S, Shop
from config.rest.fields import StrictIntegerField


class ShopSettingsSerializer(serializers.ModelSerializer[Shop]):
    class Meta:
        model = Shop
        fields = ("id", "slug", "name", "group_alerts_s", "repeat_alerts_s")
        read_only_fields = fields


class ShopChangeSerializer(serializers.Serializer[Any]):
    """Other fields are ignored."""

    group_alerts_s = StrictIntegerField(
        min_value=0,
        max_value=LONGEST_GROUP_S,
        required=False,
        help_text=Shop._meta.get_field("group_alerts_s").help_text,
    )
    repeat_alerts_s = StrictIntegerField(
        min_value=0,
        max_value=LONGEST_GROUP_S,
        required=False,
        help_text=Shop._meta.get_field("repeat_alerts_s").help_text,
    )
