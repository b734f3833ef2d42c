"""Looking through the archive from the newest delivery back, for no longer than somebody waits for a page."""

import time
from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final, NamedTuple
from uuid import UUID

from accounts.models import User
from config import clock
from notifications import selectors
from notifications.archive import reading, store
from notifications.archive.manifest import Manifest
from notifications.archive.tables import DELIVERIES, Row
from notifications.history.month import Month
from notifications.ids import first_id, moment_of
from notifications.models import ArchivedMonth, Delivery, Notification

#: Seconds after which one look ends. The row group that is being read then, of some thousand deliveries, and
#: the notifications of what was found come on top.
BUDGET_S: Final = 2.0


@dataclass(frozen=True, slots=True)
class Wanted:
    """``values`` are those that a column may have, by the column; deliveries were made between the times."""

    values: Mapping[str, Collection[str]]
    since: datetime
    until: datetime | None


class Look(NamedTuple):
    """Deliveries with what they tell of and whom, the newest first; if there is more, go on below an id."""

    found: list[Delivery]
    further: UUID | None


def boundary() -> UUID | None:
    """Return the id below which there are deliveries in the archive alone; None where there are none."""
    if not store.is_set():
        return None
    oldest = Delivery.objects.order_by("pk").values_list("pk", flat=True).first()
    # Months leave as a whole.
    present = Month.of(moment_of(oldest) if oldest else clock.now())
    gone = ArchivedMonth.objects.filter(month__lt=present.first).order_by("-month")
    newest = gone.values_list("month", flat=True).first()
    return Month(newest).end_id if newest else None


def begins() -> datetime:
    """Return from when on there is an archive."""
    first = ArchivedMonth.objects.order_by("month").values_list("month", flat=True)[0]
    return Month(first).start


def look(wanted: Wanted, *, below: UUID, most: int) -> Look:
    """Find deliveries whose ids are below one, until there are so many or time is up.

    Raises:
        ArchiveError: the archive can't be read.
    """
    ends = time.monotonic() + BUDGET_S
    if wanted.until:
        below = min(below, first_id(wanted.until + selectors.AHEAD))
    found: list[Delivery] = []
    for month in _months(below, wanted.since):
        of = reading.manifest_of(month)
        rows: list[Row] = []
        further = None
        for least, some in reading.backwards(of, wanted.values, below=str(below)):
            rows += [row for row in some if _is_in_time(row, wanted)]
            if len(found) + len(rows) >= most or time.monotonic() > ends:
                further = UUID(least)
                break
        found += _deliveries(of, rows[: most - len(found)])
        if further:
            # Of the last row group, what comes after the page is looked at again.
            return Look(_with_people(found), found[-1].pk if len(found) == most else further)
    return Look(_with_people(found), None)


def _months(below: UUID, since: datetime) -> Iterator[ArchivedMonth]:
    """Yield the last revision of each month that may have what is wanted, the newest first."""
    last = Month.of(moment_of(below)).first
    first = Month.of(since - selectors.BEHIND).first
    months = ArchivedMonth.objects.filter(month__range=(first, last))
    yield from months.order_by("-month", "-revision").distinct("month")


def _is_in_time(row: Row, wanted: Wanted) -> bool:
    at: datetime = row[DELIVERIES.index("created_at")]
    return at >= wanted.since and (wanted.until is None or at < wanted.until)


def _deliveries(of: Manifest, rows: Iterable[Row]) -> list[Delivery]:
    """Return rows as the tables would have them, each with what it tells of as far as that is archived."""
    found = [Delivery(**dict(zip(DELIVERIES.names, row, strict=True))) for row in rows]
    told = reading.notifications(of, {str(each.notification_id) for each in found})
    for each in found:
        each.pk = UUID(str(each.pk))
        each.notification = told.get(str(each.notification_id)) or Notification(id=each.notification_id)
    return found


def _with_people(deliveries: list[Delivery]) -> list[Delivery]:
    """Add whom they are to, as far as they still have an account."""
    people = User.objects.in_bulk({each.user_id for each in deliveries if each.user_id})
    by_id = {str(pk): user for pk, user in people.items()}
    field: Any = Delivery._meta.get_field("user")
    for each in deliveries:
        field.set_cached_value(each, by_id.get(str(each.user_id)))
    return deliveries
