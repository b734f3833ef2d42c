"""Integrations, what they were sent, and routes, as the API takes and shows them."""

import json
from typing import Any, Final

from drf_spectacular.utils import extend_schema_field
from rest_framework import serializers

from accounts.models import User
from config.rest.fields import (
    IdOfOneField,
    SlugOfOneField,
    StrictBooleanField,
    StrictCharField,
    StrictChoiceField,
    StrictUUIDField,
)
from escalation.api.fields import ChangeSerializer, shop_field, whole
from escalation.models import AlertOccurrence, IntakeRequest, Integration, Policy, Route
from escalation.models.group import MAX_MATCHERS, OPS
from escalation.receiving.addresses import url_of
from notifications.models import Severity

#: Seconds: a week is as long as a group can be waited for, or told of again after.
MAX_S: Final = 604_800
MAX_GROUP_BY: Final = 20
MAX_ROUTES: Final = 1_000
MAX_HEADERS: Final = 100
OUTCOMES: Final = (
    "opened", "joined", "counted", "repeated", "acknowledged", "resolved", "noted", "ignored",
)  # fmt: skip


@extend_schema_field({"type": "object", "additionalProperties": True})
class ObjectField(serializers.Field):
    """A JSON object."""

    default_error_messages = {"invalid": "Expected an object."}

    def to_internal_value(self, data: Any) -> dict[str, Any]:
        if not isinstance(data, dict):
            self.fail("invalid")
        return dict(data)

    def to_representation(self, value: Any) -> Any:
        return value


class MatcherSerializer(serializers.Serializer[Any]):
    label = StrictCharField(  # type: ignore[assignment]  # a field, as of any name
        max_length=500,
        trim_whitespace=False,
        help_text="A label, or one of: severity, title, key, integration, shop.",
    )
    op = StrictChoiceField(choices=OPS, help_text="~ is like =, and takes * for any characters.")
    value = StrictCharField(
        max_length=500,
        allow_blank=True,
        trim_whitespace=False,
        help_text="A label that isn't there is an empty one.",
    )


def matchers_field(**options: Any) -> serializers.ListField:
    return serializers.ListField(child=MatcherSerializer(), max_length=MAX_MATCHERS, **options)


def policy_field(**options: Any) -> IdOfOneField:
    return IdOfOneField(queryset=Policy.objects.filter(deleted_at=None), allow_null=True, **options)


class IntegrationInSerializer(serializers.Serializer[Any]):
    """Fields you leave out get their defaults: no shop, no policy, critical, enabled."""

    shop = shop_field("The slug of the shop that it is about.")
    policy = policy_field(required=False, help_text="Who is told if no route says otherwise.")
    severity = StrictChoiceField(
        choices=Severity.choices, required=False, help_text="Of what comes without one."
    )
    mapping = ObjectField(
        required=False,
        help_text='Of generic: `{"ready": "zabbix"}` (or `uptime-kuma`, `sentry`, `frigate`), or JMESPath '
        "expressions by name, at least `key`. "
        'Of grafana: `{"is_signed": true}` takes nothing without a signature.',
    )
    is_enabled = StrictBooleanField(required=False)
    name = StrictCharField(max_length=100)
    format = StrictChoiceField(choices=Integration.Format.choices)


class IntegrationChangeSerializer(ChangeSerializer, IntegrationInSerializer):
    """Fields you leave out stay as they are."""

    format = None  # type: ignore[assignment]  # it has the format for good


class IntegrationSerializer(serializers.ModelSerializer[Integration]):
    shop = SlugOfOneField(slug_field="slug", read_only=True, allow_null=True)
    key = serializers.SerializerMethodField(help_text="The secret to set there; only the staff see it.")
    url = serializers.SerializerMethodField(help_text="The address to set there; only the staff see it.")

    class Meta:
        model = Integration
        fields = (
            "id", "name", "format", "shop", "policy", "severity", "mapping", "is_enabled", "created_at",
            "key", "url",
        )  # fmt: skip
        read_only_fields = fields

    def get_key(self, integration: Integration) -> str | None:
        return integration.key if self._shows_secrets() else None

    def get_url(self, integration: Integration) -> str | None:
        return url_of(integration) if self._shows_secrets() else None

    def _shows_secrets(self) -> bool:
        return isinstance(self.context["request"].user, User)


class MadeSerializer(serializers.Serializer[Any]):
    """What came of an occurrence."""

    key = serializers.CharField()
    act = serializers.ChoiceField(choices=AlertOccurrence.Act.choices)
    outcome = serializers.ChoiceField(choices=OUTCOMES)
    group = serializers.UUIDField(allow_null=True)


class IntakeRequestSerializer(serializers.ModelSerializer[IntakeRequest]):
    """What an integration was sent. ``body`` is its beginning, without secrets."""

    made = MadeSerializer(many=True)

    class Meta:
        model = IntakeRequest
        fields = ("id", "received_at", "status", "body", "made", "error")
        read_only_fields = fields


@extend_schema_field({"description": "Any JSON; a string stands for a body as it is, as you would paste it."})
class BodyField(serializers.Field):
    def to_internal_value(self, data: Any) -> bytes:
        text = data if isinstance(data, str) else json.dumps(data, ensure_ascii=False)
        return text.encode()

    def to_representation(self, value: Any) -> Any:
        return value


class TryInSerializer(serializers.Serializer[Any]):
    body = BodyField(help_text="A body as the system would send it.")
    headers = serializers.DictField(
        child=StrictCharField(max_length=1_000, allow_blank=True),
        required=False,
        help_text="Those that matter: of CloudEvents, `Content-Type` and the attributes.",
    )

    def validate_headers(self, headers: dict[str, str]) -> dict[str, str]:
        if len(headers) > MAX_HEADERS:
            raise serializers.ValidationError(f"Expected at most {MAX_HEADERS} headers.")
        return headers


class TriedSerializer(serializers.Serializer[Any]):
    """What would come of one occurrence."""

    key = serializers.CharField(source="occurrence.key")
    act = serializers.ChoiceField(choices=AlertOccurrence.Act.choices, source="occurrence.act")
    title = serializers.CharField(source="occurrence.title")
    details = serializers.CharField(source="occurrence.details")
    severity = serializers.CharField(source="occurrence.severity", help_text="Empty: the integration's.")
    labels = ObjectField(source="occurrence.labels")
    link = serializers.CharField(source="occurrence.link")
    began_at = serializers.DateTimeField(source="occurrence.at", allow_null=True)
    by = serializers.CharField(source="occurrence.by")
    outcome = serializers.ChoiceField(choices=OUTCOMES)
    group_key = serializers.CharField(
        source="decision.key", default=None, allow_null=True, help_text="Null if it opens and joins nothing."
    )
    route = serializers.CharField(
        source="decision.route.name", default=None, allow_null=True, help_text="Its name; null: none matches."
    )
    policy = serializers.CharField(
        source="decision.policy.name",
        default=None,
        allow_null=True,
        help_text="Its name; null: nobody would be told.",
    )
    silence = serializers.CharField(
        source="silence.reason", default=None, allow_null=True, help_text="Why it would be silenced."
    )
    why = serializers.ListField(child=serializers.CharField(), source="decision.why", default=list)


class TriedListSerializer(serializers.Serializer[Any]):
    occurrences = TriedSerializer(many=True)


class RouteInSerializer(serializers.Serializer[Any]):
    """Fields you leave out get their defaults: behind all others, it takes everything and tells nobody."""

    position = whole(1_000_000, required=False, help_text="The lowest is asked first; by default the last.")
    matchers = matchers_field(required=False, help_text="All must hold; without any it takes everything.")
    policy = policy_field(required=False, help_text="Who is told; null: nobody, it is only kept.")
    group_by = serializers.ListField(
        child=StrictCharField(max_length=100),
        max_length=MAX_GROUP_BY,
        required=False,
        help_text="Alerts with the same values of these labels are one group; empty: each key is its own.",
    )
    group_wait_s = whole(
        MAX_S, required=False, help_text="How long a new group waits for more before anybody is told."
    )
    group_interval_s = whole(
        MAX_S, required=False, help_text="How long until those told of a group are told of alerts new in it."
    )
    repeat_interval_s = whole(
        MAX_S, required=False, help_text="How long until a group that nobody took is told again; 0: never."
    )
    is_shadow = StrictBooleanField(
        required=False, help_text="It shows what it would do, tells nobody, and the routes behind it go on."
    )
    is_enabled = StrictBooleanField(required=False)
    name = StrictCharField(max_length=100)


class RouteChangeSerializer(ChangeSerializer, RouteInSerializer):
    """Fields you leave out stay as they are."""


class RouteSerializer(serializers.ModelSerializer[Route]):
    matchers = matchers_field()

    class Meta:
        model = Route
        fields = (
            "id", "name", "position", "matchers", "policy", "group_by", "group_wait_s", "group_interval_s",
            "repeat_interval_s", "is_shadow", "is_enabled", "created_at",
        )  # fmt: skip
        read_only_fields = fields


class RoutesOrderSerializer(serializers.Serializer[Any]):
    ids = serializers.ListField(
        child=StrictUUIDField(), max_length=MAX_ROUTES, help_text="Of all routes, in their order."
    )
