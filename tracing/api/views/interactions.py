"""Taking in what phones saw of each other."""

from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import OpenApiExample, OpenApiResponse, extend_schema
from rest_framework.exceptions import ValidationError
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from config import clock
from config.rest.openapi import BODY, errors
from config.rest.views import stored
from tracing.api.parsers import CSVUploadParser, JSONUploadParser, NDJSONUploadParser
from tracing.api.serializers.interactions import InteractionSerializer, StoredSerializer
from tracing.intake import BadRecords, Records, interactions_store

EXAMPLE = {
    "my_id": 1696,
    "other_id": 1509,
    "timestamp_start": 1586167911,
    "timestamp_end": 1586168811,
    "interval": 900,
    "rssi": -61,
    "distance": 1.4,
    "platform": "android",
}
CSV_EXAMPLE = (
    "my_id,other_id,timestamp_start,timestamp_end,interval,rssi,distance,platform\n"
    "1696,1509,1586167911,1586168811,900,-61,1.4,android\n"
)


@extend_schema(tags=["tracing"])
class InteractionsView(APIView):
    """Takes records; you can't read them here."""

    parser_classes = [JSONUploadParser, NDJSONUploadParser, CSVUploadParser]

    @extend_schema(
        operation_id="tracing_interactions_create",
        request={
            "application/json": InteractionSerializer(many=True),
            "application/x-ndjson": OpenApiTypes.STR,
            "text/csv": OpenApiTypes.STR,
        },
        responses={
            201: OpenApiResponse(StoredSerializer, description="Stored, all of them."),
            200: OpenApiResponse(StoredSerializer, description="All of them were stored before."),
            **errors(*BODY, 403),
        },
        examples=[
            OpenApiExample("record", value=EXAMPLE, request_only=True, media_type="application/json"),
            OpenApiExample("csv", value=CSV_EXAMPLE, request_only=True, media_type="text/csv"),
            OpenApiExample(
                "stored",
                value={"records": 2, "new": 2, "known": 0, "too_short": 0, "intervals_differ": 0},
                response_only=True,
            ),
        ],
    )
    def post(self, request: Request) -> Response:
        """Upload records: a JSON list, NDJSON, or CSV with a line of names; gzipped if you like.

        If any record is invalid, nothing is stored: the answer names the bad ones, counted from 1, and says
        what was expected. No record is stored twice. The answer counts records shorter than 30 s, which no
        filter takes as contact.
        """
        try:
            records = request.data
        except BadRecords as error:
            raise refusal_of(error)
        if not isinstance(records, Records):
            raise ValidationError({"records": ["Expected a list of records."]})
        counts = interactions_store(records, now=clock.now())
        answer = {
            "records": len(records),
            "new": counts.new,
            "known": counts.known,
            "too_short": records.too_short,
            "intervals_differ": records.intervals_differ,
        }
        return stored(answer, is_new=bool(counts.new))


def refusal_of(error: BadRecords) -> ValidationError:
    named = [
        f"Record {number + 1}: {field}{': ' if field else ''}{message}"
        for number, field, message in error.faults
    ]
    noun = "record is" if error.records == 1 else "records are"
    return ValidationError(
        {"detail": f"{error.records} {noun} not acceptable; nothing was stored.", "records": named}
    )
