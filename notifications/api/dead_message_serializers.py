"""Dead letters of brokers as the API shows and takes them."""

from typing import Any

from rest_framework import serializers

from config.rest.fields import StrictCharField
from notifications.api.serializers import SelectionSerializer
from notifications.models import DeadMessage


class DeadMessageSerializer(serializers.ModelSerializer[DeadMessage]):
    """A message that could not take effect."""

    source = serializers.CharField(help_text="Which queue it came from.")  # type: ignore[assignment]
    is_cut = serializers.BooleanField(
        help_text="Its body was too large to keep whole, so it can't be replayed."
    )

    class Meta:
        model = DeadMessage
        fields: tuple[str, ...] = (
            "id", "source", "state", "reason", "size", "is_cut", "headers", "routing_key", "message_id",
            "group", "attempts", "replays", "sent_at", "delivered_at", "created_at", "ended_at",
        )  # fmt: skip
        read_only_fields = fields


class DeadMessageInFullSerializer(DeadMessageSerializer):
    """The same, with its body as text."""

    body = serializers.SerializerMethodField("text")

    class Meta(DeadMessageSerializer.Meta):
        fields = (*DeadMessageSerializer.Meta.fields, "body")
        read_only_fields = fields

    def text(self, dead: DeadMessage) -> str:
        return bytes(dead.body).decode(errors="replace")


class DeadMessagesSelectionSerializer(SelectionSerializer):
    """Either ``ids`` or one or more of the other filters, which work as in the list."""

    source = StrictCharField(max_length=100, required=False)  # type: ignore[assignment]
    created_after = serializers.DateTimeField(required=False)
    created_before = serializers.DateTimeField(required=False)


class DeadMessagesReplayedSerializer(serializers.Serializer[Any]):
    replayed = serializers.IntegerField(help_text="Messages that have now taken effect.")
    failed = serializers.IntegerField(help_text="Messages that failed again; each says why.")
    left = serializers.IntegerField(
        help_text="Whether there are more than one request replays; if so, ask again."
    )


class DeadMessagesDiscardedSerializer(serializers.Serializer[Any]):
    discarded = serializers.IntegerField()
