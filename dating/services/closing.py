"""Registration closes: who takes part, in which group, and who meets whom in which round."""

import unicodedata
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from datetime import date, datetime
from uuid import UUID

from django.db.models import F, QuerySet

from config.zones import zone_of
from dating.ages import age_on, is_old_enough
from dating.models import Date, DatingProfile, Event, Group, Registration, Room, Round, Seat
from dating.pairing import Person
from dating.pairing.plan import Plan, plans
from dating.services.inviting import tell_parts
from dating.services.overlapping import WILL_COME, taking_part_elsewhere
from dating.services.places import COMING, FreePlaces
from dating.services.results import results_of

_State, _LeftOut = Registration.State, Registration.LeftOut
#: Why an event is skipped, by what it lacks.
TOO_FEW, POOL_EMPTY, CALLED_OFF, PAUSED = "too_few", "pool_empty", "called_off", "paused"


def event_close(*, event: Event, now: datetime) -> bool:
    """Make the groups, rounds and rooms of an event that is held, and tell everybody whether they take part.

    Returns whether the event takes place; if it does not, everybody has been told so, and why.
    """
    # Those who have said that they come: those who hold a place, then those who wait for one.
    gone = event.registrations.filter(state__in=COMING, user__is_active=False)
    gone.update(state=_State.CANCELLED, cancelled_at=now, sequence=F("sequence") + 1)
    found = event.registrations.filter(WILL_COME).select_for_update(of=("self",))
    found = found.select_related("user__dating_profile").order_by("registered_at", "id")
    coming = sorted(found, key=lambda each: each.state == _State.WAITING)
    why = _unfit(event, coming)
    known = [registration for registration in coming if registration.pk not in why]
    placed = _placed(event, known)
    people = _people(event, placed)
    made = plans(
        people, users_limit=event.users_limit, max_rounds=event.max_rounds, two_pools=event.two_pools
    )
    if not made:
        is_one_pool = event.two_pools and len(people) > 1 and len({person.pool for person in people}) == 1
        event.skipped_reason = POOL_EMPTY if is_one_pool else TOO_FEW
        event_skip(event=event, now=now)
        return False
    pools = {person.key: person.pool for person in people}
    by_key = {registration.pk: registration for registration in placed}
    members = {pk: by_key[pk] for plan in made for pk in plan.people}
    for pk, member in members.items():
        member.pool = pools[pk]
    # Whoever held a place and has none any more was one of too many who seek the same.
    had_a_place = [*placed, *(each for each in known if each.state != _State.WAITING)]
    why |= {each.pk: _LeftOut.NO_PARTNER for each in had_a_place if each.pk not in members}
    _store(event, made, members, now)
    _leave_out(event, why, has_places=event.places is None or len(placed) < event.places, now=now)
    return True


def event_skip(*, event: Event, now: datetime) -> None:
    """Tell everybody who is still in it that the event does not take place; the caller holds and saves it."""
    still_in = event.registrations.filter(state__in=COMING).select_related("user")
    left_out = _left_out(still_in, _LeftOut.SKIPPED)
    tell_parts(event, "dating.skipped", left_out, now, reason=event.skipped_reason)
    event.results = results_of(event)


def _unfit(event: Event, coming: Sequence[Registration]) -> dict[UUID, str]:
    """Return who of these can't be matched, and why."""
    elsewhere = taking_part_elsewhere(event, [registration.user_id for registration in coming])
    day = _day(event)
    why: dict[UUID, str] = {}
    for registration in coming:
        profile: DatingProfile | None = getattr(registration.user, "dating_profile", None)
        if registration.user_id in elsewhere:
            why[registration.pk] = _LeftOut.ELSEWHERE
        elif profile is None or profile.birthday is None:
            why[registration.pk] = _LeftOut.NO_BIRTHDAY
        elif not is_old_enough(profile.birthday, on=day):
            why[registration.pk] = _LeftOut.TOO_YOUNG
    return why


def _placed(event: Event, known: Sequence[Registration]) -> Sequence[Registration]:
    """Return those for whom there is a place, by their order; whoever holds one keeps it.

    Only where all of them are of one pool do the last of them make room for those whom they could meet.
    """
    if event.places is None:
        return known
    holders = [each for each in known if each.state != _State.WAITING]
    placed = [*holders, *_shared(event, known[len(holders) :], places=event.places, holders=holders)]
    if event.two_pools and len(set(_pools(_wishes(placed)))) == 1:
        return _shared(event, known, places=max(event.places, len(holders)), holders=[])
    return placed


def _shared(
    event: Event, waiting: Sequence[Registration], *, places: int, holders: Sequence[Registration]
) -> list[Registration]:
    """Return for whom of those who wait there are places beside the holders: none is left empty."""
    free = FreePlaces(places, two_pools=event.two_pools, held=Counter(_wishes(holders)))
    taken = [free.take(wish) for wish in _wishes(waiting)]
    first = [each for each, is_taken in zip(waiting, taken, strict=True) if is_taken]
    others = [each for each, is_taken in zip(waiting, taken, strict=True) if not is_taken]
    return [*first, *others[: max(free.left, 0)]]


def _wishes(registrations: Iterable[Registration]) -> list[str]:
    return [registration.user.dating_profile.seeks for registration in registrations]


def _day(event: Event) -> date:
    return event.starts_at.astimezone(zone_of(event.time_zone)).date()


def _people(event: Event, placed: Sequence[Registration]) -> list[Person[UUID]]:
    day = _day(event)
    pools = _pools(_wishes(placed)) if event.two_pools else [0] * len(placed)
    return [
        Person(
            key=registration.pk,
            pool=pool,
            age=age_on(day, profile.birthday),
            city=" ".join(unicodedata.normalize("NFKC", profile.city).casefold().split()),
            manual_score=profile.manual_score,
        )
        for registration, pool in zip(placed, pools, strict=True)
        if (profile := registration.user.dating_profile).birthday
    ]


def _pools(seeks: Sequence[str]) -> list[int]:
    """Whoever seeks women is of the one pool, and men of the other; anyone goes where there are fewer."""
    sizes = [seeks.count(DatingProfile.Seeks.MEN), seeks.count(DatingProfile.Seeks.WOMEN)]
    pools = []
    for wish in seeks:
        if wish == DatingProfile.Seeks.ANYONE:
            pool = 0 if sizes[0] <= sizes[1] else 1
            sizes[pool] += 1
        else:
            pool = 0 if wish == DatingProfile.Seeks.MEN else 1
        pools.append(pool)
    return pools


def _store(event: Event, made: Sequence[Plan], members: Mapping[UUID, Registration], now: datetime) -> None:
    longest = max(len(plan.rounds) for plan in made)
    rounds = Round.objects.bulk_create(Round(event=event, number=number) for number in range(1, longest + 1))
    groups = Group.objects.bulk_create(
        Group(event=event, number=number) for number in range(1, len(made) + 1)
    )
    for member in members.values():
        member.state = _State.CONFIRMED
    for group, plan in zip(groups, made, strict=True):
        for person in plan.people:
            members[person].group = group
    Registration.objects.bulk_update(members.values(), ["group", "pool", "state"], batch_size=500)
    dates: list[Date] = []
    first_room = 1
    for group, plan in zip(groups, made, strict=True):
        # As many rooms as pairs of the group can ever talk at once; each is made ahead, by a job.
        pools = [members[person].pool for person in plan.people]
        pairs = min(pools.count(0), pools.count(1)) if event.two_pools else len(pools) // 2
        rooms = Room.objects.bulk_create(
            Room(event=event, group=group, number=number, provider=event.provider, try_at=now)
            for number in range(first_room, first_room + pairs)
        )
        first_room += len(rooms)
        dates += [
            Date(group=group, first_id=first, second_id=second, round=round_, room=room)
            for round_, pairs in zip(rounds, plan.rounds, strict=False)
            for (first, second), room in zip(pairs, rooms, strict=False)
        ]
    Date.objects.bulk_create(dates, batch_size=1000)
    seats_take(dates)
    # With the invitation anew: the evening's end is known by now.
    event.version += 1
    event.save(update_fields=["version"])
    tell_parts(event, "dating.taking_part", members.values(), now, rounds=longest)


def seats_take(dates: Iterable[Date]) -> None:
    """Give both people of each date, which has a round, their place in it."""
    Seat.objects.bulk_create(
        [
            Seat(date=date, round=date.round, registration_id=person)
            for date in dates
            if date.round
            for person in (date.first_id, date.second_id)
        ],
        batch_size=1000,
    )


def _leave_out(event: Event, why: Mapping[UUID, str], *, has_places: bool, now: datetime) -> None:
    """Tell those who don't take part why not.

    Args:
        why: of those who had said that they would come, as far as it was not for want of a place.
        has_places: there were places for more of those who wait, had they said that they would come.
    """
    of_reason: dict[str, list[UUID]] = defaultdict(list)
    others = event.registrations.filter(state__in=COMING, group=None)
    for pk, state, confirmed_at in others.values_list("pk", "state", "confirmed_at"):
        silent = confirmed_at is None and (has_places or state == _State.REGISTERED)
        of_reason[why.get(pk) or (_LeftOut.UNCONFIRMED if silent else _LeftOut.NO_PLACE)].append(pk)
    for reason, registrations in of_reason.items():
        rows = event.registrations.filter(pk__in=registrations).select_related("user")
        tell_parts(event, "dating.left_out", _left_out(rows, reason), now, reason=reason)


def _left_out(rows: QuerySet[Registration], reason: str) -> list[Registration]:
    """Take these out, and return them as they are then."""
    found = list(rows)
    left_out = {"state": _State.LEFT_OUT, "left_out": reason, "group": None}
    Registration.objects.filter(pk__in=[registration.pk for registration in found]).update(
        **left_out, sequence=F("sequence") + 1
    )
    for registration in found:
        registration.state, registration.left_out, registration.group = _State.LEFT_OUT, reason, None
        registration.sequence += 1
    return found
