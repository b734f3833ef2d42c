"""How one person would be told at a time, by what they prefer: as the engine's fan-out decides it. Pure."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final, NamedTuple

from accounts.models import User
from notifications import rules
from notifications.channels import registry
from notifications.models import ContactPoint, Preference, Severity
from notifications.quiet_hours import held_until
from notifications.reasons import Reason

#: What escalations are told as; people can switch it off by channel (notifications.rules).
KIND: Final = "escalation"


@dataclass(frozen=True, slots=True)
class Person:
    """Somebody with the places where they are told, and what they prefer."""

    user: User
    contact_points: Sequence[ContactPoint] = ()
    preference: Preference | None = None
    subscriptions: Sequence[rules.Rule] = ()


class Way(NamedTuple):
    """What becomes of a message at one of somebody's places: sent at ``due_at``, or not, for a reason."""

    channel: str
    address: str
    contact_point: ContactPoint | None
    is_told: bool
    reason: str
    due_at: datetime


def ways(
    person: Person,
    *,
    at: datetime,
    severity: str,
    channels: Sequence[str] = (),
    held_back: timedelta = timedelta(0),
) -> Iterator[Way]:
    """Yield what becomes of a message in a person's inbox and at each of their contact points.

    Quiet hours hold back what is not critical until they end, as a message of its own: no escalation waits
    for a digest.

    Args:
        held_back: by how much quiet hours have held back what came before, which this one follows at the
            same distance.
    """
    if not channels or "inbox" in channels:
        yield _way(person, "inbox", None, at=at, severity=severity, held_back=held_back)
    for point in person.contact_points:
        if point.channel != "inbox" and (not channels or point.channel in channels):
            yield _way(person, point.channel, point, at=at, severity=severity, held_back=held_back)


def _way(
    person: Person,
    channel: str,
    point: ContactPoint | None,
    *,
    at: datetime,
    severity: str,
    held_back: timedelta,
) -> Way:
    address = point.address if point else ""
    if reason := _against(person, channel, point, severity):
        return Way(channel, address, point, False, reason, at)
    if registry.sendable(channel).instant:
        return Way(channel, address, point, True, "", at)
    due_at = at + held_back
    due_at = _quiet_until(person, due_at, severity) or due_at
    return Way(channel, address, point, True, Reason.QUIET_HOURS if due_at > at else "", due_at)


def _against(person: Person, channel: str, point: ContactPoint | None, severity: str) -> str:
    """Return why a person is not told there; "" if they are."""
    preference = person.preference
    if point is not None and not point.is_enabled:
        return Reason.DISABLED
    if point is not None and point.confirmed_at is None:
        return Reason.UNCONFIRMED
    is_critical_only = preference is not None and preference.level == Preference.Level.CRITICAL
    if point is not None and is_critical_only and severity != Severity.CRITICAL:
        return Reason.LEVEL
    if rules.silences(person.subscriptions, channel=channel, kind=KIND, severity=severity):
        return Reason.UNSUBSCRIBED
    return ""


def _quiet_until(person: Person, at: datetime, severity: str) -> datetime | None:
    preference = person.preference
    if severity == Severity.CRITICAL or preference is None:
        return None
    if preference.quiet_from is None or preference.quiet_until is None:
        return None
    return held_until(at, person.user.time_zone, preference.quiet_from, preference.quiet_until)
