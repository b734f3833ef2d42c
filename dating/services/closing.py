"""Registration closes: who takes part, in which group, and who meets whom in which round."""

import unicodedata
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from uuid import UUID

from django.db.models import F

from config.zones import zone_of
from dating.ages import age_on, is_old_enough
from dating.invitations import ics_of, invitation_url
from dating.life.plan import Plan, plans
from dating.matching import Person
from dating.models import Date, DatingProfile, Event, Group, Registration, Room, Round, Seat
from dating.services.results import results_of
from dating.services.telling import SOURCE, Note, about, tell, tell_each

_State, _LeftOut = Registration.State, Registration.LeftOut
#: Why an event is skipped, by what it lacks.
TOO_FEW, POOL_EMPTY, CALLED_OFF = "too_few", "pool_empty", "called_off"


def event_close(*, event: Event, now: datetime) -> bool:
    """Make the groups, rounds and rooms of an event that is held, and tell everybody whether they take part.

    Returns whether the event takes place; if it does not, everybody has been told so, and why.
    """
    confirmed = event.registrations.filter(state=_State.CONFIRMED).select_related("user")
    coming = {each.pk: each for each in confirmed.select_for_update(of=("self",))}
    people, unfit = _people(event, coming.values())
    made = plans(
        people, users_limit=event.users_limit, max_rounds=event.max_rounds, two_pools=event.two_pools
    )
    if not made:
        event.skipped_reason = _why_nobody_meets(event, people)
        event_skip(event=event)
        return False
    pools = {each.key: each.pool for each in people}
    for each in made:
        for person in each.people:
            coming[person].pool = pools[person]
    _store(event, made, coming, now)
    _leave_out(event, coming, {person for each in made for person in each.people}, unfit)
    return True


def event_skip(*, event: Event) -> None:
    """Tell everybody who is still in it that the event does not take place; the caller holds and saves it."""
    still_in = event.registrations.filter(state__in=[_State.REGISTERED, _State.WAITING, _State.CONFIRMED])
    users = list(still_in.values_list("user_id", flat=True))
    still_in.update(state=_State.LEFT_OUT, left_out=_LeftOut.SKIPPED, group=None, sequence=F("sequence") + 1)
    tell(event, "dating.skipped", users, key="all", reason=event.skipped_reason)
    event.results = results_of(event)


def _people(event: Event, coming: Iterable[Registration]) -> tuple[list[Person[UUID]], dict[UUID, str]]:
    """Return those who can be matched, and why the others can't: their birthday is missing, or too late."""
    profiles = {
        each.user_id: each for each in DatingProfile.objects.filter(user__dating_registrations__in=coming)
    }
    day = event.starts_at.astimezone(zone_of(event.time_zone)).date()
    known: list[tuple[Registration, DatingProfile]] = []
    unfit: dict[UUID, str] = {}
    for registration in coming:
        profile = profiles.get(registration.user_id)
        if profile is None or profile.birthday is None:
            unfit[registration.pk] = _LeftOut.NO_BIRTHDAY
        elif not is_old_enough(profile.birthday, on=day):
            unfit[registration.pk] = _LeftOut.TOO_YOUNG
        else:
            known.append((registration, profile))
    pools = _pools([profile.seeks for _, profile in known]) if event.two_pools else [0] * len(known)
    people = [
        Person(
            key=registration.pk,
            pool=pool,
            age=age_on(day, profile.birthday),
            city=_place(profile.city),
            manual_score=profile.manual_score,
        )
        for (registration, profile), pool in zip(known, pools, strict=True)
        if profile.birthday
    ]
    return people, unfit


def _place(city: str) -> str:
    """Return a city as others may have written it too; "" where it is not known."""
    return " ".join(unicodedata.normalize("NFKC", city).casefold().split())


def _pools(seeks: Sequence[str]) -> list[int]:
    """Whoever seeks women is of the one pool, and men of the other; anyone goes where there are fewer."""
    sizes = [seeks.count(DatingProfile.Seeks.MEN), seeks.count(DatingProfile.Seeks.WOMEN)]
    pools = []
    for each in seeks:
        if each == DatingProfile.Seeks.ANYONE:
            pool = 0 if sizes[0] <= sizes[1] else 1
            sizes[pool] += 1
        else:
            pool = 0 if each == DatingProfile.Seeks.MEN else 1
        pools.append(pool)
    return pools


def _why_nobody_meets(event: Event, people: Sequence[Person[UUID]]) -> str:
    if event.two_pools and len(people) > 1 and len({each.pool for each in people}) == 1:
        return POOL_EMPTY
    return TOO_FEW


def _store(event: Event, made: Sequence[Plan], coming: dict[UUID, Registration], now: datetime) -> None:
    longest = max(len(each.rounds) for each in made)
    rounds = Round.objects.bulk_create(Round(event=event, number=number) for number in range(1, longest + 1))
    groups = Group.objects.bulk_create(
        Group(event=event, number=number) for number in range(1, len(made) + 1)
    )
    for group, each in zip(groups, made, strict=True):
        for person in each.people:
            coming[person].group = group
    Registration.objects.bulk_update(coming.values(), ["group", "pool"], batch_size=500)
    dates: list[Date] = []
    first_room = 1
    for group, each in zip(groups, made, strict=True):
        rooms = _rooms(event, group, [coming[person].pool for person in each.people], first_room, now)
        first_room += len(rooms)
        dates += _dates(group, each, rounds, rooms)
    Date.objects.bulk_create(dates, batch_size=1000)
    seats_take(dates)
    _tell_taking_part(event, [each for each in coming.values() if each.group_id], longest, now)


def _tell_taking_part(event: Event, members: Iterable[Registration], rounds: int, now: datetime) -> None:
    """Tell those who take part, with the invitation anew: the evening's end is known by now."""
    event.version += 1
    event.save(update_fields=["version"])
    notes = []
    for member in members:
        member.event = event
        file = {"ics": ics_of(member, now=now, rounds=rounds), "invitation": invitation_url(member)}
        notes.append(
            Note(
                user=member.user,
                kind="dating.taking_part",
                data=about(event, member.user.time_zone, rounds=rounds, **file),
                dedup_key=f"dating.taking_part:{event.pk}:{member.pk}",
                source_type=SOURCE,
                source_id=str(event.pk),
            )
        )
    tell_each(notes)


def _rooms(event: Event, group: Group, pools: Sequence[int], first: int, now: datetime) -> list[Room]:
    """As many rooms as pairs of the group can ever talk at once; each is made ahead, by a job."""
    pairs = min(pools.count(0), pools.count(1)) if event.two_pools else len(pools) // 2
    return Room.objects.bulk_create(
        Room(event=event, group=group, number=number, provider=event.provider, try_at=now)
        for number in range(first, first + pairs)
    )


def _dates(group: Group, planned: Plan, rounds: Sequence[Round], rooms: Sequence[Room]) -> list[Date]:
    return [
        Date(group=group, first_id=first, second_id=second, round=round_, room=room)
        for round_, pairs in zip(rounds, planned.rounds, strict=False)
        for (first, second), room in zip(pairs, rooms, strict=False)
    ]


def seats_take(dates: Iterable[Date]) -> None:
    """Give both people of each date, which has a round, their place in it."""
    Seat.objects.bulk_create(
        [
            Seat(date=each, round=each.round, registration_id=person)
            for each in dates
            if each.round
            for person in (each.first_id, each.second_id)
        ],
        batch_size=1000,
    )


def _leave_out(
    event: Event,
    coming: dict[UUID, Registration],
    taking_part: set[UUID],
    unfit: Mapping[UUID, str],
) -> None:
    """Tell those who don't take part why not."""
    why: dict[str, list[UUID]] = defaultdict(list)
    for pk in coming.keys() - taking_part:
        why[unfit.get(pk, _LeftOut.NO_PARTNER)].append(pk)
    others = event.registrations.filter(state__in=[_State.REGISTERED, _State.WAITING])
    for pk, state in others.values_list("pk", "state"):
        why[_LeftOut.NO_PLACE if state == _State.WAITING else _LeftOut.UNCONFIRMED].append(pk)
    for reason, registrations in why.items():
        rows = event.registrations.filter(pk__in=registrations)
        users = list(rows.values_list("user_id", flat=True))
        rows.update(state=_State.LEFT_OUT, left_out=reason, sequence=F("sequence") + 1)
        tell(event, "dating.left_out", users, key=reason, reason=reason)
