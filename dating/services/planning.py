"""Who meets in the next round: by the plan of the beginning, or, of those who are there, as many as can."""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from uuid import UUID

from django.db.models import Q

from dating.evening.presence import Signs
from dating.models import Date, Event, Group, LogEntry, Registration, Room, Round, Seat
from dating.pairing.repairing import next_round
from dating.services.closing import seats_take

#: In the log of an evening: somebody in a group is gone, and may have no row any more that would say so.
LEFT = "left"


@dataclass(frozen=True, slots=True)
class Outlook:
    """Whether anybody meets in a round, and whether that is something else than what was planned before."""

    anybody: bool
    has_changed: bool = False


def signs_of(members: Iterable[Registration]) -> dict[UUID, Signs]:
    return {member.pk: Signs(member.last_sign_at, member.missed_at) for member in members}


def round_plan(event: Event, number: int) -> Outlook:
    """Settle who meets in a round of one event; see ``rounds_plan``."""
    return rounds_plan({event: number})[event.pk]


def rounds_plan(numbers: Mapping[Event, int]) -> dict[UUID, Outlook]:
    """Settle who meets in a round of each event, by who is there now; the caller holds the events."""
    # Which do not go by the plan of the beginning any more: few, and the others are cheap to see to.
    keys = [event.pk for event in numbers]
    missing = Q(state=Registration.State.DROPPED) | Q(missed_at__isnull=False)
    grouped = Registration.objects.filter(missing, event__in=keys, group__isnull=False).order_by()
    moved = Date.objects.filter(group__event__in=keys, round=None).order_by()
    left = LogEntry.objects.filter(event__in=keys, what=LEFT).order_by()
    changed = {
        *left.values_list("event_id", flat=True),
        *grouped.values_list("event_id", flat=True).distinct(),
        *moved.values_list("group__event_id", flat=True).distinct(),
    }
    planned = events_with_dates(
        {event: number for event, number in numbers.items() if event.pk not in changed}
    )
    return {
        event.pk: _plan(event, number) if event.pk in changed else Outlook(event.pk in planned)
        for event, number in numbers.items()
    }


def events_with_dates(numbers: Mapping[Event, int]) -> set[UUID]:
    """Which events have a date in their round of that number."""
    if not numbers:
        return set()
    rounds = Round.objects.filter(event__in=list(numbers), number__in=set(numbers.values())).order_by()
    held = rounds.filter(dates__isnull=False).values_list("event_id", "number").distinct()
    wanted = {(event.pk, number) for event, number in numbers.items()}
    return {event for event, number in held if (event, number) in wanted}


def _plan(event: Event, number: int) -> Outlook:
    """Choose among the dates that have not taken place."""
    members: dict[UUID, list[Registration]] = defaultdict(list)
    for member in event.registrations.filter(group__isnull=False, state=Registration.State.CONFIRMED):
        members[member.group_id].append(member)  # type: ignore[index]
    open_dates = defaultdict(list)
    for date in Date.objects.filter(group__event=event, status=Date.Status.PLANNED).select_related("round"):
        open_dates[date.group_id].append(date)
    anybody = has_changed = False
    for group in event.groups.all():
        there = {pk for pk, signs in signs_of(members[group.pk]).items() if signs.is_present}
        # Which of a group's dates that have not taken place are to be held in this round
        by_pair = {(date.first_id, date.second_id): date for date in open_dates[group.pk]}
        planned = [pair for pair, date in by_pair.items() if date.round and date.round.number == number]
        pairs = next_round(list(by_pair), there, planned=planned)
        # What fell out of earlier rounds finds its place wherever both are free.
        busy = {person for pair in pairs for person in pair}
        for pair, date in by_pair.items():
            if date.round is None and not busy.intersection(pair) and there.issuperset(pair):
                pairs.append(pair)
                busy.update(pair)
        chosen = [by_pair[pair] for pair in pairs]
        has_changed |= _move(event, group, number, open_dates[group.pk], chosen)
        anybody |= bool(chosen)
    return Outlook(anybody, has_changed)


def _move(event: Event, group: Group, number: int, dates: Sequence[Date], chosen: Sequence[Date]) -> bool:
    """Have a group hold the chosen dates in a round, and no others; returns whether that changes anything."""
    wanted = {date.pk for date in chosen}
    there = {date.pk for date in dates if date.round and date.round.number == number}
    if wanted == there:
        return False
    moved = [date for date in dates if date.pk in wanted ^ there]
    Seat.objects.filter(date__in=moved).delete()
    Date.objects.filter(pk__in=[date.pk for date in moved]).update(round=None, room=None)
    round_, _ = Round.objects.get_or_create(event=event, number=number)
    taken = {date.room_id for date in chosen if date.pk in there}
    free = [room for room in Room.objects.filter(group=group).order_by("number") if room.pk not in taken]
    came = [date for date in chosen if date.pk not in there]
    for date, room in zip(came, free, strict=False):
        date.round, date.room = round_, room
    Date.objects.bulk_update(came, ["round", "room"])
    seats_take(came)
    return True
