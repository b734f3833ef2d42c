"""What is known of an external calendar: what it says, and who is on call by it. Pure."""

from datetime import datetime
from typing import Any, Final, NamedTuple
from uuid import UUID

#: Why nobody is on call by an event, or not everybody whom it names.
UNREADABLE, TOO_OFTEN, NAMES_NOBODY, UNKNOWN = "unreadable", "too_often", "names_nobody", "unknown"
REASONS: Final = {
    UNREADABLE: "It can't be read.",
    TOO_OFTEN: "It repeats every minute or second, or more than 24 times a day.",
    NAMES_NOBODY: "It names nobody.",
    UNKNOWN: "Nobody here has this confirmed email address.",
}
#: In our own calendars, the ids of the people on call; their addresses would be told to whoever subscribes.
PEOPLE: Final = "X-TOCSIN-ON-CALL"


class Happening(NamedTuple):
    """One time of an event; an event that repeats has several."""

    starts_at: datetime
    ends_at: datetime
    #: From ``[L1]`` at the beginning of the title, as Grafana OnCall has it; else 0.
    priority: int
    emails: tuple[str, ...]
    ids: tuple[UUID, ...]
    summary: str


class Problem(NamedTuple):
    """An event by which nobody can be on call, as long as it stays as it is."""

    reason: str
    summary: str


class Read(NamedTuple):
    """What a file says between two times, in order."""

    happenings: list[Happening]
    problems: list[Problem]


class Spell(NamedTuple):
    """Somebody is on call by an event, from ``starts_at`` until just before ``ends_at``."""

    user_id: UUID
    starts_at: datetime
    ends_at: datetime
    priority: int = 0


class Meant(NamedTuple):
    """Who is on call by what was read; those of one event follow each other.

    ``problems`` are the first ones, in the form in which they are stored.
    """

    spells: list[Spell]
    problems: list[dict[str, Any]]
    problems_count: int
