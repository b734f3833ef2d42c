"""Registering for an event, confirming, cancelling, and the waiting list. Each is harmless when repeated."""

from datetime import datetime
from typing import Final

from django.db import transaction
from django.db.models import Q
from django.utils.translation import gettext

from accounts.models import User
from config.rest.exceptions import Conflict
from dating.evening.steps import OVER
from dating.models import DatingProfile, Event, Registration, Step
from dating.services.inviting import tell_part, tell_with_invitation
from dating.services.locking import event_lock, registration_lock
from dating.services.overlapping import confirmed_once
from dating.services.places import BEFORE_GROUPS, COMING, ask_to_confirm, has_place, places_fill
from dating.services.telling import overtaken_stop, tell

_State = Registration.State
_CANCELLED: Final = (_State.CANCELLED, _State.DECLINED)
#: What whoever confirms knows, or has answered.
_BEFORE_CONFIRMING: Final = ("dating.confirm", "dating.moved_up", "dating.registered", "dating.waiting")


@transaction.atomic
def registration_create(*, event: Event, user: User, now: datetime) -> Registration:
    """Register somebody, on the waiting list if all places are taken; who is registered stays so.

    While confirmations are asked for, they are asked at once. Whose profile lacks something is told what.
    Conflict: the registration is closed.
    """
    event = event_lock(event.pk)
    _refuse_when_closed(event, "Registration is closed.")
    registration = registration_lock(event, user.pk)
    if registration is not None and registration.state in COMING:
        return registration
    if registration is None:
        registration = Registration(event=event, user=user)
    else:
        registration.sequence += 1
        overtaken_stop(event, [user.pk])
    places_fill(event=event, now=now)
    registration.state = _State.REGISTERED if has_place(event, user) else _State.WAITING
    registration.registered_at = now
    registration.asked_at = registration.confirmed_at = registration.cancelled_at = None
    registration.save()
    waits = registration.state == _State.WAITING
    tell_with_invitation(registration, "dating.waiting" if waits else "dating.registered", now)
    if missing := profile_lacks(user):
        tell_part(registration, "dating.profile_incomplete", missing=missing)
    ask_to_confirm(registration, now)
    return registration


@transaction.atomic
def registration_confirm(*, event: Event, user: User, now: datetime) -> Registration:
    """Note that somebody will come; on the waiting list: that they would, if a place becomes free.

    Raises:
        Conflict: they are not asked yet, or it is too late, or they come to another event at that time.
    """
    event = event_lock(event.pk)
    _refuse_when_closed(event, "It is too late to confirm: the groups are made.")
    registration = registration_lock(event, user.pk)
    if registration is None or registration.state not in COMING:
        raise Conflict(gettext("You have no registration to confirm."))
    if registration.confirmed_at is not None:
        return registration
    if event.step != Step.CONFIRMING:
        raise Conflict(gettext("It is too early to confirm."))
    confirmed_once(event, user)
    registration.confirmed_at = now
    if registration.state == _State.REGISTERED:
        registration.state = _State.CONFIRMED
        registration.sequence += 1
    registration.save(update_fields=["state", "confirmed_at", "sequence"])
    if registration.state == _State.CONFIRMED:
        overtaken_stop(event, [user.pk], *_BEFORE_CONFIRMING)
        tell_with_invitation(registration, "dating.confirmed", now)
    else:
        overtaken_stop(event, [user.pk], "dating.confirm")
    return registration


@transaction.atomic
def registration_cancel(*, event: Event, user: User, now: datetime) -> Registration:
    """Take somebody out, and move the first of the waiting list up. Who is out already stays so.

    Raises:
        Conflict: they were never registered, or the groups are made.
    """
    event = event_lock(event.pk)
    registration = registration_lock(event, user.pk)
    if registration is None:
        raise Conflict(gettext("You have no registration to cancel."))
    if registration.state not in COMING:
        return registration
    _refuse_when_closed(event, "It is too late to cancel: the groups are made.")
    registration_end(registration, now)
    overtaken_stop(event, [user.pk])
    tell_with_invitation(registration, "dating.cancelled", now)
    places_fill(event=event, now=now)
    return registration


def registration_end(registration: Registration, now: datetime) -> None:
    """Note that somebody does not come; whoever holds the event then has others move up."""
    declined = registration.asked_at is not None and registration.state != _State.CONFIRMED
    registration.state = _State.DECLINED if declined else _State.CANCELLED
    registration.cancelled_at = now
    registration.sequence += 1
    registration.save(update_fields=["state", "cancelled_at", "sequence"])


def registrations_cancel(*, user: User, now: datetime) -> int:
    """Cancel everything of somebody's that can be cancelled; returns how much is cancelled then.

    What was cancelled before counts too, until its event is over: the same again gets the same answer.
    """
    to_cancel = Q(state__in=COMING, event__step__in=BEFORE_GROUPS)
    theirs = Registration.objects.filter(to_cancel | Q(state__in=_CANCELLED), user=user)
    cancelled = 0
    for registration in theirs.exclude(event__step__in=OVER).select_related("event").order_by("event_id"):
        try:
            registration_cancel(event=registration.event, user=user, now=now)
        except Conflict:  # its groups were made in between
            continue
        cancelled += 1
    return cancelled


def profile_lacks(user: User) -> list[str]:
    """Return what a profile has to have before its person can be matched, and has not."""
    profile = DatingProfile.objects.filter(user=user).first()
    return [] if profile and profile.birthday else ["birthday"]


def registrations_ask(*, event: Event, now: datetime) -> None:
    """Ask everybody to confirm, those who wait too; part of a transition, which holds the event."""
    places_fill(event=event, now=now)
    until = event.close_at.isoformat()
    for state in (_State.REGISTERED, _State.WAITING):
        asked = event.registrations.filter(state=state, asked_at=None)
        users = list(asked.values_list("user_id", flat=True))
        asked.update(asked_at=now)
        # Of an event that is moved they are asked once more.
        key = f"{state}:{event.version}"
        waits = state == _State.WAITING
        tell(event, "dating.confirm", users, key=key, expires_at=event.close_at, until=until, waits=waits)


def _refuse_when_closed(event: Event, message: str) -> None:
    if event.step not in BEFORE_GROUPS:
        raise Conflict(message)
