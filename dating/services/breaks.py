"""When the calls of a round have ended: who was there, and what they say of each other."""

from collections import defaultdict
from collections.abc import Sequence
from typing import Any
from uuid import UUID

from dating.evening.presence import EndedDate, evidence
from dating.models import Date, Registration, Seat
from dating.services.planning import signs_of
from dating.services.rounds import Members, RoundAt, as_partner, partners_in
from dating.services.telling import Notice, notice

#: The ``source_type`` of what asks people about each other.
BREAK = "dating_break"


def rounds_judge(ended: Sequence[RoundAt], members: Members) -> None:
    """Count the no-shows of rounds that have been held, and note which of their dates did not take place.

    ``members`` are all in groups of these events, dropped ones too; they are changed to what is found.
    """
    # The dates of each round by group, with who entered their calls
    held: dict[UUID, dict[UUID, list[EndedDate]]] = {
        round_.pk: defaultdict(list) for round_ in (end.round for end in ended)
    }
    seats = Seat.objects.filter(round__in=list(held)).exclude(joined_at=None).order_by()
    joined = set(seats.values_list("date_id", "registration_id"))
    took_place = Date.objects.filter(round__in=list(held), status=Date.Status.TOOK_PLACE)
    for pk, round_id, group, *people in took_place.values_list(
        "pk", "round_id", "group_id", "first_id", "second_id"
    ):
        one, other = people
        there = frozenset(person for person in people if (pk, person) in joined)
        held[round_id][group].append(EndedDate(pk, (one, other), there))
    failed: list[UUID] = []
    missing: list[Registration] = []
    for end in ended:
        of_event = members[end.event.pk]
        groups: dict[UUID | None, list[Registration]] = defaultdict(list)
        for member in of_event.values():
            groups[member.group_id].append(member)
        for group, dates in held[end.round.pk].items():
            found = evidence(dates, signs_of(groups[group]))
            failed += found.failed
            for pk in found.absent:
                of_event[pk].missed_at = end.at
                of_event[pk].no_shows += 1
                missing.append(of_event[pk])
    if failed:
        Date.objects.filter(pk__in=failed).update(status=Date.Status.NO_SHOW)
        Registration.objects.bulk_update(missing, ["missed_at", "no_shows"])


def ratings_of(ended: Sequence[RoundAt], members: Members) -> list[Notice]:
    """Return what asks everybody about whom they have just met; call it once the round is judged."""
    partners = partners_in((end.round for end in ended), status=Date.Status.TOOK_PLACE)
    notices = []
    for end in ended:
        event, round_, met = end.event, end.round, partners[end.round.pk]
        of_event = members[event.pk].items()
        there = {pk: member for pk, member in of_event if member.state == Registration.State.CONFIRMED}
        for pk, member in there.items():
            partner = there.get(met[pk]) if pk in met else None
            if partner is not None:
                who: dict[str, Any] = as_partner(partner) | {"round": round_.number}
                source = BREAK, round_.pk
                notices.append(notice(event, member.user, "dating.rate", key=pk, source=source, **who))
    return notices
