"""A round's dates and its links: scheduled for its start, and anew when the plan changes.

Of as many events at once as take the step together: few statements, whatever their number.
"""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from uuid import UUID

from django.db.models import F, Q

from accounts.names import shown as shown_name
from dating.links import join_url
from dating.models import Date, Event, Registration, Round
from dating.services.telling import Notice, deliveries_of, local_clock, notice, tell_each
from notifications.engine import stop
from notifications.models import Delivery

SOURCE = "dating_round"
#: Of each event, by their registrations' ids.
Members = Mapping[UUID, Mapping[UUID, Registration]]


@dataclass(frozen=True, slots=True)
class RoundAt:
    """A round of an event, and when it is to start, or ended."""

    event: Event
    round: Round
    at: datetime


def rounds_schedule(starts: Sequence[RoundAt], *, now: datetime) -> None:
    """Schedule the links and byes of rounds for their starts, in place of those that were scheduled before.

    Nothing of it is sent before its start, nor once the round is over. The caller holds the events.
    """
    tell_each(links_scheduled(starts, now=now))


def links_scheduled(starts: Sequence[RoundAt], *, now: datetime) -> list[Notice]:
    """Set the times of rounds, cancel what was scheduled before, and return what is to be told now."""
    links_cancel([start.round for start in starts])
    alike: dict[tuple[datetime, datetime], list[UUID]] = defaultdict(list)
    for start in starts:
        round_ = start.round
        ends_at = start.at + timedelta(seconds=start.event.round_s)
        round_.starts_at, round_.ends_at, round_.version = start.at, ends_at, round_.version + 1
        alike[start.at, ends_at].append(round_.pk)
    for (starts_at, ends_at), rounds in alike.items():
        Round.objects.filter(pk__in=rounds).update(
            starts_at=starts_at, ends_at=ends_at, version=F("version") + 1
        )
    # Nobody is sent to a round that is over before.
    starts = [start for start in starts if start.round.ends_at and start.round.ends_at > now]
    if not starts:
        return []
    members = members_of(start.event for start in starts)
    partners = partners_in(start.round for start in starts)
    have_byes = [start for start in starts if len(partners[start.round.pk]) < len(members[start.event.pk])]
    # Groups that still have dates: whoever of them has none in this round has a bye, and is told so.
    going_on: set[UUID] = set()
    if have_byes:
        ahead = Q(
            *(Q(round__event=start.event, round__number__gte=start.round.number) for start in have_byes),
            _connector=Q.OR,
        )
        going_on = set(Date.objects.filter(ahead).order_by().values_list("group_id", flat=True).distinct())
    return [
        told
        for start in starts
        for told in _notices_of(start, members[start.event.pk], partners[start.round.pk], going_on)
    ]


def rounds_numbered(numbers: Mapping[UUID, int]) -> dict[UUID, Round]:
    """Return each event's round of that number, if it has one."""
    found = Round.objects.filter(event__in=list(numbers), number__in=set(numbers.values())).order_by()
    return {round_.event_id: round_ for round_ in found if round_.number == numbers[round_.event_id]}


def members_of(events: Iterable[Event], *, dropped: bool = False) -> Members:
    """Return those who are in a group, without those who have been dropped, unless they are asked for."""
    found: dict[UUID, dict[UUID, Registration]] = {event.pk: {} for event in events}
    states = [Registration.State.CONFIRMED, *([Registration.State.DROPPED] if dropped else [])]
    grouped = Registration.objects.filter(event__in=list(found), group__isnull=False, state__in=states)
    for member in grouped.select_related("user").order_by("pk"):
        found[member.event_id][member.pk] = member
    return found


def partners_in(rounds: Iterable[Round], **which: str) -> Mapping[UUID, Mapping[UUID, UUID]]:
    """Return whom each meets in each of the rounds."""
    found: dict[UUID, dict[UUID, UUID]] = {round_.pk: {} for round_ in rounds}
    dates = Date.objects.filter(round__in=list(found), **which).order_by()
    for round_id, one, other in dates.values_list("round_id", "first_id", "second_id"):
        if round_id is not None:
            found[round_id] |= {one: other, other: one}
    return found


def links_cancel(rounds: Iterable[Round]) -> None:
    """Have no link of these rounds sent any more that has not been, nor replayed."""
    scheduled = [round_.pk for round_ in rounds if round_.version]
    if scheduled:
        stop.close(deliveries_of(SOURCE, scheduled), reason=Delivery.Reason.PLAN_CHANGED)


def rounds_unschedule(event: Event, now: datetime) -> None:
    """Have nobody be sent to the rounds to come of an event, nor let into them once their time has come."""
    planned = event.rounds.filter(status=Round.Status.PLANNED)
    links_cancel(planned)
    planned.filter(starts_at__gt=now).update(starts_at=None, ends_at=None)


def rounds_give_up(events: Sequence[Event]) -> None:
    """Note that no further round of these events is held; they stay, with the dates that results count."""
    planned = Round.objects.filter(event__in=events, status=Round.Status.PLANNED)
    planned.update(status=Round.Status.NOT_HELD)


def links_seal(rounds: Iterable[Round]) -> None:
    """Have no link of these rounds replayed: they are over, and what waits expires with them."""
    stop.seal(deliveries_of(SOURCE, [round_.pk for round_ in rounds]))


def links_were_sent(round_: Round) -> bool:
    """Whether anybody was sent to this round."""
    return deliveries_of(SOURCE, [round_.pk]).filter(status=Delivery.Status.SENT).exists()


def as_partner(member: Registration) -> dict[str, str]:
    """Return what somebody is told of whom they meet."""
    return {"partner": shown_name(member.user.first_name), "partner_id": str(member.pk)}


def _notices_of(
    start: RoundAt,
    members: Mapping[UUID, Registration],
    partners: Mapping[UUID, UUID],
    going_on: set[UUID],
) -> Iterable[Notice]:
    round_ = start.round
    assert round_.ends_at
    for pk, member in members.items():
        partner = members.get(partners[pk]) if pk in partners else None
        if partner is None and member.group_id not in going_on:
            continue
        if partner is None:
            kind, who = "dating.bye", {}
        else:
            url = join_url(round_.pk, pk, member.user.links_version)
            kind, who = "dating.link", as_partner(partner) | {"url": url}
        yield notice(
            start.event,
            member.user,
            kind,
            key=f"{pk}:{round_.version}",
            source=(SOURCE, round_.pk),
            due_at=round_.starts_at,
            expires_at=round_.ends_at,
            round=round_.number,
            round_ends_at=round_.ends_at.isoformat(),
            until=local_clock(round_.ends_at, member.user.time_zone),
            **who,
        )
