"""What providers tell us, each signed in its provider's own way."""

import re
from typing import Any
from uuid import UUID

from django.conf import settings
from django.http import QueryDict
from rest_framework import status
from rest_framework.exceptions import ValidationError
from rest_framework.generics import get_object_or_404
from rest_framework.parsers import FormParser
from rest_framework.permissions import BasePermission
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from notifications.channels.transport import twilio
from notifications.models import Delivery
from notifications.services.provider_reports import call_reported, delivery_report_record

MAX_ATTEMPT = 32_767


class IsTwilio(BasePermission):
    """Signed with the account's auth token, for the very URL that Twilio was told to call."""

    message = "Only Twilio can post here: X-Twilio-Signature is missing or does not match."

    def has_permission(self, request: Request, view: APIView) -> bool:
        given = request.headers.get("X-Twilio-Signature")
        if not given:
            return False
        return twilio.is_authentic(
            given,
            auth_token=settings.TWILIO_AUTH_TOKEN,
            # As Twilio knows it: what a proxy has made of scheme and host meanwhile does not count.
            url=settings.PUBLIC_URL + request.get_full_path_info(),
            fields=_fields_of(request),
        )


class TwilioStatusView(APIView):
    schema: Any = None  # the contract is Twilio's
    authentication_classes: list[Any] = []
    permission_classes = [IsTwilio]
    parser_classes = [FormParser]

    def post(self, request: Request, delivery_id: UUID) -> Response:
        """Take a report on a message or call; reports that say nothing final are ignored."""
        delivery = get_object_or_404(Delivery, pk=delivery_id)
        given = request.query_params.get("attempt", "")
        if not re.fullmatch(r"[0-9]{1,5}", given) or not 0 < int(given) <= MAX_ATTEMPT:
            raise ValidationError({"attempt": [f"Expected a number from 1 to {MAX_ATTEMPT}."]})
        attempt = int(given)
        fields = dict(_fields_of(request))
        report = twilio.report_of(fields)
        if report:
            delivery_report_record(delivery=delivery, attempt=attempt, report=report)
        if (sid := twilio.live_call_in(fields)) is not None:
            call_reported.send(sender=Delivery, delivery=delivery, sid=sid)
        return Response(status=status.HTTP_204_NO_CONTENT)


def _fields_of(request: Request) -> list[tuple[str, str]]:
    if not isinstance(request.data, QueryDict):  # no body at all
        return []
    return [(name, each) for name, values in request.data.lists() for each in values]
