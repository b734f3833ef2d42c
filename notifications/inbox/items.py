"""An item of the inbox as its person sees it: the same in the API, in pages and on the stream."""

from datetime import UTC, datetime
from typing import Any, TypedDict
from uuid import UUID

from notifications.channels.inbox import InboxChannel
from notifications.messages.instants import by_clock_of
from notifications.messages.texts import Texts, text_for
from notifications.models import InboxItem


class Item(TypedDict):
    """What is shown; times are ISO 8601 in UTC."""

    id: str
    number: int
    kind: str
    title: str
    body: str
    data: Any
    severity: str
    created_at: str
    read_at: str | None


def item_of(stored: InboxItem, *, time_zone: str) -> Item:
    """Return an item as it is shown to somebody of this zone; its notification must be loaded."""
    told = stored.notification
    return item(
        id=stored.pk,
        number=stored.number,
        kind=told.kind,
        title=told.title,
        body=told.body,
        texts=told.texts,
        language=stored.language,
        data=told.data,
        severity=told.severity,
        created_at=stored.created_at,
        read_at=stored.read_at,
        time_zone=time_zone,
    )


def item(
    *,
    id: UUID,
    number: int,
    kind: str,
    title: str,
    body: str,
    texts: Texts,
    language: str,
    data: Any,
    severity: str,
    created_at: datetime,
    read_at: datetime | None,
    time_zone: str,
) -> Item:
    """Return an item in the language that its person had when it came, by their clock."""
    said = text_for(title, body, texts, language=language, channel=InboxChannel.name)
    title, body = by_clock_of(time_zone, *said)
    return {
        "id": str(id),
        "number": number,
        "kind": kind,
        "title": title,
        "body": body,
        "data": data,
        "severity": severity,
        "created_at": iso(created_at),
        "read_at": iso(read_at) if read_at else None,
    }


def iso(moment: datetime) -> str:
    """A time as DRF's own field writes it: ISO 8601, in UTC."""
    return moment.astimezone(UTC).isoformat().replace("+00:00", "Z")
