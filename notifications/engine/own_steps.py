"""How an escalation tells a person who has steps of their own: one after another, until it is acknowledged.

The inbox is told at once, as ever. A step that leads nowhere (its contact point was removed, say) tells all
contact points in its place, at its time: nobody is left out because of a step that has grown old.
"""

from collections.abc import Iterator
from datetime import datetime, timedelta
from typing import Final
from uuid import UUID

from notifications.engine.recipients import Person, Recipient, delaying, recipients
from notifications.own_steps import OwnStep, own_steps_of
from notifications.reasons import Reason

#: Why a step tells nobody: neither it nor all contact points lead anywhere.
NO_WAY: Final = "no_contact_point"
# What makes a contact point lead nowhere; that somebody does not want to be told there is another matter.
_DEAD: Final = (Reason.DISABLED, Reason.UNCONFIRMED)


def recipients_in_steps(
    person: Person, *, kind: str, severity: str, at: datetime, held_back: timedelta = timedelta(0)
) -> Iterator[Recipient]:
    """Yield what becomes of a message, as ``recipients`` does: by their own steps, where they have any.

    Each has its own time as ``at``, and the number of the step as ``own_step`` in its ``data``. Pure.
    """
    at_once = recipients(person, kind=kind, severity=severity, at=at, held_back=held_back)
    steps = own_steps_of(person.preference.steps, severity) if person.preference else []
    if not steps or not person.user.is_active:
        yield from at_once
        return
    yield from (each for each in at_once if each.contact_point is None)
    seen: set[tuple[UUID, datetime]] = set()
    for number, step in enumerate(steps, start=1):
        due = at + timedelta(seconds=step.after_s)
        everywhere = recipients(person, kind=kind, severity=severity, at=due, held_back=held_back)
        for each in _of_step(step, number, person, due, [to for to in everywhere if to.contact_point]):
            key = (each.contact_point.pk if each.contact_point else person.user.pk, due)
            if key not in seen:
                seen.add(key)
                held_back = max([held_back, *(late.due_at - due for late in delaying([each]))])
                each.at = due
                each.data = {"own_step": number}
                yield each


def _of_step(
    step: OwnStep, number: int, person: Person, due: datetime, everywhere: list[Recipient]
) -> Iterator[Recipient]:
    chosen: list[Recipient] = []
    others: list[Recipient] = []
    for to in everywhere:
        is_chosen = to.contact_point is not None and step.leads_to(to.channel, to.contact_point.pk)
        (chosen if is_chosen else others).append(to)
    said = f"Their own step {number}, after {step.after_s} s"
    for to in chosen:
        to.detail = f"{said}."
    yield from chosen
    if any(to.reason not in _DEAD for to in chosen):
        return
    instead = [to for to in others if to.reason not in _DEAD]
    for to in instead:
        to.detail = f"{said}, leads nowhere: all contact points are told instead."
    yield from instead
    if not instead:
        detail = f"{said}, leads nowhere, and no other contact point can be told."
        yield Recipient("", due, user=person.user, is_told=False, reason=NO_WAY, detail=detail)
