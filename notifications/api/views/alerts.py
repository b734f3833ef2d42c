"""Taking in alerts, and showing what became of them."""

from typing import Any
from uuid import UUID

from django.db.models import QuerySet
from django.http import HttpRequest
from django.http.response import HttpResponseBase
from drf_spectacular.utils import OpenApiExample, OpenApiResponse, extend_schema
from rest_framework import status
from rest_framework.exceptions import APIException, ValidationError
from rest_framework.generics import GenericAPIView, get_object_or_404
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from accounts.models import ApiKey
from config.rest.api import BoundedJSONParser, exception_handler
from config.rest.openapi import BODY, errors
from config.rest.originals import PARSERS, AnyContentType
from config.rest.views import stored, validated
from notifications import selectors
from notifications.api import plain
from notifications.api.filters import AlertFilter
from notifications.api.serializers import (
    AlertDetailSerializer,
    AlertInSerializer,
    AlertListedSerializer,
    AlertSerializer,
    AlertVerdictsSerializer,
)
from notifications.models import Alert
from notifications.services.alerts import Accepted, Posted, Verdict, alert_accept, alerts_accept

BATCH_MOST = 1000

EXAMPLE = {
    "url": "https://media.example.com/b36006d7-adfa-4f3c-a56c-addcb4e4f95d.mp4",
    "location": "fr-auchan-larochelle",
    "alert_uuid": "33cbb18c-3e9d-4acc-9667-2fbe7bf29137",
    "label": "theft",
    "time_spotted": 1742470260.083,
}
EXAMPLE_ANSWER = {
    **EXAMPLE,
    "severity": "critical",
    "shop": {
        "id": "0198c7f2-54b1-7d6e-8a53-6f2b1f0c9e11",
        "slug": "fr-auchan-larochelle",
        "name": "Auchan La Rochelle",
    },
    "received_at": "2025-03-20T11:31:00.412000Z",
}
EXAMPLE_VERDICTS = {
    "results": [
        {"status": 201, "alert": EXAMPLE_ANSWER},
        {"status": 400, "errors": {"location": ["No shop has this slug or name."]}},
    ]
}
# Anything may stand in the list: it is answered by itself.
ALERT_OR_NOT: dict[str, Any] = {"anyOf": [{"$ref": "#/components/schemas/AlertInRequest"}, {}]}
LIST: dict[str, Any] = {"type": "array", "minItems": 1, "maxItems": BATCH_MOST}
CLOUD_EVENTS = "application/cloudevents-batch+json"
EVENT_TYPE = "tocsin.alert"
CLOUD_EVENT: dict[str, Any] = {
    "type": "object",
    "required": ["specversion", "id", "source", "type", "data"],
    "properties": {
        "specversion": {"type": "string", "enum": ["1.0"]},
        "id": {"type": "string"},
        "source": {"type": "string"},
        "type": {"type": "string", "enum": [EVENT_TYPE]},
        "data": ALERT_OR_NOT,
    },
}
BATCHES = {
    "application/json": LIST | {"items": ALERT_OR_NOT},
    CLOUD_EVENTS: LIST | {"items": {"anyOf": [CLOUD_EVENT, {}]}},
}
EXAMPLE_EVENTS = [
    {
        "specversion": "1.0",
        "id": EXAMPLE["alert_uuid"],
        "source": "/cameras/7",
        "type": EVENT_TYPE,
        "data": {name: value for name, value in EXAMPLE.items() if name != "alert_uuid"},
    }
]
# Made once: to make them anew costs more than what they do for an alert.
ALERT_IN, ALERT_OUT = AlertInSerializer(), AlertSerializer()


@extend_schema(tags=["alerts"])
class AlertsView(GenericAPIView[Alert]):
    """Also at the original's paths: `/webhooks/alerts/` and `/webhook/notifications`."""

    content_negotiation_class = AnyContentType
    parser_classes = PARSERS
    serializer_class = AlertSerializer
    filterset_class = AlertFilter
    ordering = ("-received_at", "-alert_uuid")
    queryset = Alert.objects.none()
    ALLOW = "GET, POST, HEAD, OPTIONS"

    def dispatch(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponseBase:
        if request.method == "POST" and (answer := plain.answer(request, allow=self.ALLOW)):
            return answer
        return super().dispatch(request, *args, **kwargs)

    def get_queryset(self) -> QuerySet[Alert]:
        return selectors.alerts_visible_to(self.request.user)

    @extend_schema(
        operation_id="alerts_create",
        request=AlertInSerializer,
        responses={
            201: OpenApiResponse(
                AlertSerializer, description="Accepted: it will be delivered, whatever happens."
            ),
            200: OpenApiResponse(AlertSerializer, description="The same alert was accepted before."),
            **errors(*BODY, 403, 409),
        },
        examples=[
            OpenApiExample("theft", value=EXAMPLE, request_only=True),
            OpenApiExample("accepted", value=EXAMPLE_ANSWER, response_only=True, status_codes=["201", "200"]),
        ],
    )
    def post(self, request: Request) -> Response:
        """Post an alert. Repeating the request returns 200; the same id with other content, 409.

        Other fields are ignored.
        """
        posted = Posted(**validated(AlertInSerializer(data=request.data)))
        received_from = request.auth if isinstance(request.auth, ApiKey) else None
        accepted = alert_accept(posted=posted, received_from=received_from)
        return stored(AlertSerializer(accepted.alert).data, is_new=accepted.is_new)

    @extend_schema(
        operation_id="alerts_list", responses={200: AlertListedSerializer(many=True), **errors(400, 403)}
    )
    def get(self, request: Request) -> Response:
        """List alerts, newest first: all for staff and machines, for others those of their shops."""
        page = self.paginate_queryset(self.filter_queryset(self.get_queryset()))
        return self.get_paginated_response(AlertListedSerializer(page, many=True).data)


class BatchTooLong(APIException):
    status_code = status.HTTP_413_REQUEST_ENTITY_TOO_LARGE


class CloudEventsParser(BoundedJSONParser):
    """The JSON batch format of CloudEvents 1.0: each alert is the ``data`` of an event."""

    media_type = CLOUD_EVENTS


@extend_schema(tags=["alerts"])
class AlertsBatchView(APIView):
    parser_classes = [BoundedJSONParser, CloudEventsParser]

    @extend_schema(
        operation_id="alerts_create_batch",
        request=BATCHES,
        responses={
            200: OpenApiResponse(
                AlertVerdictsSerializer, description="A verdict on each; those with 201 will be delivered."
            ),
            **errors(*BODY, 403),
        },
        examples=[
            OpenApiExample(
                "two",
                value=[EXAMPLE, EXAMPLE | {"location": "nowhere"}],
                request_only=True,
                media_type="application/json",
            ),
            OpenApiExample("events", value=EXAMPLE_EVENTS, request_only=True, media_type=CLOUD_EVENTS),
            OpenApiExample("verdicts", value=EXAMPLE_VERDICTS, response_only=True, status_codes=["200"]),
        ],
    )
    def post(self, request: Request) -> Response:
        """Post up to 1,000 alerts. Each gets the answer that it would get alone.

        The verdicts come in the order of the alerts. Refusing one doesn't affect the others.
        As CloudEvents, each is the `data` of an event of the type `tocsin.alert`, whose `id` is its
        `alert_uuid` if it names none.
        """
        bodies = request.data
        if not isinstance(bodies, list) or not bodies:
            raise ValidationError([f"Expected a list of 1 to {BATCH_MOST} alerts."])
        if len(bodies) > BATCH_MOST:
            raise BatchTooLong(f"Expected at most {BATCH_MOST} alerts, not {len(bodies)}.")
        received_from = request.auth if isinstance(request.auth, ApiKey) else None
        check = _checked_event if request.content_type.startswith(CLOUD_EVENTS) else _checked
        checked = [check(body) for body in bodies]
        posted = [each for each in checked if isinstance(each, Posted)]
        verdicts = iter(alerts_accept(posted=posted, received_from=received_from) if posted else [])
        results = [_result(next(verdicts) if isinstance(each, Posted) else each) for each in checked]
        return Response({"results": results})


def _checked(body: object) -> Posted | ValidationError:
    try:
        return plain.posted_from(body) or Posted(**ALERT_IN.run_validation(body))
    except ValidationError as error:
        return error


def _checked_event(event: object) -> Posted | ValidationError:
    if not isinstance(event, dict) or event.get("specversion") != "1.0":
        return ValidationError({"specversion": ["Expected an event of CloudEvents 1.0."]})
    if event.get("type") != EVENT_TYPE:
        return ValidationError({"type": [f"Expected {EVENT_TYPE}."]})
    data = event.get("data")
    if not isinstance(data, dict):
        return ValidationError({"data": ["Expected an alert, as JSON."]})
    return _checked({"alert_uuid": event.get("id"), **data})


def _result(verdict: Verdict | ValidationError) -> dict[str, Any]:
    if isinstance(verdict, Accepted):
        return {"status": 201 if verdict.is_new else 200, "alert": ALERT_OUT.to_representation(verdict.alert)}
    refusal = exception_handler(verdict, {})
    assert refusal is not None
    return {"status": refusal.status_code, "errors": refusal.data}


@extend_schema(tags=["alerts"])
class AlertView(GenericAPIView[Alert]):
    serializer_class = AlertDetailSerializer

    @extend_schema(operation_id="alerts_read", responses={200: AlertDetailSerializer, **errors(403, 404)})
    def get(self, request: Request, alert_uuid: UUID) -> Response:
        """Show one alert and how many deliveries are in each state; only your own unless you are staff."""
        alert = get_object_or_404(selectors.alerts_visible_to(request.user), pk=alert_uuid)
        deliveries = selectors.of_alert(selectors.deliveries_visible_to(request.user), alert_uuid)
        alert.deliveries = selectors.deliveries_by_status(deliveries)  # type: ignore[attr-defined]
        alert.group_size = selectors.group_size(alert)  # type: ignore[attr-defined]
        return Response(AlertDetailSerializer(alert).data)
