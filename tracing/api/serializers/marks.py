"""Statuses and devices."""

from typing import Any

from rest_framework import serializers

from config.rest.fields import StrictCharField, StrictChoiceField, StrictIntegerField
from notifications.channels import registry
from tracing.api.serializers.fields import device_id_field
from tracing.models import Device, DeviceContact
from tracing.services.statuses import Marked

CONTACT_CHANNELS = [
    name
    for name, channel in sorted(registry.CHANNELS.items())
    if channel.for_contacts and not channel.instant and name != "push"
]


class StatusInSerializer(serializers.Serializer[Any]):
    """A device's status, as a health service sets it."""

    device_id = device_id_field()
    status = StrictIntegerField(
        min_value=0,
        max_value=6,
        help_text="0 normal, 1 infected, 2 suspect, 3 healed, 4 to 6 quarantine: light, warning, alert.",
    )


class StatusSerializer(serializers.Serializer[Marked]):
    """A device's status as it is now."""

    device_id = serializers.IntegerField(source="device.pk")
    status = serializers.IntegerField(source="device.status")
    case_id = serializers.UUIDField(
        source="case.pk", allow_null=True, default=None, help_text="The device's last case, if it has any."
    )
    filters = serializers.IntegerField(
        allow_null=True,
        help_text="Active filters that the case is searched with. 0: it finds nobody until the next check "
        "after one is activated; null: no case is open.",
    )


class DeviceContactSerializer(serializers.ModelSerializer[DeviceContact]):
    channel = StrictChoiceField(choices=CONTACT_CHANNELS)
    address = StrictCharField(max_length=2048)

    class Meta:
        model = DeviceContact
        fields = ("channel", "address")


class DeviceInSerializer(serializers.Serializer[Device]):
    """Fields you leave out stay as they are; ``contacts`` replaces them all."""

    push_token = StrictCharField(max_length=512, allow_blank=True, required=False)
    platform = StrictChoiceField(choices=Device.Platform.choices, allow_blank=True, required=False)
    language = StrictCharField(max_length=8, allow_blank=True, required=False)
    contacts = serializers.ListField(child=DeviceContactSerializer(), max_length=10, required=False)


class DeviceSetSerializer(serializers.ModelSerializer[Device]):
    """How a device is told; its push token is not shown, only whether there is one."""

    has_push_token = serializers.SerializerMethodField()
    contacts = DeviceContactSerializer(many=True)

    class Meta:
        model = Device
        fields: tuple[str, ...] = ("id", "has_push_token", "platform", "language", "contacts")
        read_only_fields: tuple[str, ...] = fields

    def get_has_push_token(self, device: Device) -> bool:
        return bool(device.push_token)


class DeviceSerializer(DeviceSetSerializer):
    """A device with its status, for those who may read cases."""

    class Meta(DeviceSetSerializer.Meta):
        fields = ("id", "has_push_token", "platform", "language", "status", "contacts")
        read_only_fields = fields
