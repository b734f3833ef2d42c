"""What is audited beside deliveries: apps register parts, which ``notifications.audit`` runs."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime
from typing import NamedTuple


@dataclass(frozen=True, slots=True)
class Asked:
    """What an audit asks for: ``limit`` gaps of each kind, among the days from ``since`` to before ``until``.

    Without these, all days.
    """

    now: datetime
    limit: int
    since: date | None = None
    until: date | None = None


class Gap(NamedTuple):
    """One of the first gaps of a kind, with how many there are of it, and a sentence that names it."""

    kind: str
    total: int
    about: str


@dataclass(frozen=True, slots=True)
class Found:
    """What there is of a slice: how many rows, by what they are called, and their gaps."""

    counts: Mapping[str, int] = field(default_factory=dict)
    gaps: Sequence[Gap] = ()


@dataclass(frozen=True, slots=True)
class Part:
    """``look`` goes through an app's rows slice by slice; ``explanations`` has a sentence for each kind."""

    look: Callable[[Asked], Iterable[Found]]
    explanations: Mapping[str, str]


#: What the apps have registered.
registered: list[Part] = []


def register(part: Part) -> None:
    """Have more audited; for ``AppConfig.ready``.

    No slice may hold a snapshot for longer than a day's rows take (notifications.snapshots).
    """
    if part not in registered:
        registered.append(part)
