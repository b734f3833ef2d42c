"""A month of history: its times, and the ids that were made in it."""

import re
from dataclasses import dataclass
from datetime import UTC, date, datetime
from typing import Final, Self
from uuid import UUID

from notifications.ids import first_id

_MONTH: Final = re.compile(r"([0-9]{4})-(0[1-9]|1[0-2])")


@dataclass(frozen=True, slots=True, order=True)
class Month:
    """A month, UTC."""

    first: date

    @classmethod
    def parse(cls, text: str) -> Self:
        """Read ``2026-09``; raises ValueError."""
        if not (match := _MONTH.fullmatch(text)):
            raise ValueError(f"Not a month such as 2026-09: {text}")
        return cls(date(int(match[1]), int(match[2]), 1))

    @classmethod
    def of(cls, moment: datetime) -> Self:
        return cls(moment.astimezone(UTC).date().replace(day=1))

    def __str__(self) -> str:
        return f"{self.first:%Y-%m}"

    @property
    def following(self) -> "Month":
        first = self.first
        return Month(date(first.year + first.month // 12, first.month % 12 + 1, 1))

    @property
    def previous(self) -> "Month":
        first = self.first
        return Month(date(first.year - (first.month == 1), (first.month - 2) % 12 + 1, 1))

    @property
    def start(self) -> datetime:
        return datetime(self.first.year, self.first.month, 1, tzinfo=UTC)

    @property
    def end(self) -> datetime:
        return self.following.start

    @property
    def first_id(self) -> UUID:
        return first_id(self.start)

    @property
    def end_id(self) -> UUID:
        """The lowest id of the month after."""
        return first_id(self.end)
