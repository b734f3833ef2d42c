"""Alerts, contact points and deliveries as the API takes and shows them."""

from typing import Any
from uuid import UUID

from drf_spectacular.utils import extend_schema_field
from rest_framework import serializers

from accounts.models import Shop, User
from config.rest.fields import (
    StrictBooleanField,
    StrictCharField,
    StrictChoiceField,
    StrictIntegerField,
    StrictUUIDField,
    UnixTimeField,
    unix_seconds,
)
from config.rest.originals import AnyUnixTimeField, AnyUUIDField
from notifications import withheld
from notifications.channels import registry
from notifications.channels.transport import batch as batching
from notifications.cutting import is_http_url
from notifications.explanations import explain
from notifications.inbox.items import iso
from notifications.models import Alert, Attempt, ContactPoint, Delivery, Notification, Severity

URL_MESSAGE = "Expected an http or https URL."
CONTACT_CHANNELS = [name for name, channel in sorted(registry.CHANNELS.items()) if channel.for_contacts]


@extend_schema_field({"type": "string", "pattern": "^https?://", "maxLength": 2048})
class HttpUrlField(StrictCharField):
    """An absolute http(s) URL. Cameras live on networks of their own, so any host name will do."""

    def to_internal_value(self, data: Any) -> str:
        url = super().to_internal_value(data).strip(" ")
        if not is_http_url(url):
            raise serializers.ValidationError(URL_MESSAGE)
        return url


class AlertInSerializer(serializers.Serializer[Alert]):
    """An alert as a camera system posts it; other fields are ignored."""

    url = HttpUrlField(max_length=2048, trim_whitespace=False)
    location = StrictCharField(max_length=200, help_text="Slug or name of a shop.")
    alert_uuid = AnyUUIDField()
    label = StrictChoiceField(choices=Alert.Label.choices)  # type: ignore[assignment]
    time_spotted = AnyUnixTimeField(help_text="Unix seconds, UTC; kept to the microsecond.")


class ShopSerializer(serializers.ModelSerializer[Shop]):
    class Meta:
        model = Shop
        fields = ("id", "slug", "name")
        read_only_fields = fields


class AlertSerializer(serializers.ModelSerializer[Alert]):
    """An alert as it was accepted."""

    url = serializers.CharField()
    alert_uuid = serializers.UUIDField()
    time_spotted = UnixTimeField()
    severity = serializers.ChoiceField(choices=Severity.choices)
    shop = ShopSerializer()

    class Meta:
        model = Alert
        fields = ("url", "location", "alert_uuid", "label", "time_spotted", "severity", "shop", "received_at")
        read_only_fields = fields

    def to_representation(self, instance: Alert) -> dict[str, Any]:
        """What the fields say, which are for the schema: to make them for each answer costs a tenth of it."""
        shop = instance.shop
        return {
            "url": instance.url,
            "location": instance.location,
            "alert_uuid": str(instance.alert_uuid),
            "label": instance.label,
            "time_spotted": unix_seconds(instance.time_spotted),
            "severity": instance.severity,
            "shop": {"id": str(shop.pk), "slug": shop.slug, "name": shop.name},
            "received_at": iso(instance.received_at),
        }


class AlertVerdictSerializer(serializers.Serializer[Any]):
    status = serializers.IntegerField(help_text="201, 200, 400 or 409, as the alert alone would be answered.")
    alert = AlertSerializer(required=False, help_text="With 201 and 200.")
    errors = serializers.DictField(  # type: ignore[assignment]
        required=False, help_text="With 400, messages by field; with 409, a `detail`."
    )


class AlertVerdictsSerializer(serializers.Serializer[Any]):
    results = AlertVerdictSerializer(many=True, help_text="One for each alert, in the order given.")


class StatusCountSerializer(serializers.Serializer[Any]):
    status = serializers.ChoiceField(choices=Delivery.Status.choices)
    reason = serializers.CharField(allow_blank=True)
    count = serializers.IntegerField()


class AlertListedSerializer(AlertSerializer):
    """An alert and its group."""

    class Meta(AlertSerializer.Meta):
        fields: tuple[str, ...] = (*AlertSerializer.Meta.fields, "grouped_with")  # type: ignore[assignment]
        read_only_fields: tuple[str, ...] = fields  # type: ignore[assignment]

    def to_representation(self, instance: Alert) -> dict[str, Any]:
        grouped_with = str(instance.grouped_with) if instance.grouped_with else None
        return {**super().to_representation(instance), "grouped_with": grouped_with}


class AlertDetailSerializer(AlertListedSerializer):
    """An alert and its deliveries."""

    group_size = serializers.IntegerField(
        help_text="How many alerts there are in its group so far; 1 if its shop tells each."
    )
    deliveries = StatusCountSerializer(many=True, help_text="How many deliveries are in each state, and why.")

    class Meta(AlertListedSerializer.Meta):
        fields = (*AlertListedSerializer.Meta.fields, "group_size", "fanned_out_at", "deliveries")
        read_only_fields = fields

    def to_representation(self, instance: Alert) -> dict[str, Any]:
        return {
            **super().to_representation(instance),
            "group_size": instance.group_size,  # type: ignore[attr-defined]
            "fanned_out_at": iso(instance.fanned_out_at) if instance.fanned_out_at else None,
            "deliveries": instance.deliveries,  # type: ignore[attr-defined]
        }


class ContactPointInSerializer(serializers.Serializer[ContactPoint]):
    channel = StrictChoiceField(choices=CONTACT_CHANNELS)
    address = StrictCharField(
        max_length=2048, allow_blank=True, default="", help_text="Empty for inbox and console."
    )
    label = StrictCharField(max_length=100, allow_blank=True, default="")  # type: ignore[assignment]
    is_enabled = StrictBooleanField(default=True)
    batch = StrictIntegerField(
        min_value=1,
        max_value=batching.MOST,
        default=1,
        help_text="Most deliveries that one request tells; 1: each has a request of its own. Webhooks only.",
    )
    linger_ms = StrictIntegerField(
        min_value=0,
        max_value=batching.LINGER_MS_MOST,
        default=0,
        help_text="Milliseconds for which the first of them waits for others. Webhooks only.",
    )
    batch_format = StrictChoiceField(choices=list(batching.FORMATS.items()), default="cloudevents")
    user_id = StrictUUIDField(required=False, help_text="For staff; others can only add their own.")


class ContactPointChangeSerializer(serializers.Serializer[ContactPoint]):
    address = StrictCharField(max_length=2048, allow_blank=True, required=False)
    label = StrictCharField(max_length=100, allow_blank=True, required=False)  # type: ignore[assignment]
    is_enabled = StrictBooleanField(required=False)
    batch = StrictIntegerField(min_value=1, max_value=batching.MOST, required=False)
    linger_ms = StrictIntegerField(min_value=0, max_value=batching.LINGER_MS_MOST, required=False)
    batch_format = StrictChoiceField(choices=list(batching.FORMATS.items()), required=False)


def is_theirs(serializer: serializers.BaseSerializer[Any], owner_id: UUID | None) -> bool:
    """Whether whoever is answered is the person whose row it is."""
    request = serializer.context.get("request")
    return request is not None and isinstance(request.user, User) and request.user.pk == owner_id


class ContactPointSerializer(serializers.ModelSerializer[ContactPoint]):
    """A contact point; secret addresses, such as a phone's push token, are shown to their owner only."""

    user_id = serializers.UUIDField()
    confirmed_at = serializers.DateTimeField(
        allow_null=True, help_text="Null until its code is entered; before that, it gets nothing else."
    )

    class Meta:
        model = ContactPoint
        fields = (
            "id", "user_id", "channel", "address", "label", "is_enabled", "batch", "linger_ms",
            "batch_format", "confirmed_at", "created_at",
        )  # fmt: skip
        read_only_fields = fields

    def to_representation(self, instance: ContactPoint) -> dict[str, Any]:
        shown = super().to_representation(instance)
        if not is_theirs(self, instance.user_id):
            shown["address"] = registry.shown(instance.channel, instance.address)
        return shown


class SecretSerializer(serializers.Serializer[Any]):
    secret = serializers.CharField(help_text="Standard Webhooks secret: `whsec_` and base64.")
    version = serializers.IntegerField()
    rotated_at = serializers.DateTimeField(allow_null=True)


class NotificationSerializer(serializers.ModelSerializer[Notification]):
    data = serializers.DictField()  # type: ignore[assignment]

    class Meta:
        model = Notification
        fields = ("id", "kind", "title", "severity", "source_type", "source_id", "data")
        read_only_fields = fields


class DeliverySerializer(serializers.ModelSerializer[Delivery]):
    """One message to one person through one channel.

    Links that act without a log-in are shown only to that person.
    """

    notification = NotificationSerializer()
    user_id = serializers.UUIDField(allow_null=True)
    contact_point_id = serializers.UUIDField(allow_null=True)
    status = serializers.ChoiceField(choices=Delivery.Status.choices, source="state")
    reason = serializers.CharField(allow_blank=True)
    read_at = serializers.DateTimeField(source="inbox_item.read_at", allow_null=True, read_only=True)
    explanation = serializers.SerializerMethodField(help_text="The reason for its state, in one sentence.")

    class Meta:
        model = Delivery
        fields: tuple[str, ...] = (
            "id", "notification", "user_id", "contact_point_id", "channel", "status", "reason", "explanation",
            "attempts", "replays", "due_at", "created_at", "sent_at", "read_at",
        )  # fmt: skip
        read_only_fields = fields

    def get_explanation(self, delivery: Delivery) -> str:
        return explain(delivery)

    def to_representation(self, instance: Delivery) -> dict[str, Any]:
        shown = super().to_representation(instance)
        if not is_theirs(self, instance.user_id):
            shown["notification"] = withheld.shown(shown["notification"])
        if "address" in shown:
            shown["address"] = registry.shown(instance.channel, instance.address)
        return shown


class AttemptSerializer(serializers.ModelSerializer[Attempt]):
    class Meta:
        model = Attempt
        fields = ("number", "started_at", "duration_ms", "outcome", "status_code", "error", "reference")
        read_only_fields = fields


class DeliveryDetailSerializer(DeliverySerializer):
    """A delivery with each attempt at it."""

    address_is_erased = serializers.BooleanField(
        read_only=True, help_text="The address is empty, since it was kept for long enough."
    )
    attempt_list = AttemptSerializer(many=True, source="attempt_set")

    class Meta(DeliverySerializer.Meta):
        fields = (
            *DeliverySerializer.Meta.fields, "address", "address_is_erased", "expires_at", "attempt_list",
        )  # fmt: skip
        read_only_fields = fields


class ChainedSerializer(serializers.Serializer[Any]):
    month = serializers.CharField()
    sha256 = serializers.CharField(help_text="Of the manifest's bytes.")
    manifest = serializers.CharField(help_text="As it is stored; its `previous` is the hash before it.")


class ProofPlaceSerializer(serializers.Serializer[Any]):
    """Where a record is in the archive, and the path from there to the newest manifest."""

    month = serializers.CharField()
    index = serializers.IntegerField(help_text="Its place among the month's deliveries.")
    leaves = serializers.IntegerField()
    path = serializers.ListField(child=serializers.CharField(), help_text="Siblings from the leaf up.")
    root = serializers.CharField(  # type: ignore[assignment]
        help_text="As the first manifest of the chain has it, in `tree`."
    )
    chain = ChainedSerializer(many=True, help_text="From the month's manifest to the newest.")


class ProofSerializer(serializers.Serializer[Any]):
    """The outcome of a delivery, and what you need to check it without this service."""

    format = serializers.IntegerField()
    explanation = serializers.CharField()
    record = serializers.CharField(help_text="JSON as text: notification, alert, delivery, attempts.")
    leaf = serializers.CharField(help_text="SHA-256 of a zero byte and the record's bytes.")
    archive = ProofPlaceSerializer(allow_null=True)


class SelectionSerializer(serializers.Serializer[Any]):
    """Either ``ids`` or one or more of the other filters, which work as in the list."""

    ids = serializers.ListField(child=StrictUUIDField(), max_length=1000, required=False, allow_empty=False)

    def validate(self, attrs: dict[str, Any]) -> dict[str, Any]:
        if not attrs:
            raise serializers.ValidationError("Say which ones: give ids or one of the filters.")
        if "ids" in attrs and len(attrs) > 1:
            raise serializers.ValidationError({"ids": ["Give either ids or filters, not both."]})
        unknown = sorted(set(self.initial_data) - set(self.fields))
        if unknown:
            raise serializers.ValidationError({name[:50]: ["This filter is unknown."] for name in unknown})
        return attrs


class ReplayManyInSerializer(SelectionSerializer):
    """Either ``ids`` or one or more of the other filters, which work as in the list."""

    user = StrictUUIDField(required=False)
    alert_uuid = StrictUUIDField(required=False)
    notification = StrictUUIDField(required=False)
    channel = StrictCharField(max_length=32, required=False)
    reason = StrictCharField(max_length=64, required=False)
    created_after = serializers.DateTimeField(required=False)
    created_before = serializers.DateTimeField(required=False)


class LeftOutSerializer(serializers.Serializer[Any]):
    over = serializers.IntegerField(
        help_text="Stopped, or about something that is over, such as an escalation."
    )
    unreachable = serializers.IntegerField(
        help_text="To inactive people, or contact points that were removed or disabled."
    )
    erased = serializers.IntegerField(help_text="So old that their addresses have been erased.")


class ReplayedSerializer(serializers.Serializer[Any]):
    replayed = serializers.IntegerField(help_text="Failed or expired deliveries that are due again now.")
    left_out = LeftOutSerializer(help_text="Failed or expired ones that were left as they are.")
