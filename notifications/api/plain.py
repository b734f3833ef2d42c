"""The plain case of posting one alert: an API key, a body with nothing odd, an id that is new.

It is answered here without DRF, which would take most of the time. Whatever is not plain is left to DRF,
which begins anew: so every refusal and every message has one place, and this one can only say 201.
"""

from collections.abc import Mapping
from datetime import UTC, datetime
from http import HTTPStatus
from io import BytesIO
from typing import Any, Final

from django.conf import settings
from django.http import HttpRequest, HttpResponse
from rest_framework.exceptions import APIException
from rest_framework.renderers import JSONRenderer

from accounts.api.authentication import USED_EVERY, key_from_header, mark_used
from accounts.models import ApiKey
from config import clock
from config.digits import whole
from config.rest.api import BoundedJSONParser
from config.rest.fields import UNIX_TIME_END, uuid_of
from notifications.api.serializers import AlertSerializer
from notifications.cutting import is_http_url
from notifications.models import Alert
from notifications.services.alerts import AcceptedByKey, Posted, alerts_accept_by_key

_LABELS: Final = frozenset(Alert.Label.values)
_parse = BoundedJSONParser().parse
_render = JSONRenderer().render
_represent = AlertSerializer().to_representation


def answer(request: HttpRequest, *, allow: str) -> HttpResponse | None:
    """Accept an alert, and return the answer; None where DRF is to see to it, and nothing has been stored."""
    if whole(request.META.get("CONTENT_LENGTH") or "", most=settings.REQUEST_MAX_BYTES) is None:
        return None
    asked = asked_of(
        request.META.get("CONTENT_TYPE", ""), request.META.get("HTTP_AUTHORIZATION", ""), request.body
    )
    if asked is None:
        return None
    (accepted,) = alerts_accept_by_key(posted=[asked], now=clock.now())
    if accepted is None:
        return None
    note_use(accepted)
    return HttpResponse(
        content_of(accepted),
        status=HTTPStatus.CREATED,
        content_type="application/json",
        headers={"Allow": allow},
    )


def asked_of(content_type: str, authorization: str, body: bytes) -> tuple[Posted, str] | None:
    """Return what is posted and the digest of the key that it comes with; None where it is not plain."""
    if content_type != "application/json":
        return None
    try:
        key = key_from_header(authorization)
        posted = key and posted_from(_parse(BytesIO(body)))
    except APIException:
        return None
    return (posted, ApiKey.digest_of(key)) if key and posted else None


def content_of(accepted: AcceptedByKey) -> bytes:
    """Return the body of the answer to an alert that is new."""
    content: bytes = _render(_represent(accepted.alert))
    return content


def note_use(accepted: AcceptedByKey) -> None:
    """Note that its key was used, once a minute."""
    last_used_at = accepted.key.last_used_at
    if last_used_at is None or accepted.alert.received_at - last_used_at >= USED_EVERY:
        mark_used(accepted.key)


def posted_from(body: object) -> Posted | None:
    """Return what the serializer makes of a body, or None where it may refuse it."""
    if not isinstance(body, Mapping):
        return None
    url, location, label = body.get("url"), body.get("location"), body.get("label")
    alert_uuid, moment = uuid_of(body.get("alert_uuid")), _moment(body.get("time_spotted"))
    if not (isinstance(url, str) and len(url) <= 2048 and is_http_url(url)):
        return None
    if not (isinstance(location, str) and 0 < len(location) <= 200 and location.isprintable()):
        return None
    if location != location.strip() or not isinstance(label, str) or label not in _LABELS:
        return None
    if alert_uuid is None or moment is None:
        return None
    return Posted(alert_uuid=alert_uuid, url=url, location=location, label=label, time_spotted=moment)


def _moment(seconds: Any) -> datetime | None:
    if type(seconds) not in (int, float) or not seconds >= 0 or not round(seconds, 6) < UNIX_TIME_END:
        return None
    return datetime.fromtimestamp(seconds, UTC)
