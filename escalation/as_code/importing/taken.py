"""What came of another system's set-up, and parts that both systems share."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime, time, timedelta
from typing import Any, Final

from escalation.as_code.reading import Document

WEEKDAYS: Final = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")
_DAY: Final = timedelta(days=1)

Thing = Mapping[str, Any]


@dataclass(slots=True)
class Taken:
    """A document, and a sentence for each thing that could not be taken over, or not as it was."""

    document: Document = field(default_factory=dict)
    left_out: list[str] = field(default_factory=list)

    def add(self, kind: str, name: str, **fields: Any) -> None:
        key = {"users": "email"}.get(kind, "name")
        self.document.setdefault(kind, []).append({key: name, **fields})

    def leave_out(self, what: str, why: str) -> None:
        self.left_out.append(f"{what}: {why}")


def by_id(things: Iterable[Thing]) -> dict[str, Thing]:
    return {str(each["id"]): each for each in things}


def layer(
    *,
    name: str,
    zone: str,
    begins: datetime,
    shift: timedelta,
    turns: Sequence[Sequence[str]],
    hours: list[Thing],
) -> dict[str, Any]:
    """Return a layer; ``begins`` is the first handoff by the clock of the zone; all turns are as large."""
    return {
        "name": name,
        "time_zone": zone,
        "starts_on": begins.date().isoformat(),
        "handoff_at": begins.time().isoformat("minutes"),
        "shift_h": shift // timedelta(hours=1),
        "per_turn": len(turns[0]),
        "restrictions": hours,
        "members": [person for turn in turns for person in turn],
    }


def restrictions(weekdays: Iterable[str], begin: time, length: timedelta) -> list[Thing]:
    """Return the hours of a week from a time on each of some weekdays; longer than a day, in parts."""
    parts: list[Thing] = []
    for weekday in weekdays:
        left, place, since = length, WEEKDAYS.index(weekday), begin
        while left > timedelta(0):
            part = min(left, _DAY)
            until = (datetime.combine(date.min, since) + part).time()
            parts.append(
                {
                    "weekdays": [WEEKDAYS[place % 7]],
                    "begin": since.isoformat("minutes"),
                    "end": until.isoformat("minutes"),
                }
            )
            left -= part
            place, since = place + 1, until
    return _joined(parts)


def _joined(parts: Iterable[Thing]) -> list[Thing]:
    """Return them with those of the same hours as one."""
    by_hours: dict[tuple[str, str], list[str]] = {}
    for part in parts:
        by_hours.setdefault((part["begin"], part["end"]), []).extend(part["weekdays"])
    return [
        {"weekdays": sorted(set(weekdays), key=WEEKDAYS.index), "begin": begin, "end": end}
        for (begin, end), weekdays in by_hours.items()
    ]
