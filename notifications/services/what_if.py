"""What somebody's last weeks would have been, had they preferred otherwise. Nothing is changed or sent."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Final
from uuid import UUID

from accounts.models import User
from notifications import rules
from notifications.engine.recipients import Person, Recipient, people_with_preferences, recipients
from notifications.models import ChannelHours, Delivery, Preference, Subscription
from notifications.selectors import DIGEST, created_from

#: So many of the newest deliveries are looked through.
MOST: Final = 2000
#: So many of those that would have been otherwise are told of.
SHOWN: Final = 50
AT_ONCE, LATER, NOT_TOLD = "at_once", "later", "not_told"


@dataclass(frozen=True, slots=True)
class Wish:
    """What somebody may prefer instead. ``rule`` stands in place of one for the same kind and channel."""

    preference: Preference
    hours: Sequence[ChannelHours]
    rule: Subscription | None = None


@dataclass(frozen=True, slots=True)
class Change:
    """One message, with what becomes of it as they prefer now, and as they might."""

    delivery: Delivery
    now: Recipient
    then: Recipient


@dataclass(slots=True)
class WhatIf:
    """``counts``: by channel, how many are told at once, later or not, now and then."""

    looked_at: int = 0
    is_all: bool = True
    counts: dict[str, tuple[Counter[str], Counter[str]]] = field(default_factory=dict)
    changed: int = 0
    changes: list[Change] = field(default_factory=list)


def what_if(*, user: User, wish: Wish, since: datetime) -> WhatIf:
    """Decide once more about what somebody was told or not since then: as they prefer now, and as they wish.

    Messages to places that are gone, or that were sent to an address on request, are left out.
    """
    person = people_with_preferences([user])[user.pk]
    others = [each for each in person.subscriptions if wish.rule is None or _key(each) != _key(wish.rule)]
    then = replace(
        person,
        preference=wish.preference,
        hours=wish.hours,
        subscriptions=[*others, wish.rule] if wish.rule else others,
    )
    theirs = created_from(Delivery.objects.filter(user=user), since).select_related("notification")
    rows = list(theirs.order_by("-pk")[: MOST + 1])
    found = WhatIf(is_all=len(rows) <= MOST)
    for row in rows[:MOST]:
        if row.notification.kind == DIGEST or not rules.can_be_switched_off(row.notification.kind):
            continue
        before, after = _decided(person, row), _decided(then, row)
        if before is None or after is None:
            continue
        found.looked_at += 1
        counts = found.counts.setdefault(row.channel, (Counter(), Counter()))
        for counter, each in zip(counts, (before, after), strict=True):
            counter[outcome(each, row)] += 1
        if (outcome(before, row), before.due_at) != (outcome(after, row), after.due_at):
            found.changed += 1
            if len(found.changes) < SHOWN:
                found.changes.append(Change(row, before, after))
    return found


def outcome(to: Recipient, delivery: Delivery) -> str:
    """Return whether it is told at once, later or not."""
    if not to.is_told:
        return NOT_TOLD
    return LATER if to.due_at > delivery.created_at else AT_ONCE


def _key(rule: rules.Rule) -> tuple[str, str]:
    return rule.channel, rule.kind


def _decided(person: Person, row: Delivery) -> Recipient | None:
    told = row.notification
    found: Mapping[UUID | None, Recipient] = {
        each.contact_point.pk if each.contact_point else None: each
        for each in recipients(
            person, kind=told.kind, severity=told.severity, at=row.created_at, channels=[row.channel]
        )
    }
    return found.get(row.contact_point_id)
