"""The places of an event: who holds them, and who moves up when one becomes free, by whatever way."""

from collections import Counter
from collections.abc import Mapping
from datetime import datetime
from typing import Final

from django.db.models import Count

from accounts.models import User
from dating.models import DatingProfile, Event, Registration, Step
from dating.services.inviting import tell_part, tell_with_invitation
from dating.services.locking import event_lock
from dating.services.telling import overtaken_stop

_State = Registration.State
#: Those who hold a place.
WITH_PLACE: Final = (_State.REGISTERED, _State.CONFIRMED)
#: Those who are still in it: they hold a place, or wait for one.
COMING: Final = (*WITH_PLACE, _State.WAITING)
#: In these there are places to be had.
BEFORE_GROUPS: Final = (Step.OPEN, Step.CONFIRMING)


class FreePlaces:
    """The places that are free, and for whom: of two pools, neither takes more than half of all.

    Whoever seeks anyone goes where there are fewer, and so takes any.
    """

    def __init__(self, places: int, *, two_pools: bool, held: Mapping[str, int]) -> None:
        """Begin with those that are held: how many, by what their people seek."""
        self.left = places - sum(held.values())
        self._most = places - places // 2 if two_pools else places
        self._held = Counter(held)

    @property
    def none_for(self) -> list[str]:
        """Whom those seek of whose pool there are enough."""
        pools = (DatingProfile.Seeks.MEN, DatingProfile.Seeks.WOMEN)
        return [seeks for seeks in pools if self._held[seeks] >= self._most]

    def take(self, seeks: str) -> bool:
        """Take a place for somebody who seeks this, if there is one."""
        if self.left <= 0 or seeks in self.none_for:
            return False
        self.left -= 1
        self._held[seeks] += 1
        return True


def has_place(event: Event, user: User) -> bool:
    """Whether an event has a place for somebody; call ``places_fill`` before, or it is a waiting one's."""
    if event.places is None:
        return True
    profile = DatingProfile.objects.filter(user=user).first()
    return _free(event, event.places).take(_seeks(profile))


def places_fill(*, event: Event, now: datetime) -> None:
    """Have those who wait longest move up to the places free for them; the caller holds the event."""
    if event.step not in BEFORE_GROUPS:
        return
    free = _free(event, event.places) if event.places is not None else None
    if free and free.left <= 0:
        return
    waiting = (
        event.registrations.filter(state=_State.WAITING, user__is_active=True)
        .select_for_update(of=("self",))
        .select_related("user__dating_profile")
        .order_by("registered_at", "id")
    )
    if free and event.two_pools:
        waiting = waiting.exclude(user__dating_profile__seeks__in=free.none_for)
    elif free:
        waiting = waiting[: free.left]
    for registration in waiting:
        if free is None or free.take(_seeks(getattr(registration.user, "dating_profile", None))):
            _move_up(event, registration, now)


def places_follow_wishes(*, user: User, now: datetime) -> None:
    """Have others move up where somebody who has a place, or waits for one, seeks others now."""
    theirs = Registration.objects.filter(user=user, state__in=COMING)
    shared = theirs.filter(event__two_pools=True, event__places__isnull=False, event__step__in=BEFORE_GROUPS)
    for event_id in shared.order_by("event_id").values_list("event_id", flat=True):
        places_fill(event=event_lock(event_id), now=now)


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


def places_held(event: Event) -> int:
    return event.registrations.filter(state__in=WITH_PLACE).count()


def _free(event: Event, places: int) -> FreePlaces:
    holders = event.registrations.filter(state__in=WITH_PLACE).order_by()
    by_seeks = holders.values_list("user__dating_profile__seeks").annotate(count=Count("pk"))
    held = Counter[str]()
    for seeks, count in by_seeks:
        held[seeks or DatingProfile.Seeks.ANYONE] += count
    return FreePlaces(places, two_pools=event.two_pools, held=held)


def _seeks(profile: DatingProfile | None) -> str:
    """Return whom somebody seeks: anyone, as long as they have not said."""
    return profile.seeks if profile else DatingProfile.Seeks.ANYONE


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
