"""People as the API shows and takes them."""

from typing import Any

from django.conf import settings
from rest_framework import serializers

from accounts.api.serializers.fields import EmailAddressField, PasswordField, PhoneField
from accounts.models import Role, User
from accounts.validators import validate_time_zone
from config.rest.fields import StrictBooleanField, StrictCharField, StrictChoiceField


class UserSerializer(serializers.ModelSerializer[User]):
    """A person, to themselves."""

    id = serializers.UUIDField(source="pk", read_only=True)
    role = serializers.CharField(
        read_only=True, help_text="`student`, `encadrant`, `admin`, or empty for none."
    )

    class Meta:
        model = User
        fields: tuple[str, ...] = (
            "id", "email", "first_name", "last_name", "role", "language", "time_zone", "phone",
            "email_verified_at", "phone_verified_at", "created_at",
        )  # fmt: skip
        read_only_fields: tuple[str, ...] = fields


class UserForStaffSerializer(UserSerializer):
    """A person, to the staff."""

    class Meta(UserSerializer.Meta):
        fields = (*UserSerializer.Meta.fields, "is_active", "is_staff", "last_login")
        read_only_fields = fields


class DetailsSerializer(serializers.Serializer[User]):
    """What people may change, and staff for them; other fields are ignored."""

    first_name = StrictCharField(max_length=150, allow_blank=True, required=False)
    last_name = StrictCharField(max_length=150, allow_blank=True, required=False)
    language = StrictChoiceField(choices=settings.LANGUAGES, required=False)
    time_zone = StrictCharField(
        max_length=64, required=False, validators=[validate_time_zone], help_text="Such as Europe/Paris."
    )


class MeChangeSerializer(DetailsSerializer):
    phone = PhoneField(required=False, help_text="In international form. A new one has to be verified again.")
    email = EmailAddressField(
        required=False,
        help_text="What you log in with. A new one needs your password and has to be verified again.",
    )
    current_password = PasswordField(required=False, help_text="For a new email only.")

    def validate(self, attrs: dict[str, Any]) -> dict[str, Any]:
        user: User = self.context["request"].user
        is_new = attrs.get("email", user.email) != user.email
        if is_new and "current_password" not in attrs:
            raise serializers.ValidationError(
                {"current_password": ["Changing the email needs the password."]}
            )
        return attrs


class UserChangeSerializer(DetailsSerializer):
    """What the staff may change."""

    role = StrictChoiceField(choices=Role.choices, required=False, help_text="An admin is staff too.")
    is_active = StrictBooleanField(required=False, help_text="False locks them out at once.")


class MeRemoveSerializer(serializers.Serializer[User]):
    password = PasswordField(required=False)
