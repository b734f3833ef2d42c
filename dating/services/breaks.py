"""When the calls of a round have ended: who was there, and what they say of each other."""

from collections import defaultdict
from datetime import datetime
from uuid import UUID

from dating.life.presence import Held, Signs, evidence
from dating.models import Date, Event, Registration, Round
from dating.services.rounds import members_of, partners_in
from dating.services.telling import Note, about, tell_each


def round_judge(event: Event, round_: Round, *, at: datetime) -> None:
    """Count the no-shows of a round, and note which of its dates did not take place."""
    members: dict[UUID, dict[UUID, Registration]] = defaultdict(dict)
    for member in event.registrations.filter(group__isnull=False):
        members[member.group_id][member.pk] = member  # type: ignore[index]
    for group, held in _held(round_).items():
        signs = {pk: Signs(each.last_sign_at, each.missed_at) for pk, each in members[group].items()}
        failed, absent = evidence(held, signs)
        if not failed:
            continue
        Date.objects.filter(pk__in=failed).update(status=Date.Status.NO_SHOW)
        missing = [members[group][pk] for pk in absent]
        for each in missing:
            each.missed_at, each.no_shows = at, each.no_shows + 1
        Registration.objects.bulk_update(missing, ["missed_at", "no_shows"])


def _held(round_: Round) -> dict[UUID, list[Held]]:
    """Return the dates of a round by group, with who entered their calls."""
    joined = set(round_.seats.exclude(joined_at=None).values_list("date_id", "registration_id"))
    held = round_.dates.filter(status=Date.Status.HELD)
    dates: dict[UUID, list[Held]] = defaultdict(list)
    for pk, group, *people in held.values_list("pk", "group_id", "first_id", "second_id"):
        one, other = people
        there = frozenset(person for person in people if (pk, person) in joined)
        dates[group].append(Held(pk, (one, other), there))
    return dates


def ratings_ask(event: Event, round_: Round) -> None:
    """Ask everybody about whom they have just met."""
    members = {each.pk: each for each in members_of(event)}
    partners = partners_in(round_, status=Date.Status.HELD)
    tell_each(
        [
            _rating(event, round_, member, members[partners[pk]])
            for pk, member in members.items()
            if pk in partners and partners[pk] in members
        ]
    )


def _rating(event: Event, round_: Round, member: Registration, partner: Registration) -> Note:
    return Note(
        user=member.user,
        kind="dating.rate",
        data=about(
            event,
            round=round_.number,
            partner=partner.user.first_name or "…",
            partner_id=str(partner.pk),
        ),
        dedup_key=f"dating.rate:{round_.pk}:{member.pk}",
        source_type="dating_break",
        source_id=str(round_.pk),
    )
