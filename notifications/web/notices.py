"""Items of an inbox as pages show them."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from django.conf import settings
from django.http import HttpRequest
from django.template.loader import render_to_string

from notifications.inbox.items import item_of
from notifications.models import Delivery, Severity


@dataclass(frozen=True, slots=True)
class Notice:
    pk: UUID
    number: int
    title: str
    body: str
    language: str
    is_critical: bool
    created_at: datetime
    is_read: bool


def notice_of(delivery: Delivery) -> Notice:
    shown, told = item_of(delivery), delivery.notification
    # What is not there in a person's language is there in the default one.
    language = delivery.language if delivery.language in told.texts else settings.LANGUAGE_CODE
    return Notice(
        pk=delivery.pk,
        number=shown["number"],
        title=shown["title"],
        body=shown["body"],
        language=language,
        is_critical=told.severity == Severity.CRITICAL,
        created_at=delivery.created_at,
        is_read=delivery.read_at is not None,
    )


def rendered(request: HttpRequest, deliveries: Iterable[Delivery]) -> str:
    """Return the list items of these deliveries as HTML."""
    context: dict[str, Any] = {"notices": [notice_of(each) for each in deliveries]}
    return render_to_string("web/_notice_list.html", context, request).strip()
