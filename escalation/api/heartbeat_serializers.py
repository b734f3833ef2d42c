"""Heartbeats and their pings, as the API takes and shows them."""

import re
from typing import Any, Final

from drf_spectacular.utils import extend_schema_field
from rest_framework import serializers

from accounts.validators import validate_time_zone
from config.rest.fields import SlugOfOneField, StrictCharField, StrictChoiceField
from escalation.api.fields import ChangeSerializer, shop_field, whole
from escalation.heartbeats import badges, links
from escalation.models import Heartbeat, HeartbeatPing, Policy
from escalation.models.heartbeat import MAX_S, MAX_TAGS
from notifications.models import Severity

_SLUG: Final = re.compile(r"[A-Za-z0-9_-]+")
_STATES: Final = [*Heartbeat.State.values, Heartbeat.LATE]


class SlugField(StrictCharField):
    def to_internal_value(self, data: Any) -> str:
        slug = super().to_internal_value(data)
        if not _SLUG.fullmatch(slug):
            raise serializers.ValidationError("Expected letters, digits, - and _.")
        return slug


class HeartbeatInSerializer(serializers.Serializer[Any]):
    name = StrictCharField(max_length=100)
    slug = SlugField(max_length=100, required=False, help_text="Made of the name if it is left out.")
    shop = shop_field("A shop's slug.")
    policy = SlugOfOneField(
        slug_field="name",
        queryset=Policy.objects.filter(deleted_at=None),
        required=False,
        allow_null=True,
        help_text="The name of the policy that tells of it, where no route says otherwise.",
    )
    severity = StrictChoiceField(choices=Severity.choices, required=False)
    tags = serializers.ListField(child=StrictCharField(max_length=50), max_length=MAX_TAGS, required=False)
    period_s = whole(MAX_S, least=1, required=False, help_text="Seconds from one ping to the next.")
    grace_s = whole(
        MAX_S, least=1, required=False, help_text="Seconds after its time, and from a start to its end."
    )
    cron = StrictCharField(
        max_length=100, required=False, allow_blank=True, help_text="In place of a period."
    )
    time_zone = StrictCharField(
        max_length=64, required=False, validators=[validate_time_zone], help_text="Of the cron line."
    )


class HeartbeatChangeSerializer(ChangeSerializer, HeartbeatInSerializer):
    """Fields you leave out stay as they are."""


class HeartbeatSerializer(serializers.ModelSerializer[Heartbeat]):
    """A heartbeat; the context has ``now``, and ``keys`` by shop for whoever may see where it is pinged."""

    shop = SlugOfOneField(slug_field="slug", read_only=True, allow_null=True)
    policy = SlugOfOneField(slug_field="name", read_only=True, allow_null=True)
    state = serializers.SerializerMethodField()
    ping_url = serializers.SerializerMethodField(help_text="A secret; null for keys that only read.")
    slug_url = serializers.SerializerMethodField(help_text="The same by ping key and slug.")
    badge_url = serializers.SerializerMethodField(help_text="Followed by .svg, .json or .shields.")
    tag_badges = serializers.SerializerMethodField(help_text="The same for each tag.")

    class Meta:
        model = Heartbeat
        fields = (
            "id", "name", "slug", "shop", "policy", "severity", "tags", "period_s", "grace_s", "cron",
            "time_zone", "state", "pings", "last_ping_at", "last_start_at", "last_duration_s", "expected_at",
            "due_at", "ping_url", "slug_url", "badge_url", "tag_badges", "created_at",
        )  # fmt: skip
        read_only_fields = fields

    @extend_schema_field({"type": "string", "enum": _STATES})
    def get_state(self, heartbeat: Heartbeat) -> str:
        return heartbeat.state_at(self.context["now"])

    def get_ping_url(self, heartbeat: Heartbeat) -> str | None:
        return links.url_of(heartbeat) if self.context["keys"] is not None else None

    def get_slug_url(self, heartbeat: Heartbeat) -> str | None:
        keys = self.context["keys"]
        return links.slug_url_of(heartbeat, keys[heartbeat.shop_id]) if keys is not None else None

    def get_badge_url(self, heartbeat: Heartbeat) -> str:
        return badges.url_of("heartbeat", str(heartbeat.pk))

    def get_tag_badges(self, heartbeat: Heartbeat) -> dict[str, str]:
        return {tag: badges.url_of("tag", tag) for tag in heartbeat.tags}


class HeartbeatPingSerializer(serializers.ModelSerializer[HeartbeatPing]):
    class Meta:
        model = HeartbeatPing
        fields = ("number", "kind", "at", "method", "exit_status", "rid", "duration_s", "body")
        read_only_fields = fields
