"""Reading uploads of records: one parser for each of three formats, packed by gzip or not."""

import zlib
from collections.abc import Mapping
from typing import IO, Any

from django.conf import settings
from rest_framework import status
from rest_framework.exceptions import APIException, ParseError, UnsupportedMediaType
from rest_framework.parsers import BaseParser

from tracing.intake import Columns, NotReadable, columns_of

GZIP_MAGIC = b"\x1f\x8b"
# A gzip header and trailer around the deflated data.
GZIP_WBITS = 31


class UploadTooLarge(APIException):
    status_code = status.HTTP_413_REQUEST_ENTITY_TOO_LARGE
    default_code = "too_large"

    def __init__(self) -> None:
        limit = settings.TRACING_UPLOAD_MAX_BYTES
        super().__init__(f"The body is larger than {limit} bytes, as sent or unpacked.")


class UploadParser(BaseParser):
    """Reads a body into columns. What it holds is checked by the view."""

    def parse(  # type: ignore[override]  # the view knows what it gets
        self,
        stream: IO[Any],
        media_type: str | None = None,
        parser_context: Mapping[str, Any] | None = None,
    ) -> Columns:
        request = (parser_context or {})["request"]
        encoding = request.META.get("HTTP_CONTENT_ENCODING", "").strip().lower()
        if encoding not in ("", "identity", "gzip"):
            raise UnsupportedMediaType(media_type or "", f'Unsupported content encoding "{encoding[:50]}".')
        limit = settings.TRACING_UPLOAD_MAX_BYTES
        data = stream.read(limit + 1)
        if len(data) > limit:
            raise UploadTooLarge
        if encoding == "gzip" or data.startswith(GZIP_MAGIC):
            data = unpacked(data, limit)
        try:
            return columns_of(data, self.media_type)
        except NotReadable as error:
            raise ParseError(str(error))


class JSONUploadParser(UploadParser):
    media_type = "application/json"


class NDJSONUploadParser(UploadParser):
    media_type = "application/x-ndjson"


class CSVUploadParser(UploadParser):
    media_type = "text/csv"


def unpacked(data: bytes, limit: int) -> bytes:
    """Unpack gzip, never into more than the limit: a small body can hold gigabytes of nothing."""
    parts, left = [], limit
    while data:
        unpacker = zlib.decompressobj(GZIP_WBITS)
        try:
            part = unpacker.decompress(data, left + 1)
        except zlib.error:
            raise ParseError("The body is not valid gzip.")
        if len(part) > left:
            raise UploadTooLarge
        if not unpacker.eof:
            raise ParseError("The gzip ends too early.")
        parts.append(part)
        left -= len(part)
        # Several packed one after the other are one, as gzip(1) has it.
        data = unpacker.unused_data
    return b"".join(parts)
