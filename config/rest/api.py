"""What every API endpoint shares: strict JSON in, one form of errors out, newest first, slash optional."""

import json
import math
import re
from collections.abc import Callable, Mapping
from typing import IO, TYPE_CHECKING, Any, Final, NoReturn

import structlog
from django.conf import settings
from django.core.exceptions import NON_FIELD_ERRORS, RequestDataTooBig
from django.core.exceptions import PermissionDenied as DjangoPermissionDenied
from django.core.exceptions import ValidationError as DjangoValidationError
from django.http import Http404
from django.urls import URLPattern, path
from rest_framework import status
from rest_framework.exceptions import (
    APIException,
    NotFound,
    ParseError,
    PermissionDenied,
    Throttled,
    ValidationError,
)
from rest_framework.negotiation import DefaultContentNegotiation
from rest_framework.pagination import CursorPagination
from rest_framework.parsers import BaseParser
from rest_framework.renderers import BaseRenderer
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.settings import api_settings

from config.bounds import values_in
from config.digits import whole
from config.outages import is_outage
from config.rest.exceptions import BadJSON, Conflict, TooMany

if TYPE_CHECKING:
    from rest_framework.views import APIView

log = structlog.get_logger(__name__)
RETRY_AFTER_S = 2
BASE64 = re.compile(r"[A-Za-z0-9+/_=-]+")
TOO_LARGE = "The body is larger than {limit} bytes."
TOO_MANY_VALUES = "The JSON has more than {limit} values."
TOO_DEEP = "The JSON is nested more than {limit} levels deep."


class Unreachable(APIException):
    """A service that this needs can't be reached at the moment. Nothing was changed; try again."""

    status_code = status.HTTP_503_SERVICE_UNAVAILABLE
    default_detail = "The service can't reach its database at the moment. Nothing was changed; try again."
    default_code = "unavailable"
    wait = RETRY_AFTER_S


class Contradiction(APIException):
    status_code = status.HTTP_409_CONFLICT
    default_code = "conflict"


class TooLarge(APIException):
    status_code = status.HTTP_413_REQUEST_ENTITY_TOO_LARGE
    default_code = "too_large"

    def __init__(self) -> None:
        super().__init__(TOO_LARGE.format(limit=settings.REQUEST_MAX_BYTES))


def _finite(text: str) -> float:
    number = float(text)
    if not math.isfinite(number):
        raise ValueError(f"{text} is out of range")
    return number


def _no_constant(text: str) -> NoReturn:
    raise ValueError(f"{text} is not JSON")


# One decoder for all requests: json.loads with hooks would build one for each.
_decode = json.JSONDecoder(parse_float=_finite, parse_constant=_no_constant).decode


def _is_deeper_than(limit: int, value: object) -> bool:
    """Walk level by level and not by recursion, so that no depth can exhaust the stack."""
    level = [value] if isinstance(value, dict | list) else []
    for _ in range(limit):
        level = [
            child
            for parent in level
            for child in (parent.values() if isinstance(parent, dict) else parent)
            if isinstance(child, dict | list)
        ]
        if not level:
            return False
    return True


#: What gzip's output begins with (RFC 1952).
GZIP: Final = b"\x1f\x8b"


def read_bounded(stream: IO[Any]) -> bytes:
    """Return a whole body.

    Raises:
        TooLarge: it has more than REQUEST_MAX_BYTES.
    """
    raw: bytes = stream.read(settings.REQUEST_MAX_BYTES + 1)
    if len(raw) > settings.REQUEST_MAX_BYTES:
        raise TooLarge
    return raw


class BoundedJSONParser(BaseParser):
    """JSON as RFC 8259 has it: UTF-8, finite numbers, whole characters, of bounded size and depth."""

    media_type = "application/json"

    def parse(
        self, stream: IO[Any], media_type: str | None = None, parser_context: Mapping[str, Any] | None = None
    ) -> Any:
        try:
            return json_of(read_bounded(stream))
        except BadJSON as error:
            raise ParseError(str(error))


def json_of(raw: bytes) -> Any:
    """Return the value of JSON as RFC 8259 has it, of bounded size and depth.

    Raises:
        BadJSON: it isn't such.
    """
    # Counted before they are built. None takes less than a byte: most bodies are settled by their length.
    if len(raw) > (most := settings.REQUEST_MAX_VALUES) and values_in(raw) > most:
        raise BadJSON(TOO_MANY_VALUES.format(limit=most))
    limit = settings.REQUEST_MAX_DEPTH
    try:
        data = _decode(raw.decode())
        if b"\\u" in raw:
            # An escape can spell half a surrogate pair, which no UTF-8 answer or row could hold.
            json.dumps(data, ensure_ascii=False).encode()
    except RecursionError:
        raise BadJSON(TOO_DEEP.format(limit=limit))
    except ValueError as error:
        raise BadJSON(f"The body is not valid JSON: {_printable(error)}.")
    # Depth needs at least as many brackets: most bodies are settled by the count.
    if raw.count(b"[") + raw.count(b"{") > limit and _is_deeper_than(limit, data):
        raise BadJSON(TOO_DEEP.format(limit=limit))
    return data


def _printable(error: ValueError) -> str:
    if isinstance(error, UnicodeEncodeError):
        return "it holds half of a surrogate pair"
    if isinstance(error, UnicodeDecodeError):
        return "it is compressed by gzip" if error.object.startswith(GZIP) else "it is not UTF-8"
    return str(error)[:200]


class JSONOnly(DefaultContentNegotiation):
    """An endpoint with one form of answer gives that one, whatever ``Accept`` says, and never a 406."""

    def select_renderer(
        self, request: Request, renderers: Any, format_suffix: str | None = None
    ) -> tuple[BaseRenderer, str]:
        if len(renderers) == 1:
            return renderers[0], renderers[0].media_type
        return super().select_renderer(request, renderers, format_suffix)


class NewestFirst(CursorPagination):
    """Pages by cursor, in the view's ``ordering`` (default: newest id first); never counts the table."""

    ordering = ("-id",)
    page_size_query_param = "page_size"
    max_page_size = 200

    def get_ordering(self, request: Request, queryset: Any, view: "APIView") -> tuple[str, ...]:
        return tuple(getattr(view, "ordering", self.ordering))

    def get_page_size(self, request: Request) -> int:
        given = request.query_params.get("page_size")
        if given is None:
            return int(api_settings.PAGE_SIZE or 50)
        if not (size := whole(given, most=self.max_page_size)):
            raise ValidationError({"page_size": [f"Enter a number from 1 to {self.max_page_size}."]})
        return size

    def decode_cursor(self, request: Request) -> Any:
        # DRF's own decoding skips characters that aren't base64 and would answer with the first page.
        given = request.query_params.get(self.cursor_query_param)
        if given is not None and not BASE64.fullmatch(given):
            raise self._not_ours()
        try:
            return super().decode_cursor(request)
        except NotFound:
            raise self._not_ours()

    def paginate_queryset(self, queryset: Any, request: Request, view: "APIView | None" = None) -> Any:
        try:
            return super().paginate_queryset(queryset, request, view)
        except (DjangoValidationError, ValueError):
            raise self._not_ours()

    @staticmethod
    def _not_ours() -> ValidationError:
        return ValidationError({"cursor": ["Follow the next and previous links; this is none of ours."]})


def exception_handler(error: Exception, context: dict[str, Any]) -> Response | None:
    """Answer an exception in the form ``{"field": ["message"]}`` or ``{"detail": "message"}``.

    Stands for DRF's own, which can't be called from here: its module reads this one while it loads.
    """
    refusal = _as_api_exception(error)
    if refusal is None:
        return None
    detail = refusal.detail
    data: dict[str, object] = {"detail": detail}
    if isinstance(detail, list):
        data = {api_settings.NON_FIELD_ERRORS_KEY: _messages(detail)}
    elif isinstance(detail, dict):
        # simplejwt's refusals have a detail and a code, each a string.
        data = {name: each if isinstance(each, str) else _messages(each) for name, each in detail.items()}
    headers = {}
    if challenge := getattr(refusal, "auth_header", None):
        headers["WWW-Authenticate"] = challenge
    if wait_s := getattr(refusal, "wait", None):
        headers["Retry-After"] = str(math.ceil(wait_s))
    return Response(data, status=refusal.status_code, headers=headers)


def _messages(detail: object) -> list[str]:
    """Flatten what serializers say of lists and of objects within objects: ``3: Expected a UUID.``"""
    if isinstance(detail, dict):
        return [f"{name}: {each}" for name, value in detail.items() for each in _messages(value)]
    if isinstance(detail, list):
        return [each for value in detail for each in _messages(value)]
    return [str(detail)]


def _as_api_exception(error: Exception) -> APIException | None:
    match error:
        case APIException():
            return error
        case Http404():
            return NotFound()
        case DjangoPermissionDenied():
            return PermissionDenied()
        case DjangoValidationError():
            return ValidationError(messages_by_field(error))
        case Conflict():
            return Contradiction(str(error))
        case TooMany():
            return Throttled(error.seconds)
        case _ if is_outage(error):
            log.error("dependency_unreachable", error=type(error).__name__)
            return Unreachable()
        case RequestDataTooBig():
            return TooLarge()
        case _:
            return None


def messages_by_field(error: DjangoValidationError) -> dict[str, list[str]]:
    if not hasattr(error, "error_dict"):
        return {api_settings.NON_FIELD_ERRORS_KEY: error.messages}
    return {
        (api_settings.NON_FIELD_ERRORS_KEY if field == NON_FIELD_ERRORS else field): messages
        for field, messages in error.message_dict.items()
    }


def slash_optional(route: str, view: Callable[..., Any], *, name: str | None = None) -> list[URLPattern]:
    """Route an API view with and without a slash at the end, so that no POST or PUT meets a redirect.

    Only the form with the slash is in the OpenAPI schema.
    """
    undocumented = view.cls.as_view(**{**view.initkwargs, "schema": None})  # type: ignore[attr-defined]
    return [path(f"{route}/", view, name=name), path(route, undocumented)]


def slashes_optional(*routes: "tuple[str, type[APIView], str]") -> list[URLPattern]:
    """Route several such views, each given as its route, its class and its name."""
    return [each for route, view, name in routes for each in slash_optional(route, view.as_view(), name=name)]
