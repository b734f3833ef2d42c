"""What is audited beside deliveries: apps register parts, which ``notifications.audit`` runs."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime
from typing import NamedTuple


@dataclass(frozen=True, slots=True)
class Asked:
    """What to audit: ``limit`` gaps of each kind, from the day ``since`` to before ``until``, or of all."""

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
    """Have more audited, from ``AppConfig.ready``; no slice may hold a snapshot for very long."""
    if part not in registered:
        registered.append(part)
