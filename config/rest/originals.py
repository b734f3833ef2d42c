"""What the originals took besides, as Django REST framework does by default: their clients may rely on it."""

import re
from collections.abc import Mapping
from datetime import datetime
from io import BytesIO
from typing import IO, Any, Final
from urllib.parse import parse_qsl
from uuid import UUID

from rest_framework import serializers
from rest_framework.exceptions import ParseError
from rest_framework.parsers import BaseParser
from rest_framework.request import Request

from config.rest.api import BoundedJSONParser, JSONOnly, read_bounded
from config.rest.fields import UnixTimeField

#: Of a form; what is asked for here has five.
FIELDS_MAX: Final = 100
_GROUPS: Final = r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}"
_UUID: Final = re.compile(rf"(urn:uuid:)?({_GROUPS}|[0-9a-f]{{32}})|\{{({_GROUPS}|[0-9a-f]{{32}})\}}", re.I)
_NUMBER: Final = re.compile(r"-?[0-9]{1,20}(\.[0-9]{0,20})?([eE][+-]?[0-9]{1,2})?", re.ASCII)


class AnyUUIDField(serializers.UUIDField):
    """A JSON string that is a UUID: in five groups or without dashes, in braces or as a URN."""

    default_error_messages = {"invalid": "Expected a UUID, such as 33cbb18c-3e9d-4acc-9667-2fbe7bf29137."}

    def to_internal_value(self, data: Any) -> UUID:
        if isinstance(data, str) and _UUID.fullmatch(data):
            return UUID(data)
        return self.fail("invalid")


class AnyUnixTimeField(UnixTimeField):
    """Seconds since 1970 (UTC), as a JSON number or as text that spells one."""

    def to_internal_value(self, data: Any) -> datetime:
        if isinstance(data, str) and _NUMBER.fullmatch(text := data.strip(" ")):
            data = float(text) if "." in text or "e" in text.lower() else int(text)
        return super().to_internal_value(data)


class FormParser(BaseParser):
    """A form; or JSON from a client that says of it that it is a form, as ``curl -d`` does."""

    media_type = "application/x-www-form-urlencoded"

    def parse(
        self, stream: IO[Any], media_type: str | None = None, parser_context: Mapping[str, Any] | None = None
    ) -> Any:
        raw = read_bounded(stream)
        if raw.lstrip()[:1] in (b"{", b"["):
            return BoundedJSONParser().parse(BytesIO(raw))
        try:
            # Of several of one name the last counts.
            return dict(
                parse_qsl(raw.decode(), keep_blank_values=True, errors="strict", max_num_fields=FIELDS_MAX)
            )
        except ValueError:
            raise ParseError(f"The body is not a form in UTF-8 of at most {FIELDS_MAX} fields.")


class AnyContentType(JSONOnly):
    """A body without a content type is JSON, as that of ``requests.post(url, data=json.dumps(…))``."""

    def select_parser(self, request: Request, parsers: Any) -> Any:
        return super().select_parser(request, parsers) if request.content_type else parsers[0]


#: Of views that take all of these: the first is that of a body without a content type.
PARSERS: Final = [BoundedJSONParser, FormParser]
