"""A person's own steps: by which of their contact points escalations tell them, after how long. Pure.

{"critical": [{"after_s": 0, "channel": "push"}, {"after_s": 120, "contact_point_id": "…"}], "standard": []}
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Final
from uuid import UUID

#: The kind of notification that is told by them.
KIND: Final = "escalation"
#: Of one severity.
MOST: Final = 10
MAX_S: Final = 86_400


@dataclass(frozen=True, slots=True)
class OwnStep:
    """So many seconds after an escalation reaches somebody: one contact point, or all of a channel."""

    after_s: int
    channel: str = ""
    contact_point_id: UUID | None = None

    def as_json(self) -> dict[str, Any]:
        if self.contact_point_id is None:
            return {"after_s": self.after_s, "channel": self.channel}
        return {"after_s": self.after_s, "contact_point_id": str(self.contact_point_id)}

    def leads_to(self, channel: str, contact_point_id: UUID | None) -> bool:
        if self.contact_point_id is not None:
            return self.contact_point_id == contact_point_id
        return self.channel == channel


def own_steps_of(stored: Mapping[str, Any], severity: str) -> list[OwnStep]:
    """Return somebody's own steps for a severity, as their preference has them, in the order of time."""
    steps = [
        OwnStep(each["after_s"], each.get("channel", ""), _id_of(each.get("contact_point_id")))
        for each in stored.get(severity, ())
    ]
    return in_order(steps)


def in_order(steps: Iterable[OwnStep]) -> list[OwnStep]:
    return sorted(steps, key=lambda step: step.after_s)


def _id_of(text: str | None) -> UUID | None:
    return UUID(text) if text else None
