"""The registry of caller ids: which number phone calls show."""

from typing import Any, Final

from drf_spectacular.utils import OpenApiExample, extend_schema
from rest_framework.exceptions import ValidationError
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from config.rest.openapi import BODY, errors
from notifications.services.caller_ids import caller_ids, caller_ids_put, caller_ids_replace

REGISTRY: Final[dict[str, Any]] = {
    "type": "object",
    "description": "Caller ids by prefix of the number called; `default` is for all other numbers.",
    "additionalProperties": {"type": "string", "pattern": r"^\+[1-9][0-9]{6,14}$"},
}
CHANGE: Final[dict[str, Any]] = {
    "request": {"application/json": REGISTRY},
    "responses": {200: REGISTRY, **errors(*BODY, 403)},
}
EXAMPLE: Final = OpenApiExample(
    "two countries", value={"+385": "+3851111111", "+61": "+6117065677", "default": "+12569065677"}
)


@extend_schema(tags=["caller ids"], examples=[EXAMPLE])
class CallerIdsView(APIView):
    """For the staff, and for machines that may start escalations."""

    @extend_schema(operation_id="caller_ids", responses={200: REGISTRY, **errors(403)})
    def get(self, request: Request) -> Response:
        """Return the whole registry; of the prefixes that fit a number, the longest counts."""
        return Response(caller_ids())

    @extend_schema(operation_id="caller_ids_replace", **CHANGE)
    def put(self, request: Request) -> Response:
        """Replace the registry with this one."""
        return Response(caller_ids_replace(registry=_registry_in(request)))

    @extend_schema(operation_id="caller_ids_put", **CHANGE)
    def post(self, request: Request) -> Response:
        """Add these caller ids, or change those with the same prefix; the others stay."""
        return Response(caller_ids_put(registry=_registry_in(request)))


def _registry_in(request: Request) -> dict[str, Any]:
    if not isinstance(request.data, dict):
        raise ValidationError({"non_field_errors": ["Expected an object of prefixes and phone numbers."]})
    return request.data
