"""What the OpenAPI schema says about the answers that every endpoint can give."""

from collections.abc import Mapping
from typing import Any, Final

from drf_spectacular.utils import OpenApiExample, OpenApiResponse

ERRORS: Final[Mapping[int, tuple[str, str]]] = {
    400: ("The request is invalid; nothing was changed.", "Expected a number."),
    401: ("The credentials are missing or invalid.", "Authentication credentials were not provided."),
    403: ("You may not do this.", "You do not have permission to perform this action."),
    404: ("There is nothing with that id that you may see.", "Not found."),
    408: ("The body came too slowly; nothing was changed.", "The body did not come in time."),
    409: ("It conflicts with what is already there.", "It was accepted before, with other content."),
    413: ("The body is over the limit.", "The body is larger than 1000000 bytes."),
    415: ("The body is not application/json.", 'Unsupported media type "text/plain" in request.'),
    429: ("Too many requests; see Retry-After.", "Request was throttled."),
    503: ("The database can't be reached; nothing was changed; see Retry-After.", "Try again."),
}
BODY: Final = (400, 408, 413, 415)
DETAIL: Final[dict[str, Any]] = {
    "type": "object",
    "properties": {"detail": {"type": "string"}},
    "required": ["detail"],
}
# Either a message for the whole request, or a list of them for each field.
BY_FIELD: Final[dict[str, Any]] = {
    "type": "object",
    "properties": {"detail": {"type": "string"}},
    "additionalProperties": {"type": "array", "items": {"type": "string"}},
}


def errors(*codes: int) -> dict[int, OpenApiResponse]:
    """Document these answers, and the ones that any endpoint for the authenticated can give."""
    documented = {}
    for code in sorted({401, 503, *codes}):
        description, example = ERRORS[code]
        value: dict[str, Any] = {"detail": example} if code != 400 else {"time_spotted": [example]}
        documented[code] = OpenApiResponse(
            response=BY_FIELD if code == 400 else DETAIL,
            description=description,
            examples=[OpenApiExample(f"{code}", value=value)],
        )
    return documented
