"""People whom the dating bot speaks for, as the API takes and shows them."""

from typing import Any, Final

from django.conf import settings
from rest_framework import serializers

from accounts.api.serializers.fields import CodeField
from accounts.validators import validate_time_zone
from config.rest.fields import StrictCharField, StrictChoiceField, StrictIntegerField
from dating.api.serializers import DatingProfileSerializer, PersonField
from dating.models import BotAccount

#: Ids of chats have at most 52 bits.
CHAT_MAX: Final = 2**52


class BotAccountInSerializer(DatingProfileSerializer):
    """Who it is: somebody with an account (``user_id``), or somebody known by the bot alone."""

    user_id = PersonField(
        required=False, help_text="The person with this number. If you leave it out, an account is made."
    )
    chat_id = StrictIntegerField(
        required=False,
        min_value=-CHAT_MAX,
        max_value=CHAT_MAX,
        help_text="Where the bot reaches them; the number by default.",
    )
    code = CodeField(
        required=False,
        help_text="The code that someone with an account gets from `POST /api/v1/dating/bot-code/`.",
    )
    first_name = StrictCharField(required=False, allow_blank=True, max_length=150)
    last_name = StrictCharField(required=False, allow_blank=True, max_length=150)
    language = StrictChoiceField(choices=settings.LANGUAGES, required=False)
    time_zone = StrictCharField(
        required=False,
        max_length=64,
        validators=[validate_time_zone],
        help_text="IANA name, such as Europe/Paris.",
    )

    def validate_chat_id(self, value: int) -> int:
        if value == 0:
            raise serializers.ValidationError("Expected a chat's number, such as 123456789.")
        return value


class BotCodeSerializer(serializers.Serializer[Any]):
    code = serializers.CharField(help_text="For the bot; works once.")
    expires_at = serializers.DateTimeField()


class BotAccountSerializer(serializers.ModelSerializer[BotAccount]):
    """Somebody as the bot knows them."""

    user_id = serializers.UUIDField()

    class Meta:
        model = BotAccount
        fields = ("number", "user_id", "created_at")
        read_only_fields = fields
