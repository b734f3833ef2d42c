"""A chart of deliveries over time: how many there were, and how many of them didn't get through."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, Final

from django.db.models import Count, DateTimeField, F, Func, Q, QuerySet, Value
from django.utils import timezone
from django.utils.formats import date_format
from django.utils.translation import ngettext

from notifications.engine.replay import REPLAYABLE
from notifications.models import Delivery

#: Of a chart, in its own units: of all of it, and of one bar with the gap beside it.
HEIGHT, BAR = 80, 12
#: How long a bar can last, in seconds; the shortest of which there are not too many.
_LENGTHS: Final = (60, 300, 900, 3600, 3 * 3600, 6 * 3600, 86_400, 7 * 86_400, 30 * 86_400)
_MOST_BARS: Final = 60
_ORIGIN: Final = datetime(2000, 1, 3, tzinfo=UTC)  # a Monday


@dataclass(frozen=True, slots=True)
class Bar:
    """What was made from ``since`` until before ``until``; ``height`` and ``failed_height`` draw it."""

    since: datetime
    until: datetime
    count: int
    failed: int
    x: int
    height: int
    failed_height: int
    #: The query of a page that shows these alone.
    address: str

    @property
    def top(self) -> int:
        return HEIGHT - self.height

    @property
    def failed_top(self) -> int:
        return HEIGHT - self.failed_height

    @property
    def words(self) -> str:
        said = ngettext(
            "%(at)s: %(count)d delivery, of which %(failed)d failed",
            "%(at)s: %(count)d deliveries, of which %(failed)d failed",
            self.count,
        )
        at = date_format(timezone.localtime(self.since), "j M, H:i")
        return said % {"at": at, "count": self.count, "failed": self.failed}


@dataclass(frozen=True, slots=True)
class Chart:
    bars: list[Bar]
    height: int = HEIGHT

    @property
    def width(self) -> int:
        return len(self.bars) * BAR


def chart_of(
    deliveries: QuerySet[Delivery],
    *,
    since: datetime,
    until: datetime,
    address: Callable[[datetime, datetime], str],
) -> Chart | None:
    """Count deliveries by when they were made; None where there are none.

    All of them are read: the caller sees to it that they are not too many.

    Args:
        address: returns the query of a page that shows what was made between two times.
    """
    seconds = next((each for each in _LENGTHS if (until - since).total_seconds() <= each * _MOST_BARS), 0)
    length = timedelta(seconds=seconds or _LENGTHS[-1])
    counts = _counts(deliveries, length)
    if not counts:
        return None
    first, last = min(min(counts), _start(since, length)), max(max(counts), _start(until, length))
    starts = [first + length * number for number in range(int((last - first) / length) + 1)][-_MOST_BARS:]
    most = max(count for count, _ in counts.values())
    return Chart(
        [
            Bar(
                since=start,
                until=start + length,
                count=count,
                failed=failed,
                x=number * BAR,
                height=_height(count, most),
                failed_height=_height(failed, most),
                address=address(start, start + length),
            )
            for number, start in enumerate(starts)
            for count, failed in [counts.get(start, (0, 0))]
        ]
    )


def _counts(deliveries: QuerySet[Delivery], length: timedelta) -> Mapping[datetime, tuple[int, int]]:
    arguments: Any = (Value(length), F("created_at"), Value(_ORIGIN))
    start = Func(*arguments, function="date_bin", output_field=DateTimeField())
    failed = Count("pk", filter=Q(status__in=REPLAYABLE))
    by_start = deliveries.order_by().annotate(start=start).values("start")
    rows = by_start.annotate(count=Count("pk"), failed=failed)
    return {row["start"]: (row["count"], row["failed"]) for row in rows}


def _start(moment: datetime, length: timedelta) -> datetime:
    return _ORIGIN + (moment - _ORIGIN) // length * length


def _height(count: int, most: int) -> int:
    """Return a height that nothing has but nothing."""
    return max(round(HEIGHT * count / most), 2) if count else 0
