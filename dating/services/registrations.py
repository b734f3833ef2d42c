"""Registering for an event, confirming, cancelling, and the waiting list. Each is harmless when repeated."""

from datetime import datetime
from typing import Any, Final

from django.db import transaction
from django.db.models import F

from accounts.models import User
from config.exceptions import Conflict
from dating.invitations import ics_of, invitation_url, sequence_of
from dating.models import DatingProfile, Event, Registration, Step
from dating.services.locking import event_hold, registration_hold
from dating.services.telling import tell

_State = Registration.State
#: Those who hold a place.
HOLDING: Final = (_State.REGISTERED, _State.CONFIRMED)
#: Those who are still in it: they hold a place, or wait for one.
COMING: Final = (*HOLDING, _State.WAITING)
_BEFORE_GROUPS: Final = (Step.OPEN, Step.CONFIRMING)


@transaction.atomic
def registration_create(*, event: Event, user: User, now: datetime) -> Registration:
    """Register somebody, on the waiting list if all places are taken; who is registered stays so.

    While confirmations are asked for, they are asked at once. Whose profile lacks something is told what.

    Raises:
        Conflict: the registration is closed.
    """
    event = event_hold(event.pk)
    _refuse_when_closed(event, "Registration is closed.")
    registration = registration_hold(event, user.pk)
    if registration is not None and registration.state in COMING:
        return registration
    if registration is None:
        registration = Registration(event=event, user=user)
    else:
        registration.sequence += 1
    registration.state = _State.REGISTERED if _has_place(event) else _State.WAITING
    registration.registered_at = now
    registration.asked_at = registration.confirmed_at = registration.cancelled_at = None
    registration.save()
    waits = registration.state == _State.WAITING
    tell_with_invitation(registration, "dating.waiting" if waits else "dating.registered", now)
    if missing := profile_lacks(user):
        _tell(registration, "dating.profile_incomplete", missing=missing)
    if not waits:
        _ask_if_it_is_time(registration, now)
    return registration


@transaction.atomic
def registration_confirm(*, event: Event, user: User, now: datetime) -> Registration:
    """Note that somebody will come.

    Raises:
        Conflict: they are not asked yet, or it is too late, or they have no place.
    """
    event = event_hold(event.pk)
    _refuse_when_closed(event, "It is too late to confirm: the groups are made.")
    registration = registration_hold(event, user.pk)
    if registration is None or registration.state not in COMING:
        raise Conflict("There is no registration to confirm.")
    if registration.state == _State.WAITING:
        raise Conflict("This registration is on the waiting list; it can be confirmed once it has a place.")
    if registration.state == _State.REGISTERED:
        if event.step != Step.CONFIRMING:
            raise Conflict("Confirmations are not asked for yet.")
        registration.state, registration.confirmed_at = _State.CONFIRMED, now
        registration.save(update_fields=["state", "confirmed_at"])
    return registration


@transaction.atomic
def registration_cancel(*, event: Event, user: User, now: datetime) -> Registration:
    """Take somebody out, and move the first of the waiting list up. Who is out already stays so.

    Raises:
        Conflict: they were never registered, or the groups are made.
    """
    event = event_hold(event.pk)
    registration = registration_hold(event, user.pk)
    if registration is None:
        raise Conflict("There is no registration to cancel.")
    if registration.state not in COMING:
        return registration
    _refuse_when_closed(event, "It is too late to cancel: the groups are made.")
    held_place = registration.state in HOLDING
    declined = registration.state == _State.REGISTERED and registration.asked_at is not None
    registration.state = _State.DECLINED if declined else _State.CANCELLED
    registration.cancelled_at = now
    registration.sequence += 1
    registration.save(update_fields=["state", "cancelled_at", "sequence"])
    tell_with_invitation(registration, "dating.cancelled", now)
    if held_place:
        _move_up(event, now)
    return registration


def registrations_cancel(*, user: User, now: datetime) -> int:
    """Cancel everything of somebody's that can be cancelled; returns how many."""
    events = Event.objects.filter(
        registrations__user=user, registrations__state__in=COMING, step__in=_BEFORE_GROUPS
    )
    cancelled = 0
    for event in events.order_by("pk"):
        try:
            registration_cancel(event=event, user=user, now=now)
        except Conflict:  # its groups were made in between
            continue
        cancelled += 1
    return cancelled


def profile_lacks(user: User) -> list[str]:
    """Return what a profile has to have before its person can be matched, and has not."""
    profile = DatingProfile.objects.filter(user=user).first()
    return [] if profile and profile.birthday else ["birthday"]


def registrations_ask(*, event: Event, now: datetime) -> None:
    """Ask everybody who is registered to confirm; part of a transition, whose transaction holds the event."""
    asked = event.registrations.filter(state=_State.REGISTERED, asked_at=None)
    users = list(asked.values_list("user_id", flat=True))
    asked.update(asked_at=now)
    tell(event, "dating.confirm", users, key="all", until=_closing(event))


def _move_up(event: Event, now: datetime) -> None:
    if not _has_place(event):
        return
    first = (
        event.registrations.filter(state=_State.WAITING)
        .select_for_update(of=("self",))
        .select_related("user")
        .order_by("registered_at", "id")
        .first()
    )
    if first is None:
        return
    first.state = _State.REGISTERED
    first.sequence = F("sequence") + 1
    first.save(update_fields=["state", "sequence"])
    first.refresh_from_db(fields=["sequence"])
    first.event = event
    tell_with_invitation(first, "dating.moved_up", now)
    _ask_if_it_is_time(first, now)


def _ask_if_it_is_time(registration: Registration, now: datetime) -> None:
    event = registration.event
    if event.step != Step.CONFIRMING:
        return
    registration.asked_at = now
    registration.save(update_fields=["asked_at"])
    _tell(registration, "dating.confirm", until=_closing(event))


def _closing(event: Event) -> str:
    return event.close_at.isoformat()


def _has_place(event: Event) -> bool:
    if event.places is None:
        return True
    return event.registrations.filter(state__in=HOLDING).count() < event.places


def _refuse_when_closed(event: Event, message: str) -> None:
    if event.step not in _BEFORE_GROUPS:
        raise Conflict(message)


def tell_with_invitation(registration: Registration, kind: str, now: datetime) -> None:
    """The same, with what their calendar needs to know of it."""
    _tell(registration, kind, ics=ics_of(registration, now=now), invitation=invitation_url(registration))


def _tell(registration: Registration, kind: str, **more: Any) -> None:
    """Tell somebody what has become of their registration; each time that it changes, once."""
    key = f"{registration.user_id}:{sequence_of(registration)}"
    tell(
        registration.event,
        kind,
        [registration.user_id],
        key=key,
        registration_id=str(registration.pk),
        sequence=sequence_of(registration),
        **more,
    )
