"""People as the API shows them."""

from typing import Any

from django.conf import settings
from django.core.exceptions import ValidationError as DjangoValidationError
from rest_framework import serializers
from rest_framework.exceptions import AuthenticationFailed
from rest_framework_simplejwt.serializers import TokenRefreshSerializer

from accounts.models import User
from accounts.validators import normalised_phone, validate_time_zone
from config.fields import StrictCharField, StrictChoiceField


class UserSerializer(serializers.ModelSerializer[User]):
    """One's own account."""

    first_name = StrictCharField(max_length=150, allow_blank=True, required=False)
    last_name = StrictCharField(max_length=150, allow_blank=True, required=False)
    language = StrictChoiceField(choices=settings.LANGUAGES, required=False)
    time_zone = StrictCharField(max_length=64, required=False, validators=[validate_time_zone])
    phone = StrictCharField(max_length=32, allow_blank=True, required=False)

    class Meta:
        model = User
        fields = ("uuid", "email", "first_name", "last_name", "language", "time_zone", "phone")
        read_only_fields = ("uuid", "email")

    def validate_phone(self, value: str) -> str:
        try:
            return normalised_phone(value) if value else ""
        except DjangoValidationError as error:
            raise serializers.ValidationError(error.messages)

    def update(self, instance: User, validated_data: dict[str, Any]) -> User:
        for field, value in validated_data.items():
            setattr(instance, field, value)
        instance.save(update_fields=list(validated_data))
        return instance


class LivingTokenRefreshSerializer(TokenRefreshSerializer):
    """simplejwt's, but for somebody who has been deleted since it answers 401 and not 500."""

    def validate(self, attrs: dict[str, Any]) -> dict[str, str]:
        try:
            return super().validate(attrs)
        except User.DoesNotExist:
            raise AuthenticationFailed("No active account found for the given token.")


class LoginSerializer(serializers.Serializer[Any]):
    """For the schema; simplejwt's own serializer does the work."""

    email = serializers.CharField(write_only=True)
    password = serializers.CharField(write_only=True)


class TokenPairSerializer(serializers.Serializer[Any]):
    access = serializers.CharField(read_only=True)
    refresh = serializers.CharField(read_only=True)


class RefreshSerializer(serializers.Serializer[Any]):
    refresh = serializers.CharField(write_only=True)


class AccessTokenSerializer(serializers.Serializer[Any]):
    access = serializers.CharField(read_only=True)
