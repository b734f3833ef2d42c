"""Pages of an inbox, unread first and then newest, that stay right while items arrive and are read."""

import base64
import binascii
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Self

from django.db.models import IntegerField, Q, QuerySet, Value
from django.utils import timezone

from notifications.models import Delivery

UNREAD, READ = 0, 1
EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
MOST = 2**63 - 1
# What `items.item_of` reads: putting together a query for every column would cost a millisecond more.
SHOWN = (
    "number", "language", "created_at", "read_at", "notification__kind", "notification__title",
    "notification__body", "notification__texts", "notification__data", "notification__severity",
)  # fmt: skip


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
    items: list[Delivery]
    next: Cursor | None
    previous: Cursor | None


def page(items: QuerySet[Delivery], *, cursor: Cursor | None, size: int) -> Page:
    """Return a page of an inbox, in one query; ``items`` as ``selectors.inbox_of`` has them, or fewer."""
    backwards = cursor is not None and cursor.backwards
    items = items.only(*SHOWN)
    parts = [
        part.annotate(section=Value(section, output_field=IntegerField())).order_by(
            "number" if backwards else "-number"
        )[: size + 1]
        for section, part in _parts(items, cursor)
    ]
    order = ("-section", "number") if backwards else ("section", "-number")
    whole = parts[0].union(*parts[1:], all=True).order_by(*order) if len(parts) > 1 else parts[0]
    found: list[Delivery] = list(whole[: size + 1])
    # After the look, so that in the instant between nothing can be left out; it may be shown twice.
    as_of = cursor.as_of if cursor else timezone.now()
    shown = found[:size][::-1] if backwards else found[:size]
    before, after = _ends(shown, cursor, as_of)
    more = len(found) > size
    return Page(
        items=shown,
        next=after if backwards or more else None,
        previous=before if (more if backwards else cursor is not None) else None,
    )


def _parts(items: QuerySet[Delivery], cursor: Cursor | None) -> Iterator[tuple[int, QuerySet[Delivery]]]:
    """Yield what is to be looked through from the cursor on, each in an order that the index has."""
    unread, read = items.filter(read_at=None), items.filter(read_at__isnull=False)
    if cursor is None:
        yield UNREAD, unread
        yield READ, read
        return
    sections = {
        UNREAD: [unread, read.filter(read_at__gt=cursor.as_of)],
        READ: [read.filter(read_at__lte=cursor.as_of)],
    }
    beyond = Q(number__gt=cursor.number) if cursor.backwards else Q(number__lt=cursor.number)
    yield from ((cursor.section, part.filter(beyond)) for part in sections[cursor.section])
    rest = UNREAD if cursor.backwards else READ
    if rest != cursor.section:
        yield from ((rest, part) for part in sections[rest])


def _ends(
    shown: list[Delivery], cursor: Cursor | None, as_of: datetime
) -> tuple[Cursor | None, Cursor | None]:
    """Return the cursors to what comes before and after these items."""
    if shown:
        first, last = _place(shown[0]), _place(shown[-1])
        return Cursor(as_of, *first, backwards=True), Cursor(as_of, *last)
    if cursor is None:
        return None, None
    # Nothing is left there: the way back begins with the item that the cursor came from.
    here = cursor.number + (1 if cursor.backwards else -1)
    return Cursor(as_of, cursor.section, max(here, 0), True), Cursor(as_of, cursor.section, here)


def _place(item: Delivery) -> tuple[int, int]:
    assert item.number is not None
    return item.section, item.number  # type: ignore[attr-defined]
