"""A round's dates and its links: laid ahead, to arrive when it starts, and anew when the plan changes."""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime, timedelta
from uuid import UUID

from django.db.models import Q, QuerySet

from dating.life.presence import Signs
from dating.life.timeline import passed
from dating.links import join_url
from dating.models import Date, Event, Group, Registration, Room, Round, Seat
from dating.repairing import next_round
from dating.services.closing import seats_take
from dating.services.telling import Note, about, local_clock, tell_each
from notifications.engine import replay
from notifications.models import Delivery

SOURCE = "dating_round"
_Pair = tuple[UUID, UUID]


def signs_of(members: Iterable[Registration]) -> dict[UUID, Signs]:
    return {each.pk: Signs(each.last_sign_at, each.missed_at) for each in members}


def round_plan(event: Event, number: int) -> bool:
    """Settle who meets in a round, by who is there now; the caller holds the event.

    Returns:
        Whether anybody meets in it.
    """
    if _everybody_is_there(event):
        return Date.objects.filter(round__event=event, round__number=number).exists()
    members = _members_by_group(event)
    open_dates = defaultdict(list)
    for each in Date.objects.filter(group__event=event, status=Date.Status.PLANNED).select_related("round"):
        open_dates[each.group_id].append(each)
    anybody = False
    for group in event.groups.all():
        there = {pk for pk, signs in signs_of(members[group.pk]).items() if signs.is_present}
        chosen = _chosen(open_dates[group.pk], number, there)
        _move(event, group, number, open_dates[group.pk], chosen)
        anybody = anybody or bool(chosen)
    return anybody


def _everybody_is_there(event: Event) -> bool:
    """Whether all goes by the plan of the beginning: what is true of most rounds, and cheap to ask."""
    grouped = event.registrations.filter(group__isnull=False)
    if grouped.filter(Q(state=Registration.State.DROPPED) | Q(missed_at__isnull=False)).exists():
        return False
    return not Date.objects.filter(group__event=event, round=None).exists()


def _members_by_group(event: Event) -> Mapping[UUID, list[Registration]]:
    members: dict[UUID, list[Registration]] = defaultdict(list)
    for each in event.registrations.filter(group__isnull=False, state=Registration.State.CONFIRMED):
        members[each.group_id].append(each)  # type: ignore[index]
    return members


def _chosen(dates: Sequence[Date], number: int, there: set[UUID]) -> list[Date]:
    """Return which of a group's dates that have not taken place are to be held in this round."""
    by_pair = {(each.first_id, each.second_id): each for each in dates}
    planned = [pair for pair, each in by_pair.items() if each.round and each.round.number == number]
    pairs = next_round(list(by_pair), there, planned=planned)
    # What fell out of earlier rounds finds its place wherever both are free.
    busy = {person for pair in pairs for person in pair}
    for pair, each in by_pair.items():
        if each.round is None and not busy.intersection(pair) and there.issuperset(pair):
            pairs.append(pair)
            busy.update(pair)
    return [by_pair[pair] for pair in pairs]


def _move(event: Event, group: Group, number: int, dates: Sequence[Date], chosen: Sequence[Date]) -> None:
    """Have a group hold the chosen dates in a round, and no others."""
    wanted = {each.pk for each in chosen}
    there = {each.pk for each in dates if each.round and each.round.number == number}
    if wanted == there:
        return
    moved = [each for each in dates if each.pk in wanted ^ there]
    Seat.objects.filter(date__in=moved).delete()
    Date.objects.filter(pk__in=[each.pk for each in moved]).update(round=None, room=None)
    round_, _ = Round.objects.get_or_create(event=event, number=number)
    taken = {each.room_id for each in chosen if each.pk in there}
    free = [room for room in Room.objects.filter(group=group).order_by("number") if room.pk not in taken]
    came = [each for each in chosen if each.pk not in there]
    for each, room in zip(came, free, strict=False):
        each.round, each.room = round_, room
    Date.objects.bulk_update(came, ["round", "room"])
    seats_take(came)


def round_lay(event: Event, number: int, *, starts_at: datetime, now: datetime) -> None:
    """Lay out a round's links and byes for its start, in place of those that were laid before.

    Nothing of it is sent before ``starts_at``, nor once the round is over. The caller holds the event.
    """
    round_ = event.rounds.get(number=number)
    links_cancel(round_)
    round_.starts_at, round_.ends_at = starts_at, starts_at + timedelta(seconds=event.round_s)
    round_.version += 1
    round_.save(update_fields=["starts_at", "ends_at", "version"])
    if passed(round_.ends_at, now):
        return
    members = {each.pk: each for each in members_of(event)}
    partners = partners_in(round_)
    going_on = _groups_with_dates_from(event, number)
    tell_each(
        [
            _link(event, round_, member, members[partners[pk]])
            if pk in partners
            else _note(event, round_, member, "dating.bye")
            for pk, member in members.items()
            if pk in partners or member.group_id in going_on
        ]
    )


def members_of(event: Event) -> QuerySet[Registration]:
    """Return those who are in a group, and have not been dropped."""
    members = event.registrations.filter(group__isnull=False, state=Registration.State.CONFIRMED)
    return members.select_related("user").order_by("pk")


def partners_in(round_: Round, **which: str) -> dict[UUID, UUID]:
    """Return whom each meets in a round."""
    pairs = round_.dates.filter(**which).values_list("first_id", "second_id")
    return {one: other for pair in pairs for one, other in (pair, pair[::-1])}


def links_cancel(round_: Round) -> None:
    """Have no link of a round sent any more that has not been."""
    if round_.version == 0:
        return
    of_round = Delivery.objects.filter(
        notification__source_type=SOURCE,
        notification__source_id=str(round_.pk),
        status__in=["pending", "sending"],
    )
    replay.cancel(of_round, reason="plan_changed")


def links_were_sent(round_: Round) -> bool:
    """Whether anybody was sent to this round."""
    return Delivery.objects.filter(
        notification__source_type=SOURCE, notification__source_id=str(round_.pk), status=Delivery.Status.SENT
    ).exists()


def _groups_with_dates_from(event: Event, number: int) -> set[UUID]:
    """Groups that still have dates: whoever of them has none in this round has a bye, and is told so."""
    ahead = Date.objects.filter(group__event=event, round__number__gte=number)
    return set(ahead.order_by().values_list("group_id", flat=True).distinct())


def _link(event: Event, round_: Round, member: Registration, partner: Registration) -> Note:
    return _note(
        event,
        round_,
        member,
        "dating.link",
        partner=partner.user.first_name or "…",
        partner_id=str(partner.pk),
        url=join_url(round_.pk, member.pk),
    )


def _note(event: Event, round_: Round, member: Registration, kind: str, **more: str) -> Note:
    assert round_.ends_at
    return Note(
        user=member.user,
        kind=kind,
        data=about(
            event,
            round=round_.number,
            round_ends_at=round_.ends_at.isoformat(),
            until=local_clock(round_.ends_at, member.user.time_zone),
            **more,
        ),
        dedup_key=f"{kind}:{round_.pk}:{member.pk}:{round_.version}",
        source_type=SOURCE,
        source_id=str(round_.pk),
        due_at=round_.starts_at,
        expires_at=round_.ends_at,
    )
