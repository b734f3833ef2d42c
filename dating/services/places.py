"""The places of an event: who holds them, and who moves up when one becomes free, by whatever way."""

from datetime import datetime
from typing import Final

from dating.models import Event, Registration, Step
from dating.services.inviting import tell_part, tell_with_invitation
from dating.services.telling import overtaken_stop

_State = Registration.State
#: Those who hold a place.
WITH_PLACE: Final = (_State.REGISTERED, _State.CONFIRMED)
#: Those who are still in it: they hold a place, or wait for one.
COMING: Final = (*WITH_PLACE, _State.WAITING)
#: In these there are places to be had.
BEFORE_GROUPS: Final = (Step.OPEN, Step.CONFIRMING)


def has_place(event: Event) -> bool:
    """Whether a place of an event is free; call ``places_fill`` before, or those who wait are overtaken."""
    return event.places is None or _held(event) < event.places


def places_fill(*, event: Event, now: datetime) -> None:
    """Have those who wait longest move up to the places that are free; the caller holds the event."""
    if event.step not in BEFORE_GROUPS:
        return
    waiting = (
        event.registrations.filter(state=_State.WAITING, user__is_active=True)
        .select_for_update(of=("self",))
        .select_related("user")
        .order_by("registered_at", "id")
    )
    if event.places is not None:
        waiting = waiting[: max(event.places - _held(event), 0)]
    for registration in waiting:
        _move_up(event, registration, now)


def ask_to_confirm(registration: Registration, now: datetime) -> None:
    """Ask somebody whether they will come, once it is time for that."""
    event = registration.event
    if event.step != Step.CONFIRMING:
        return
    registration.asked_at = now
    registration.save(update_fields=["asked_at"])
    waits = registration.state == _State.WAITING
    until_at = event.close_at
    tell_part(registration, "dating.confirm", expires_at=until_at, until=until_at.isoformat(), waits=waits)


def _held(event: Event) -> int:
    return event.registrations.filter(state__in=WITH_PLACE).count()


def _move_up(event: Event, first: Registration, now: datetime) -> None:
    """Whoever has said already that they would come is not asked again."""
    is_coming = first.confirmed_at is not None
    first.event = event
    first.state = _State.CONFIRMED if is_coming else _State.REGISTERED
    first.sequence += 1
    first.save(update_fields=["state", "sequence"])
    overtaken_stop(event, [first.user_id], "dating.confirm", "dating.waiting")
    tell_with_invitation(first, "dating.moved_up", now)
    if not is_coming:
        ask_to_confirm(first, now)
