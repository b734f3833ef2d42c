"""A schedule drawn week by week: who is on call, by layer and in the end, and where nobody is. Pure."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from typing import Final
from uuid import UUID
from zoneinfo import ZoneInfo

from django.utils.translation import gettext

from escalation.schedules.row import Duty, Roster, final_row, gaps

DAYS: Final = 7
#: Of a drawing, in its own units: a day is as wide, and a row as high.
DAY, ROW = 120, 30
#: People are told apart by so many colours, over and over.
COLOURS: Final = 6


@dataclass(frozen=True, slots=True)
class Block:
    """Somebody on call, or nobody (no ``names``), within a week; ``x`` and ``width`` are of the drawing."""

    names: str
    starts_at: datetime
    ends_at: datetime
    x: float
    width: float
    colour: int


@dataclass(frozen=True, slots=True)
class Row:
    label: str
    blocks: Sequence[Block]
    y: int


@dataclass(frozen=True, slots=True)
class Week:
    """Seven days from a Monday; each has its date and where it begins in the drawing."""

    starts_at: datetime
    ends_at: datetime
    days: Sequence[tuple[date, float]]
    rows: Sequence[Row]


def weeks_of(
    roster: Roster,
    labels: Sequence[str],
    names: Mapping[UUID, str],
    *,
    first: date,
    count: int,
    zone: ZoneInfo,
) -> list[Week]:
    """Return weeks from a day on, each with a row for each layer, if there are several, and the final one.

    Args:
        labels: what the layers are called, from the lowest.
        names: of everybody in the schedule.
        zone: by whose clock days begin.
    """
    colours = {user_id: place % COLOURS for place, user_id in enumerate(names)}
    layers = roster.layers if len(roster.layers) > 1 else ()
    alone = [
        (label, Roster((layer,), away=roster.away)) for label, layer in zip(labels, layers, strict=False)
    ]
    found = []
    for number in range(count):
        monday = first + timedelta(days=DAYS * number)
        begin, end = _midnight(monday, zone), _midnight(monday + timedelta(days=DAYS), zone)
        rows = [
            Row(label, _blocks(final_row(each, begin, end), begin, end, names, colours, has_gaps=False), y)
            for y, (label, each) in enumerate(alone)
        ]
        last = _blocks(final_row(roster, begin, end), begin, end, names, colours, has_gaps=True)
        rows.append(Row(gettext("On call"), last, len(rows)))
        days = [(monday + timedelta(days=day), day * DAY) for day in range(DAYS)]
        found.append(Week(begin, end, days, rows))
    return found


def _midnight(day: date, zone: ZoneInfo) -> datetime:
    return datetime.combine(day, time(), zone)


def _blocks(
    row: Iterable[Duty],
    begin: datetime,
    end: datetime,
    names: Mapping[UUID, str],
    colours: Mapping[UUID, int],
    *,
    has_gaps: bool,
) -> list[Block]:
    """Return what is within a week; ``has_gaps`` says whether time with nobody is a block too."""

    def place(at: datetime) -> float:
        share = (at.timestamp() - begin.timestamp()) / (end.timestamp() - begin.timestamp())
        return round(min(max(share, 0), 1) * DAYS * DAY, 2)

    def block(starts_at: datetime, ends_at: datetime, people: Sequence[UUID]) -> Block:
        said = ", ".join(names[each] for each in people if each in names)
        x = place(starts_at)
        width = round(place(ends_at) - x, 2)
        return Block(said, starts_at, ends_at, x, width, colours.get(people[0], 0) if people else 0)

    row = list(row)
    found = [block(duty.starts_at, duty.ends_at, duty.user_ids) for duty in row]
    if has_gaps:
        found += [block(gap.starts_at, gap.ends_at, ()) for gap in gaps(row, begin, end)]
    return sorted(found, key=lambda each: each.x)
