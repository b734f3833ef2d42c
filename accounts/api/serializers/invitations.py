"""Invitations as the API takes and shows them."""

from typing import Any

from rest_framework import serializers

from accounts.api.serializers.fields import EmailAddressField
from accounts.models import Invitation, Role
from config.rest.fields import StrictChoiceField


class InvitationInSerializer(serializers.Serializer[Any]):
    email = EmailAddressField()
    role = StrictChoiceField(choices=Role.choices, help_text="`admin` is refused.")


class InvitationSerializer(serializers.ModelSerializer[Invitation]):
    """Its link is in the mail alone."""

    class Meta:
        model = Invitation
        fields = ("id", "email", "role", "invited_by", "created_at", "expires_at", "used_at")
        read_only_fields = fields
