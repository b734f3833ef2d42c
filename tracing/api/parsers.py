"""Reading uploads of records: one parser for each of three formats, packed by gzip or not."""

from collections.abc import Mapping
from typing import IO, Any, Final

from rest_framework import status
from rest_framework.exceptions import APIException, ParseError, UnsupportedMediaType, ValidationError
from rest_framework.parsers import BaseParser

from config import clock
from config.rest.api import Unreachable
from tracing.intake import Busy, NotReadable, Records, TooHeavy, TooLarge, TooMany, records_read

BLOCK_BYTES: Final = 65_536


class UploadTooLarge(APIException):
    status_code = status.HTTP_413_REQUEST_ENTITY_TOO_LARGE
    default_code = "too_large"


class TooManyUploads(Unreachable):
    default_detail = "Too many uploads are in progress. Nothing was changed; try again."


class UploadParser(BaseParser):
    """Reads a body into checked records; ``BadRecords`` is for the view."""

    def parse(  # type: ignore[override]  # the view knows what it gets
        self, stream: IO[Any], media_type: str | None = None, parser_context: Mapping[str, Any] | None = None
    ) -> Records:
        request = (parser_context or {})["request"]
        encoding = request.META.get("HTTP_CONTENT_ENCODING", "").strip().lower()
        if encoding not in ("", "identity", "gzip"):
            raise UnsupportedMediaType(media_type or "", f'Unsupported content encoding "{encoding[:50]}".')
        blocks = iter(lambda: stream.read(BLOCK_BYTES), b"")
        try:
            return records_read(blocks, self.media_type, is_gzip=encoding == "gzip", now=clock.now())
        except (TooLarge, TooHeavy) as error:
            raise UploadTooLarge(str(error))
        except TooMany as error:
            raise ValidationError({"records": [str(error)]})
        except NotReadable as error:
            raise ParseError(str(error))
        except Busy:
            raise TooManyUploads


class JSONUploadParser(UploadParser):
    media_type = "application/json"


class NDJSONUploadParser(UploadParser):
    media_type = "application/x-ndjson"


class CSVUploadParser(UploadParser):
    media_type = "text/csv"
