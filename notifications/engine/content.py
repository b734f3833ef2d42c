"""What the sender needs of notifications: read once each, since thousands of deliveries share one."""

from collections import OrderedDict
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from typing import Any, NamedTuple, cast
from uuid import UUID

import orjson

from config.statements import named
from notifications.channels import registry
from notifications.channels.message import Message
from notifications.channels.registry import FOR_PROGRAMS
from notifications.database import Database
from notifications.engine.claim import Claimed
from notifications.messages.instants import by_clock_of, says_any, says_any_in
from notifications.messages.links import OPENING, linked
from notifications.messages.placeholders import filled, is_private
from notifications.messages.texts import Texts, text_for
from notifications.models import Notification

_READ = """
SELECT id, kind, title, body, texts, severity, data, created_at, source_id
  FROM notifications_notification WHERE id = ANY (%(ids)s)
"""
named("engine.content", "Read the notifications of what is to be sent.", _READ)

_ZONES = "SELECT uuid, time_zone FROM accounts_user WHERE uuid = ANY (%(users)s) AND time_zone <> 'UTC'"
named("engine.zones", "Read the time zones of whoever is to be told.", _ZONES)
named(
    "phone.caller-ids",
    "Read which number calls show, by the prefix of who is called.",
    lambda: registry.get("phone").before_compose_sql,
)

# What is kept of notifications, in bytes of their texts and data: one may have a quarter of a million.
KEEP_BYTES = 16_000_000
# What one takes even so, for its keys and objects.
_OVERHEAD = 1000


class Content(NamedTuple):
    id: UUID
    kind: str
    title: str
    body: str
    texts: Texts
    severity: str
    data: dict[str, Any]
    created_at: Any
    #: Kept for its channels: see notifications.channels.message.Message.
    shared: dict[Any, Any]
    #: By whose clocks its texts say times.
    time_zone: str = "UTC"
    #: What it is about.
    source_id: str = ""

    def by_clock_of(self, time_zone: str) -> "Content":
        """Return the same for people of another zone; one object for all of them."""
        if time_zone == self.time_zone:
            return self
        there = self.shared.get(time_zone)
        if there is None:
            there = self.shared[time_zone] = self._replace(time_zone=time_zone, shared={})
        return cast("Content", there)


def content_of(row: Claimed, notification: Notification, *, time_zone: str) -> Content:
    """Return what the sender needs of a row's notification, just stored; the zone is the person's."""
    content = Content(
        id=row.notification_id,
        kind=notification.kind,
        title=notification.title,
        body=notification.body,
        texts=notification.texts,
        severity=notification.severity,
        data=notification.data,
        created_at=notification.created_at,
        shared={},
        source_id=notification.source_id,
    )
    return content if row.channel in FOR_PROGRAMS else content.by_clock_of(time_zone)


class Preparation(NamedTuple):
    """What a channel has read before its messages are composed, and what takes the rows."""

    sql: str
    parameters: dict[str, Any]
    take: Callable[[Sequence[tuple[Any, ...]]], None]


def preparations(rows: Sequence[Claimed], contents: Sequence[Content | None]) -> Iterator[Preparation]:
    """Yield what the channels of these rows have read; the contents are those of the rows, in their order."""
    for name in {row.channel for row in rows}:
        channel = registry.sendable(name)
        if sql := channel.before_compose_sql:
            told = zip(rows, contents, strict=True)
            messages = [(row.user_id, each.shared) for row, each in told if row.channel == name and each]
            users = [person for person, _ in messages if person is not None]
            yield Preparation(sql, {"users": users}, partial(channel.before_compose, messages=messages))


class Contents:
    """The notifications last used, by id."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._known: OrderedDict[UUID, tuple[Content, int]] = OrderedDict()
        self._bytes = 0

    async def of(self, rows: Sequence[Claimed]) -> list[Content | None]:
        """Return the notification of each row, in the rows' order; None where it was deleted meanwhile."""
        wanted = dict.fromkeys(row.notification_id for row in rows)
        missing = [key for key in wanted if key not in self._known]
        found = {key: self._known[key][0] for key in wanted if key in self._known}
        for key in found:
            self._known.move_to_end(key)
        if missing:
            for *told, source_id in await self._database.rows(_READ, {"ids": missing}):
                read = Content._make((*told, {}, "UTC", source_id))
                found[read.id] = read
                self._keep(read)
        contents = [found.get(row.notification_id) for row in rows]
        timed = {
            row.user_id
            for row, content in zip(rows, contents, strict=True)
            if content and row.user_id and row.channel not in FOR_PROGRAMS
            if says_any(content.title, content.body) or says_any_in(content.texts)
        }
        if timed:
            zones: dict[UUID, str] = dict(await self._database.rows(_ZONES, {"users": list(timed)}))
            for place, (row, content) in enumerate(zip(rows, contents, strict=True)):
                zone = zones.get(row.user_id) if row.user_id and row.channel not in FOR_PROGRAMS else None
                if content and zone:
                    contents[place] = content.by_clock_of(zone)
        for sql, parameters, take in preparations(rows, contents):
            take(await self._database.rows(sql, parameters))
        return contents

    def _keep(self, content: Content) -> None:
        """Keep one more, and let go of those that have not been used for longest."""
        size = _OVERHEAD + len(orjson.dumps([content.title, content.body, content.texts, content.data]))
        _, before = self._known.pop(content.id, (None, 0))  # two may have read it at once
        self._known[content.id] = content, size
        self._bytes += size - before
        while self._bytes > KEEP_BYTES:
            _, (_, size) = self._known.popitem(last=False)
            self._bytes -= size

    async def close(self) -> None:
        await self._database.close()


def message_of(row: Claimed, content: Content, *, on_begin: Callable[[], None] | None) -> Message:
    """Return a claimed row as its channel sees it: in the person's language, and in the channel's words."""
    title, body = text_for(
        content.title, content.body, content.texts, language=row.language, channel=row.channel
    )
    if OPENING in title or OPENING in body:
        if is_private(content.kind):
            title, body = filled(content.kind, row.channel, content.data, title, body)
        title, body = linked(row.id, row.channel, title, body)
    title, body = by_clock_of(content.time_zone, title, body)
    return Message(
        delivery_id=row.id,
        user_uuid=row.user_id,
        contact_point_id=row.contact_point_id,
        channel=row.channel,
        address=row.address,
        kind=content.kind,
        title=title,
        body=body,
        severity=content.severity,
        data=content.data,
        created_at=content.created_at,
        attempt=row.attempt,
        language=row.language,
        secret_version=row.secret_version or 1,
        secret_rotated_at=row.secret_rotated_at,
        on_begin=on_begin,
        shared=content.shared,
    )
