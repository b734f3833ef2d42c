"""The days that an audit takes one by one, and those that it need not look at again."""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from typing import Any, Final
from uuid import UUID

from config import sql
from notifications.audit_sql import NEXT, TOUCHED
from notifications.ids import LAST_ID, first_id, moment_of
from notifications.models import AuditedDay

A_DAY: Final = timedelta(days=1)
# Providers may report for so long after a day that a message did not arrive.
SETTLED_AFTER: Final = timedelta(days=3)
_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_FOR_EVER: Final = datetime.max.replace(tzinfo=UTC)

#: Alerts of a day, and its deliveries as [[status, reason, count], …].
Counted = tuple[int, list[tuple[str, str, int]]]


@dataclass(frozen=True, slots=True)
class Span:
    """A day, or several; the last one goes on for as long as there is anything."""

    start: datetime
    end: datetime

    @property
    def day(self) -> date:
        return self.start.date()

    @property
    def parameters(self) -> dict[str, datetime | UUID]:
        is_open = self.end == _FOR_EVER
        return {
            "start": self.start,
            "end": self.end,
            "first": first_id(self.start),
            "last": LAST_ID if is_open else first_id(self.end),
            "near_first": first_id(self.start - A_DAY),
            "near_last": LAST_ID if is_open else first_id(self.end + A_DAY),
        }


def _midnight(day: date) -> datetime:
    return datetime.combine(day, time(), UTC)


def first_from(start: datetime) -> datetime | None:
    """Return when the first alert, notification, delivery or item from then on was made."""
    received_at, *ids = sql.rows(NEXT, {"start": start, "first": first_id(start)})[0]
    times = [moment_of(each) for each in ids if each]
    return min([*times, received_at] if received_at else times, default=None)


def span_of(*, since: date | None, until: date | None) -> Span:
    """Return these days as one, the last one left out; without them, all time."""
    return Span(_midnight(since) if since else _EPOCH, _midnight(until) if until else _FOR_EVER)


def spans(
    *,
    now: datetime,
    since: date | None,
    until: date | None,
    first: Callable[[datetime], datetime | None] = first_from,
) -> Iterator[Span]:
    """Yield the days that have anything, in order; without ``until`` also what is of later than now.

    Args:
        first: returns when the first thing was made from a time on; None: nothing was.
    """
    all_days = span_of(since=since, until=until)
    start = all_days.start
    today = now.astimezone(UTC).date()
    while (found := first(start)) is not None and found < all_days.end:
        day = found.astimezone(UTC).date()
        if day >= today and until is None:
            yield Span(_midnight(day), _FOR_EVER)
            return
        yield Span(_midnight(day), _midnight(day) + A_DAY)
        start = _midnight(day) + A_DAY


def can_remember() -> bool:
    """Whether this is a server that can be written to, and no standby."""
    return bool(sql.value("SELECT current_setting('transaction_read_only') = 'off'"))


def known() -> dict[date, Counted]:
    """Return the days that were clean, and to which nothing was done since."""
    touched = set(sql.column(TOUCHED))
    return {row.day: (row.alerts, row.counts) for row in AuditedDay.objects.exclude(day__in=touched)}


def remember(span: Span, counted: Counted, *, is_clean: bool, now: datetime) -> None:
    """Remember a day if it is clean and long enough over; otherwise forget what was known of it."""
    if not is_clean or span.end > now - SETTLED_AFTER:
        AuditedDay.objects.filter(day=span.day).delete()
        return
    alerts, counts = counted
    fields: dict[str, Any] = {"alerts": alerts, "counts": counts, "audited_at": now}
    AuditedDay.objects.update_or_create(day=span.day, defaults=fields)


def forget_days_of(deliveries: Iterable[UUID]) -> None:
    """Forget the days of deliveries that are being deleted: what was counted of them is no longer so."""
    days = {moment_of(each).date() for each in deliveries}
    AuditedDay.objects.filter(day__in=days).delete()


def forget_the_dropped() -> None:
    """Forget the days before the first that there is anything of."""
    first = first_from(_EPOCH)
    gone = AuditedDay.objects.all()
    if first is not None:
        gone = gone.filter(day__lt=first.astimezone(UTC).date())
    gone.delete()
