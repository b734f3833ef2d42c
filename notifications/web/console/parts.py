"""The parts of a person's page: apps register theirs with their pages' routes, as they do panels."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, NamedTuple

from django.template.loader import render_to_string

from accounts.models import User

#: Returns what the template of a part shows of a person now; None where there is nothing to say.
Read = Callable[[User, datetime], Mapping[str, Any] | None]


@dataclass(frozen=True, slots=True)
class Part:
    """What an app tells the staff about a person, below a heading of its own."""

    name: str
    title: Any
    template: str
    read: Read


class Shown(NamedTuple):
    name: str
    title: str
    html: str


_parts: dict[str, Part] = {}


def register(part: Part) -> None:
    _parts[part.name] = part


def shown(user: User, now: datetime) -> list[Shown]:
    """Return the parts that have something to say of a person, in the order in which apps registered."""
    found = ((part, part.read(user, now)) for part in _parts.values())
    return [
        Shown(part.name, str(part.title), render_to_string(part.template, said))
        for part, said in found
        if said is not None
    ]
