"""Pages of an inbox, unread first and then newest, that stay right while items arrive and are read."""

import base64
import binascii
import json
import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import Any, Final, Self

from django.conf import settings

from accounts.models import User
from config import clock, sql
from config.statements import named
from notifications.channels.inbox import InboxChannel
from notifications.models import InboxItem, Notification

UNREAD, READ = 0, 1
EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
MOST = 2**63 - 1


@dataclass(frozen=True, slots=True)
class Cursor:
    """A place in the order of a list that was begun at ``as_of``.

    The order is that of then: an item that has been read since keeps its place among the unread ones. So
    what was shown is not shown again as read, and what was not yet is not left out.
    """

    as_of: datetime
    section: int
    number: int
    backwards: bool = False

    def encode(self) -> str:
        moment = (self.as_of - EPOCH) // timedelta(microseconds=1)
        text = f"{moment}.{self.section}.{self.number}.{int(self.backwards)}"
        return base64.urlsafe_b64encode(text.encode()).decode().rstrip("=")

    @classmethod
    def decode(cls, text: str) -> Self:
        """Read what ``encode`` wrote.

        Raises:
            ValueError: it is something else.
        """
        try:
            plain = base64.b64decode(text + "=" * (-len(text) % 4), altchars=b"-_", validate=True)
            moment, section, number, backwards = (int(part) for part in plain.split(b".") if part.isdigit())
            as_of = EPOCH + timedelta(microseconds=moment)
        except (binascii.Error, ValueError, OverflowError) as error:
            raise ValueError("not a cursor of an inbox") from error
        if section not in (UNREAD, READ) or number > MOST or backwards not in (0, 1):
            raise ValueError("not a cursor of an inbox")
        return cls(as_of, section, number, bool(backwards))


@dataclass(frozen=True, slots=True)
class Page:
    items: list[InboxItem]
    next: Cursor | None
    previous: Cursor | None


# Written out, since putting such a statement together with the ORM costs several times what running it does.
_TOLD_OF: Final = "JOIN notifications_notification AS told ON told.id = item.notification_id"
# The text that its person reads, as messages.texts.text_for finds it, but for times by their own clock.
_SAYS: Final = """
(SELECT said ->> 0 ILIKE %(text)s OR said ->> 1 ILIKE %(text)s
   FROM coalesce(told.texts -> item.language -> %(channel)s, told.texts -> item.language -> '',
                 CASE WHEN NOT told.texts ? item.language
                      THEN coalesce(told.texts -> %(default)s -> %(channel)s, told.texts -> %(default)s -> '')
                      END,
                 jsonb_build_array(told.title, told.body)) AS said)
"""
_CONDITIONS: Final = {
    "kind": "told.kind = %(kind)s",
    "domain": "(told.kind = %(domain)s OR starts_with(told.kind, %(domain)s || '.'))",
    "severity": "told.severity = %(severity)s",
    "text": _SAYS,
}
#: What may be rare is looked for among so many of the newest items.
LOOKED_THROUGH: Final = 10_000
_AMONG_THE_NEWEST: Final = """
 AND item.number > (SELECT last_number FROM notifications_inbox WHERE user_id = %(user)s) - %(looked_through)s
"""
# In the models' order, by which Django takes them.
_ITEM: Final = ("delivery_id", "number", "language", "created_at", "read_at", "snoozed_until")
_TOLD: Final = ("id", "kind", "title", "body", "texts", "data", "severity")
_UNREAD: Final = "item.read_at IS NULL"
_READ: Final = "item.read_at IS NOT NULL"
_READ_BEFORE: Final = "item.read_at <= %(as_of)s"
_READ_SINCE: Final = "item.read_at > %(as_of)s"


@dataclass(frozen=True, slots=True)
class Wanted:
    """Which items of a person's inbox; None stands for all.

    ``domain`` is the first word of kinds, such as ``dating``; ``text`` stands in the title or the body that
    the person reads. These and ``severity`` are looked for among the newest ``LOOKED_THROUGH`` items.
    """

    user: User
    unread: bool | None = None
    kind: str | None = None
    domain: str | None = None
    severity: str | None = None
    text: str | None = None

    @property
    def conditions(self) -> list[str]:
        """The names of what a notification must be."""
        return [name for name in _CONDITIONS if getattr(self, name) is not None]

    @property
    def parameters(self) -> dict[str, Any]:
        return {
            "user": self.user.pk,
            "kind": self.kind,
            "domain": self.domain,
            "severity": self.severity,
            "text": f"%{_literal(self.text)}%" if self.text else None,
            "channel": InboxChannel.name,
            "default": settings.LANGUAGE_CODE,
        }


def page(wanted: Wanted, *, cursor: Cursor | None, size: int) -> Page:
    """Return a page of an inbox, in one query. Loaded is what ``items.item_of`` reads, and nothing else."""
    backwards = cursor is not None and cursor.backwards
    found = _found(wanted, cursor, most=size + 1, backwards=backwards)
    # After the look, so that in the instant between nothing can be left out; it may be shown twice.
    as_of = cursor.as_of if cursor else clock.now()
    shown = found[:size][::-1] if backwards else found[:size]
    # The cursors to what comes before and after these items.
    if shown:
        first, last = _place(shown[0]), _place(shown[-1])
        before, after = Cursor(as_of, *first, backwards=True), Cursor(as_of, *last)
    elif cursor is None:
        before, after = None, None
    else:
        # Nothing is left there: the way back begins with the item that the cursor came from.
        here = cursor.number + (1 if cursor.backwards else -1)
        before, after = Cursor(as_of, cursor.section, max(here, 0), True), Cursor(as_of, cursor.section, here)
    more = len(found) > size
    return Page(
        items=[item for _, item in shown],
        next=after if backwards or more else None,
        previous=before if (more if backwards else cursor is not None) else None,
    )


def among(items: Sequence[InboxItem], wanted: Wanted) -> list[InboxItem]:
    """Return those of somebody's items that are wanted, by the conditions of ``page``."""
    if wanted.unread is not None:
        items = [each for each in items if (each.read_at is None) == wanted.unread]
    if not (items and wanted.conditions):
        return [*items]
    ids = {"ids": [each.pk for each in items]}
    found = {*sql.column(_among(wanted.conditions), wanted.parameters | ids)}
    return [each for each in items if each.pk in found]


def _among(conditions: Sequence[str]) -> str:
    told = " AND ".join([_TOLD_OF, *(_CONDITIONS[name] for name in conditions)])
    return f"""
SELECT item.delivery_id FROM notifications_inboxitem AS item {told}
 WHERE item.delivery_id = ANY (%(ids)s)
"""  # noqa: S608  (no value is put into the text)


named("inbox.among", "Find those of some items that have a text.", partial(_among, ["text"]))


def _found(
    wanted: Wanted, cursor: Cursor | None, *, most: int, backwards: bool
) -> list[tuple[int, InboxItem]]:
    """Return the next items from the cursor on, each with its section."""
    chosen = [
        (section, condition)
        for section, is_unread, condition in _parts(cursor, backwards)
        if wanted.unread in (None, is_unread)
    ]
    if not chosen:
        return []
    statement = _statement(chosen, conditions=wanted.conditions, backwards=backwards)
    parameters = wanted.parameters | {"looked_through": LOOKED_THROUGH, "most": most}
    if cursor is not None:
        parameters |= {"as_of": cursor.as_of, "number": cursor.number}
    rows = sql.rows(statement, parameters)
    found = []
    for section, *columns in rows:
        item = InboxItem.from_db("default", _ITEM, columns[: len(_ITEM)])
        *told, texts, data, severity = columns[len(_ITEM) :]
        # Django's connection leaves jsonb to its fields.
        told += [json.loads(texts), json.loads(data), severity]
        item.notification = Notification.from_db("default", _TOLD, told)
        found.append((section, item))
    return found


def _literal(text: str) -> str:
    """Return a pattern of LIKE that this text alone matches."""
    return re.sub(r"([\\%_])", r"\\\1", text)


def _statement(chosen: Sequence[tuple[int, str]], *, conditions: Sequence[str] = (), backwards: bool) -> str:
    """Look through sections by their conditions, each in the order of its own partial index."""
    told = " AND ".join([_TOLD_OF, *(_CONDITIONS[name] for name in conditions)]) if conditions else ""
    newest = _AMONG_THE_NEWEST if {*conditions} - {"kind"} else ""
    numbers, sections = ("ASC", "DESC") if backwards else ("DESC", "ASC")
    parts = " UNION ALL ".join(
        f"""
(SELECT {section} AS section, item.*
   FROM notifications_inboxitem AS item {told}
  WHERE item.user_id = %(user)s AND item.dismissed_at IS NULL AND {condition} {newest}
  ORDER BY item.number {numbers} LIMIT %(most)s)
"""  # noqa: S608  (no value is put into the text)
        for section, condition in chosen
    )
    return f"""
SELECT item.section, item.delivery_id, item.number, item.language, item.created_at, item.read_at,
       item.snoozed_until, told.id, told.kind, told.title, told.body, told.texts, told.data, told.severity
  FROM ({parts}) AS item
  JOIN notifications_notification AS told ON told.id = item.notification_id
 ORDER BY item.section {sections}, item.number {numbers} LIMIT %(most)s
"""  # noqa: S608


named(
    "inbox.page",
    "Read the first page of an inbox.",
    partial(_statement, [(UNREAD, _UNREAD), (READ, _READ)], backwards=False),
)


def _parts(cursor: Cursor | None, backwards: bool) -> list[tuple[int, bool, str]]:
    """Return what is to be looked through from the cursor on: section, whether unread by now, condition."""
    if cursor is None:
        return [(UNREAD, True, _UNREAD), (READ, False, _READ)]
    sections = {UNREAD: [(True, _UNREAD), (False, _READ_SINCE)], READ: [(False, _READ_BEFORE)]}
    beyond = "item.number > %(number)s" if backwards else "item.number < %(number)s"
    here = cursor.section
    parts = [(here, is_unread, f"{part} AND {beyond}") for is_unread, part in sections[here]]
    rest = UNREAD if backwards else READ
    if rest != here:
        parts += [(rest, is_unread, part) for is_unread, part in sections[rest]]
    return parts


def _place(shown: tuple[int, InboxItem]) -> tuple[int, int]:
    section, item = shown
    return section, item.number
