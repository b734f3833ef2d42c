"""How a person is told: in their inbox and at each of their contact points, by what they prefer.

The fan-out decides the same for many at once, by SQL (notifications.engine.fanout.sql); here it is decided
for what is planned (notifications.engine.planned). A test holds the two together.
"""

from collections import defaultdict
from collections.abc import Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from django.db.models import Q

from accounts.models import User
from notifications import rules, urgency
from notifications.channels import registry
from notifications.models import ChannelHours, ContactPoint, Preference, Severity, Subscription
from notifications.quiet_hours import held_until
from notifications.reasons import Reason


@dataclass(frozen=True, slots=True)
class Person:
    """Somebody with the places where they can be told, and what they prefer."""

    user: User
    contact_points: Sequence[ContactPoint] = ()
    preference: Preference | None = None
    subscriptions: Sequence[rules.Rule] = ()
    hours: Sequence[ChannelHours] = ()


# Not frozen, which would triple the cost of making one.
@dataclass(slots=True)
class Recipient:
    """Whom something is told by which channel and when, or for which reason not.

    ``address`` is in its channel's normal form; without ``user`` it is nobody's. Where quiet hours hold it
    back, ``due_at`` is when they end, and that is the ``reason``.

    The rest is said by whoever plans it: ``at``, when it was asked for; ``via``, the schedule by which they
    are told; ``detail``, a sentence beside the reason; ``data``, what machines are told beside, such as the
    step of a policy.
    """

    channel: str
    due_at: datetime
    address: str = ""
    user: User | None = None
    contact_point: ContactPoint | None = None
    is_told: bool = True
    reason: str = ""
    at: datetime | None = None
    via: str = ""
    detail: str = ""
    data: dict[str, Any] = field(default_factory=dict)


def people_with_preferences(users: Iterable[User]) -> dict[UUID, Person]:
    """Return these people with all that ``recipients`` decides by: four queries, however many they are."""
    by_id = {user.pk: user for user in users}
    points = ContactPoint.objects.filter(user__in=list(by_id), deleted_at=None).order_by("created_at", "pk")
    contact_points = by_user(points)
    subscriptions = by_user(Subscription.objects.filter(user__in=list(by_id)))
    hours = by_user(ChannelHours.objects.filter(user__in=list(by_id)))
    decisive = Q(level=Preference.Level.CRITICAL) | Q(quiet_from__isnull=False) | ~Q(steps={})
    preferences = Preference.objects.filter(decisive).in_bulk(list(by_id))
    return {
        pk: Person(
            user,
            contact_points.get(pk, ()),
            preferences.get(pk),
            subscriptions.get(pk, ()),
            hours.get(pk, ()),
        )
        for pk, user in by_id.items()
    }


def recipients(
    person: Person,
    *,
    kind: str,
    severity: str,
    at: datetime,
    channels: Collection[str] = (),
    held_back: timedelta = timedelta(0),
) -> Iterator[Recipient]:
    """Yield what becomes of a message in a person's inbox and at each of their contact points. Pure.

    What quiet hours hold back is a message of its own at their end: nothing that is planned waits for a
    digest. Nobody is told whose account is locked.

    Args:
        channels: only by these; none: by all.
        held_back: by how much quiet hours have held back what came before, which this one follows at the
            same distance.
    """
    if not person.user.is_active:
        return
    due_at = at
    quiet = person.preference
    zone = person.user.time_zone
    if quiet and quiet.quiet_from and quiet.quiet_until and urgency.can_wait(kind=kind, severity=severity):
        due_at = at + held_back
        due_at = held_until(due_at, zone, quiet.quiet_from, quiet.quiet_until) or due_at
    own = {each.channel: each for each in person.hours if each.severity == severity}
    for channel, point in _places(person, channels):
        to = Recipient(channel, at, point.address if point else "", person.user, point)
        hours = own.get(channel)
        if reason := _why_not(person, channel, point, kind=kind, severity=severity):
            to.is_told, to.reason = False, reason
        elif hours is not None:
            if hours.told == ChannelHours.Told.NEVER:
                to.is_told, to.reason = False, Reason.SEVERITY
            elif hours.held and urgency.can_be_late(kind) and (end := held_until(at, zone, *hours.held)):
                to.due_at, to.reason = end, Reason.HOURS
        elif due_at != at and not registry.sendable(channel).instant:
            to.due_at, to.reason = due_at, Reason.QUIET_HOURS
        yield to


def delaying(found: Iterable[Recipient]) -> list[Recipient]:
    """Return those with which all that follows is held back; the hours of a channel hold it alone."""
    return [each for each in found if each.reason != Reason.HOURS]


def unusable(point: ContactPoint) -> Reason | None:
    """Return why nothing at all is told at a contact point; None where it can be."""
    if not point.is_enabled:
        return Reason.DISABLED
    return Reason.UNCONFIRMED if point.confirmed_at is None else None


def _places(person: Person, channels: Collection[str]) -> Iterator[tuple[str, ContactPoint | None]]:
    if not channels or "inbox" in channels:
        yield "inbox", None
    for point in person.contact_points:
        # One that is the inbox would say it twice.
        if point.channel != "inbox" and (not channels or point.channel in channels):
            yield point.channel, point


def _why_not(
    person: Person, channel: str, point: ContactPoint | None, *, kind: str, severity: str
) -> Reason | None:
    if point is not None:
        if reason := unusable(point):
            return reason
        # The level is about being disturbed: an item in the inbox does not.
        level = person.preference.level if person.preference else Preference.Level.STANDARD
        if level == Preference.Level.CRITICAL and severity != Severity.CRITICAL:
            return Reason.LEVEL
    # Nearly nobody has rules.
    if (own := person.subscriptions) and rules.silences(own, channel=channel, kind=kind, severity=severity):
        return Reason.UNSUBSCRIBED
    return None


def by_user(rows: Iterable[Any]) -> dict[UUID, list[Any]]:
    """Return rows by the id of their person, in their order."""
    found: defaultdict[UUID, list[Any]] = defaultdict(list)
    for row in rows:
        found[row.user_id].append(row)
    return found
