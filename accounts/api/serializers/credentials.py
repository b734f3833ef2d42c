"""Registering, logging in and what follows, as the API takes and answers it."""

from typing import Any

from django.conf import settings
from rest_framework import serializers

from accounts.api.serializers.fields import CodeField, EmailAddressField, PasswordField, PhoneField
from accounts.api.serializers.users import UserSerializer
from accounts.api.tokens import Tokens
from accounts.models import Role
from accounts.validators import validate_time_zone
from config.rest.fields import StrictCharField, StrictChoiceField


class RegisterSerializer(serializers.Serializer[Any]):
    """Other fields than these are ignored."""

    email = EmailAddressField()
    password = PasswordField()
    first_name = StrictCharField(max_length=150)
    last_name = StrictCharField(max_length=150)
    role = StrictChoiceField(choices=Role.choices, help_text="`admin` needs an administrator's token.")
    language = StrictChoiceField(choices=settings.LANGUAGES, required=False)
    time_zone = StrictCharField(
        max_length=64, required=False, validators=[validate_time_zone], help_text="Such as Europe/Paris."
    )
    phone = PhoneField(required=False, help_text="In international form.")
    invitation = StrictCharField(
        max_length=200, required=False, write_only=True, help_text="The token from a mailed link."
    )


class LogInSerializer(serializers.Serializer[Any]):
    email = StrictCharField(max_length=254, write_only=True)
    password = PasswordField()


class TokensSerializer(serializers.Serializer[Tokens]):
    access_token = serializers.CharField(source="access")
    refresh_token = serializers.CharField(source="refresh")


class SessionSerializer(TokensSerializer):
    """Tokens, and the person they belong to."""

    user = UserSerializer()


class TokenPairSerializer(serializers.Serializer[Tokens]):
    """The same, under the names that simplejwt gives them."""

    access = serializers.CharField()
    refresh = serializers.CharField()


class RefreshTokenSerializer(serializers.Serializer[Any]):
    refresh_token = StrictCharField(max_length=4096, write_only=True)


class RefreshSerializer(serializers.Serializer[Any]):
    refresh = StrictCharField(max_length=4096, write_only=True)


class LogOutSerializer(serializers.Serializer[Any]):
    refresh_token = StrictCharField(
        max_length=4096, write_only=True, required=False, help_text="Not needed to end a session."
    )
    refresh = StrictCharField(
        max_length=4096, write_only=True, required=False, help_text="The same, as `auth/token` calls it."
    )


class PasswordChangeSerializer(serializers.Serializer[Any]):
    current_password = PasswordField()
    new_password = PasswordField()


class ResetSerializer(serializers.Serializer[Any]):
    email = EmailAddressField()


class ResetConfirmSerializer(serializers.Serializer[Any]):
    token = StrictCharField(max_length=200, write_only=True, help_text="From the mailed link.")
    new_password = PasswordField()


class CodeSerializer(serializers.Serializer[Any]):
    code = CodeField(write_only=True)


class AcceptedSerializer(serializers.Serializer[Any]):
    detail = serializers.CharField(read_only=True)
