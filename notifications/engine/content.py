"""What the sender needs of notifications: read once each, since thousands of deliveries share one."""

from collections import OrderedDict
from collections.abc import Callable, Iterable, Sequence
from typing import Any, NamedTuple
from uuid import UUID

import orjson

from notifications.channels import bot, caller_ids
from notifications.channels.base import Message
from notifications.engine.claim import Claimed
from notifications.engine.database import Database
from notifications.messages.links import OPENING, linked
from notifications.messages.placeholders import filled, is_private
from notifications.messages.texts import Texts, text_for
from notifications.models import Notification

_READ = """
SELECT id, kind, title, body, texts, severity, data, created_at
  FROM notifications_notification WHERE id = ANY (%(ids)s)
"""

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
    #: Kept for its channels: see notifications.channels.base.Message.
    shared: dict[Any, Any]


def content_of(pk: UUID, notification: Notification) -> Content:
    """Return what the sender needs of a notification that has just been stored under this id."""
    return Content(
        id=pk,
        kind=notification.kind,
        title=notification.title,
        body=notification.body,
        texts=notification.texts,
        severity=notification.severity,
        data=notification.data,
        created_at=notification.created_at,
        shared={},
    )


def of_bot(rows: Iterable[Claimed]) -> list[UUID]:
    """Return the people whom the dating bot is to tell something, where it has numbers of its own."""
    if not bot.numbers_statement():
        return []
    return [row.user_id for row in rows if row.channel == "bot" and row.user_id is not None]


def bot_numbers_note(
    told: Iterable[tuple[Claimed, Content | None]], numbers: Iterable[tuple[UUID, int]]
) -> None:
    """Have at hand for each message of the bot by which number it knows that person."""
    known = dict(numbers)
    for row, content in told:
        if content is not None and row.channel == "bot" and row.user_id in known:
            bot.number_note(content.shared, row.user_id, known[row.user_id])


class Contents:
    """The notifications last used, by id."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._known: OrderedDict[UUID, tuple[Content, int]] = OrderedDict()
        self._bytes = 0

    async def of(self, rows: Sequence[Claimed]) -> list[Content | None]:
        """Return the notification of each row, in the rows' order; None where it was deleted meanwhile."""
        if any(row.channel == "phone" for row in rows):
            caller_ids.use(await self._database.rows(caller_ids.READ, {}))
        wanted = dict.fromkeys(row.notification_id for row in rows)
        missing = [key for key in wanted if key not in self._known]
        found = {key: self._known[key][0] for key in wanted if key in self._known}
        for key in found:
            self._known.move_to_end(key)
        if missing:
            for row in await self._database.rows(_READ, {"ids": missing}):
                found[row[0]] = Content._make((*row, {}))
                self._keep(found[row[0]])
        contents = [found.get(row.notification_id) for row in rows]
        if people := of_bot(rows):
            numbers = await self._database.rows(bot.numbers_statement(), {"users": people})
            bot_numbers_note(zip(rows, contents, strict=True), numbers)
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
