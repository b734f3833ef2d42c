"""Holes: steps, and last resorts, that reach nobody as people, contact points and schedules are now. Pure."""

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Final, NamedTuple
from uuid import UUID

from django.utils.translation import gettext

from escalation.policies.definition import ON_CALL, Definition, Target
from escalation.policies.gaps import condition_gaps
from escalation.policies.plan import KIND, World
from escalation.policies.words import name_of
from escalation.schedules.row import Roster, final_row, members
from escalation.schedules.spells import Spells
from notifications.engine.recipients import recipients
from notifications.models import Severity
from notifications.reasons import Reason

#: How far ahead a schedule is looked through for somebody on call.
AHEAD: Final = timedelta(days=28)
# Of those on call by a schedule, so many are named.
_MOST_NAMED: Final = 3


class Problem(NamedTuple):
    """``step`` counts from 1; None is the last resort, or all of the policy.

    Certain is what no time and no preference changes.
    """

    step: int | None
    explanation: str
    is_certain: bool


class _Miss(NamedTuple):
    """Why a target reaches nobody."""

    why: str
    is_certain: bool


def problems_of(definition: Definition, world: World, *, now: datetime) -> list[Problem]:
    """Return the steps of which no target reaches anybody, and the last resort if it is so.

    An address counts as reached, and a person by a contact point: an inbox may be read too late.
    """
    places: list[tuple[int | None, str, Sequence[Target], str]] = [
        (number, gettext("Step %(number)d") % {"number": number}, step.targets, definition.severity)
        for number, step in enumerate(definition.steps, start=1)
    ]
    if definition.last_resort:
        places.append((None, gettext("The last resort"), definition.last_resort, Severity.CRITICAL))
    found = []
    for number, name, targets, severity in places:
        misses = [_miss_of(target, world, severity, now) for target in targets]
        missed = [miss for miss in misses if miss is not None]
        if len(missed) == len(targets):
            why = "; ".join(dict.fromkeys(miss.why for miss in missed))
            is_certain = all(miss.is_certain for miss in missed)
            said = gettext("%(step)s reaches nobody: %(why)s.") % {"step": name, "why": why}
            found.append(Problem(number, said, is_certain))
    return found + [Problem(None, gap, False) for gap in condition_gaps(definition)]


def _miss_of(target: Target, world: World, severity: str, now: datetime) -> _Miss | None:
    """Return why a target reaches nobody; None where it reaches somebody."""
    if target.type == "address":
        return None
    if target.type == "user":
        return _miss_of_person(target.id, target.channels, world, severity, now)
    roster = world.schedules.get(target.id) if target.id else None
    if roster is None or target.id is None:
        return _Miss(gettext("its schedule has been removed"), True)
    name = world.names.get(target.id, "")
    if target.whom == ON_CALL:
        row = final_row(roster, now, now + AHEAD)
        people = tuple(dict.fromkeys(user_id for duty in row for user_id in duty.user_ids))
    else:
        people = members(roster)
        if not people:
            return _Miss(gettext("nobody takes turns in “%(name)s”") % {"name": name}, not _is_fed(roster))
    if not people:
        why = gettext("nobody is on call by “%(name)s” in the next %(days)d days")
        return _Miss(why % {"name": name, "days": AHEAD.days}, _is_empty(roster, now))
    missed = [_miss_of_person(each, target.channels, world, severity, now) for each in people]
    whys = [miss.why for miss in missed if miss is not None]
    if len(whys) < len(people):
        return None
    # Somebody else may have a turn by then.
    named = whys[:_MOST_NAMED]
    if more := len(whys[_MOST_NAMED:]):
        named.append(gettext("and %(count)d more") % {"count": more})
    return _Miss("; ".join(named), False)


def _miss_of_person(
    user_id: UUID | None, channels: tuple[str, ...], world: World, severity: str, now: datetime
) -> _Miss | None:
    person = world.people.get(user_id) if user_id else None
    if person is None or not person.user.is_active:
        return _Miss(gettext("somebody's account is gone, or locked"), True)
    found = list(recipients(person, kind=KIND, severity=severity, at=now, channels=channels))
    if any(recipient.is_told and recipient.channel != "inbox" for recipient in found):
        return None
    name = name_of(person.user)
    if any(recipient.is_told for recipient in found):
        return _Miss(gettext("%(name)s is told only in the inbox") % {"name": name}, False)
    if all(recipient.reason == Reason.UNCONFIRMED for recipient in found):
        said = {"name": name, "channels": ", ".join(channels)}
        if channels:
            return _Miss(gettext("%(name)s has no confirmed contact point for %(channels)s") % said, True)
        return _Miss(gettext("%(name)s has no confirmed contact point") % said, True)
    return _Miss(gettext("the preferences of %(name)s leave no channel") % {"name": name}, False)


def _is_empty(roster: Roster, now: datetime) -> bool:
    """Whether nobody will be on call, whenever it is."""
    takes_turns = bool(members(roster)) or _is_fed(roster)
    stand_ins = any(each.ends_at > now and each.user_id not in roster.away for each in roster.stand_ins)
    return not takes_turns and not stand_ins


def _is_fed(roster: Roster) -> bool:
    """Whether external calendars say who is on call: what they will say, nobody knows."""
    return any(isinstance(layer, Spells) for layer in roster.layers)
