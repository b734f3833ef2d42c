"""An event gets another time, title or number of places: those whom it concerns are told."""

from datetime import datetime
from typing import Final

from django.core.exceptions import ValidationError
from django.db import transaction
from django.utils.translation import gettext

from config.rest.exceptions import Conflict
from dating.evening.timeline import longest
from dating.models import STATE_OF, Event, Registration, Step
from dating.services.inviting import tell_with_invitation
from dating.services.locking import event_lock
from dating.services.places import BEFORE_GROUPS, COMING, WITH_PLACE, ask_to_confirm, places_fill, places_held
from dating.services.replanning import note
from dating.services.telling import overtaken_stop

#: In these it can be moved, since nothing has been planned by its time.
MOVABLE = BEFORE_GROUPS
#: What says the time of an event.
_SAYS_WHEN: Final = (
    "dating.confirm", "dating.confirmed", "dating.longer", "dating.moved", "dating.moved_up",
    "dating.registered", "dating.renamed", "dating.waiting",
)  # fmt: skip


@transaction.atomic
def event_move(*, event: Event, starts_at: datetime, title: str, now: datetime) -> Event:
    """Give an event another time or title; everybody in it hears of it. The same again: nothing.

    Who has confirmed stays confirmed, and cancels if they can't come then; but where it is moved so far
    ahead that nobody is to be asked yet, everybody is asked anew when it is time.

    Raises:
        Conflict: it is over, or is to be moved though its groups are made.
        ValidationError: by field: its registration would be closed already.
    """
    event = event_lock(event.pk)
    is_moved = event.starts_at != starts_at
    if not is_moved and event.title == title:
        return event
    if event.is_over or (is_moved and event.step not in MOVABLE):
        raise Conflict(gettext("It is too late to move this event."))
    event.starts_at, event.title, event.version = starts_at, title, event.version + 1
    opens_again = is_moved and deadline_follow(event, now)
    event.save(update_fields=["starts_at", "title", "version", "deadline_at", "step", "state"])
    # Tell everybody in it of the new time or title, and anew what quiet hours have kept from them.
    registrations = list(event.registrations.filter(state__in=COMING).select_related("user"))
    overtaken = _SAYS_WHEN if is_moved else ("dating.renamed",)
    untold = overtaken_stop(event, [registration.user_id for registration in registrations], *overtaken)
    for registration in registrations:
        registration.event = event
        if not is_moved:
            tell_with_invitation(registration, "dating.renamed", now)
            continue
        tell_with_invitation(registration, "dating.moved", now, asked_anew=opens_again)
        if (registration.user_id, "dating.moved_up") in untold:
            tell_with_invitation(registration, "dating.moved_up", now)
        if (registration.user_id, "dating.confirm") in untold:
            ask_to_confirm(registration, now)
    return event


def deadline_follow(event: Event, now: datetime) -> bool:
    """Have the deadline of an event follow its times; the caller holds and saves it.

    Returns whether its registration is open again: by the new times nobody is to be asked yet.

    Raises:
        ValidationError: by field: its registration would be closed already.
    """
    if event.close_at <= now:
        raise ValidationError(
            {"starts_at": gettext("Registration would already be closed: choose a later start.")}
        )
    opens_again = event.step == Step.CONFIRMING and event.confirm_at > now
    if opens_again:
        event.step, event.state = Step.OPEN, STATE_OF[Step.OPEN]
        confirmed = event.registrations.filter(state=Registration.State.CONFIRMED)
        confirmed.update(state=Registration.State.REGISTERED)
        event.registrations.filter(state__in=COMING).update(asked_at=None, confirmed_at=None)
        note(event, Step.OPEN, now)
    event.deadline_at = event.confirm_at if event.step == Step.OPEN else event.close_at
    return opens_again


@transaction.atomic
def places_set(*, event: Event, places: int | None, now: datetime) -> Event:
    """Give an event more places, or fewer; those who wait move up, and nobody loses a place.

    Where it may take longer with more people, those who have a place hear of it; others do once they get one.
    """
    event = event_lock(event.pk)
    before = longest(event)
    event.places, event.places_held = places, places_held(event)
    if event.step in BEFORE_GROUPS and longest(event) != before:
        event.version += 1
    event.save(update_fields=["places", "places_held", "version"])
    if event.step in BEFORE_GROUPS and longest(event) > before:
        registrations = list(event.registrations.filter(state__in=WITH_PLACE).select_related("user"))
        overtaken_stop(event, [registration.user_id for registration in registrations], "dating.longer")
        until_at = event.starts_at + longest(event)
        for registration in registrations:
            registration.event = event
            tell_with_invitation(registration, "dating.longer", now, until_at=until_at)
    places_fill(event=event, now=now)
    return event
