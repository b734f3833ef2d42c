"""Badges: the state of a heartbeat, or of all that have a tag, for whoever has the secret address."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final, Literal

from django.conf import settings
from django.core import signing
from django.utils.html import escape

from escalation.models import Heartbeat

Kind = Literal["heartbeat", "tag"]

UP, LATE, DOWN = "up", "late", "down"
#: As shields.io names them.
COLORS: Final = {UP: "success", LATE: "important", DOWN: "critical"}
_FILLS: Final = {UP: "#4c1", LATE: "#fe7d37", DOWN: "#e05d44"}
_SALT: Final = "escalation.badge"
# Of a letter of 11 pixels, about.
_WIDTH: Final = 7
_MARGIN: Final = 10


@dataclass(frozen=True, slots=True)
class Badge:
    label: str
    total: int
    late: int
    down: int

    @property
    def status(self) -> str:
        return DOWN if self.down else LATE if self.late else UP


def badge_of(label: str, heartbeats: Iterable[Heartbeat], now: datetime) -> Badge:
    states = [each.state_at(now) for each in heartbeats]
    return Badge(label, len(states), states.count(Heartbeat.LATE), states.count(Heartbeat.State.DOWN))


def url_of(kind: Kind, name: str) -> str:
    """Return the address of the badge of a heartbeat, by its id, or of a tag.

    Without the ending, which names the format.
    """
    return f"{settings.PUBLIC_URL}/badge/{_signer().signature(f'{kind}:{name}')}/{name}"


def is_of(kind: Kind, name: str, signature: str) -> bool:
    """Whether an address was given out for the heartbeat with this id, or this tag."""
    try:
        _signer().unsign(f"{kind}:{name}{_signer().sep}{signature}")
    except signing.BadSignature:
        return False
    return True


def as_json(badge: Badge) -> dict[str, Any]:
    """Return what Healthchecks' badges in JSON have."""
    return {"status": badge.status, "total": badge.total, "grace": badge.late, "down": badge.down}


def as_shields(badge: Badge) -> dict[str, Any]:
    """Return what shields.io's endpoint badges ask for."""
    color = COLORS[badge.status]
    return {"schemaVersion": 1, "label": badge.label, "message": badge.status, "color": color}


def as_svg(badge: Badge) -> str:
    left, right = (len(text) * _WIDTH + _MARGIN for text in (badge.label, badge.status))
    label, status = escape(badge.label), escape(badge.status)
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{left + right}" height="20" role="img" '
        f'aria-label="{label}: {status}"><title>{label}: {status}</title>'
        f'<rect width="{left}" height="20" fill="#555"/>'
        f'<rect x="{left}" width="{right}" height="20" fill="{_FILLS[badge.status]}"/>'
        '<g fill="#fff" text-anchor="middle" font-family="Verdana,DejaVu Sans,sans-serif" font-size="11">'
        f'<text x="{left / 2}" y="14">{label}</text>'
        f'<text x="{left + right / 2}" y="14">{status}</text></g></svg>'
    )


def _signer() -> signing.Signer:
    return signing.Signer(salt=_SALT)
