"""The parts of the console's first page: apps register theirs with their pages' routes,
which workers never load."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

#: Returns what the template of a panel shows now; None where there is nothing to say.
Read = Callable[[datetime], Mapping[str, Any] | None]


@dataclass(frozen=True, slots=True)
class Panel:
    """``place`` says where it stands: the lowest comes first."""

    name: str
    title: Any
    template: str
    read: Read
    place: int


_panels: dict[str, Panel] = {}
#: Before all others, what rings; then what goes out; then what works; then who is there.
RINGING, SENDING, WORKING, PEOPLE = 10, 20, 30, 40


def register(panel: Panel) -> None:
    _panels[panel.name] = panel


def panels() -> list[Panel]:
    return sorted(_panels.values(), key=lambda panel: panel.place)
