"""Where the bars of a histogram by day stand in its picture."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from typing import Final

BAR: Final = 36
GAP: Final = 14
HEIGHT: Final = 120
HEAD: Final = 20
FOOT: Final = 22
MARGIN: Final = 8
DAYS_MAX: Final = 31


@dataclass(frozen=True, slots=True)
class Bar:
    day: date
    count: int
    x: int
    y: int
    height: int
    middle: int
    width: int = BAR


@dataclass(frozen=True, slots=True)
class Histogram:
    width: int
    height: int
    base: int
    label_y: int
    bars: list[Bar]


def histogram_of(counts: Sequence[tuple[date, int]]) -> Histogram | None:
    """Lay out a bar for each day from the first to the last; nothing where there is none."""
    if not counts:
        return None
    by_day = dict(counts)
    last = max(by_day)
    first = max(min(by_day), last - timedelta(days=DAYS_MAX - 1))
    days = [first + timedelta(days=number) for number in range((last - first).days + 1)]
    most = max(by_day.values())
    bars = []
    for number, day in enumerate(days):
        count = by_day.get(day, 0)
        height = max(round(HEIGHT * count / most), 2 if count else 0)
        x = MARGIN + number * (BAR + GAP)
        bars.append(Bar(day, count, x, HEAD + HEIGHT - height, height, x + BAR // 2))
    width = MARGIN * 2 + len(days) * (BAR + GAP) - GAP
    return Histogram(width, HEAD + HEIGHT + FOOT, HEAD + HEIGHT, HEAD + HEIGHT + FOOT - 6, bars)
