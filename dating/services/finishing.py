"""The end of an evening: who matched, what is told of it, and what is kept for analysis."""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from datetime import datetime
from uuid import UUID

from accounts.names import shown as shown_name
from dating.evening.results import ReactionRow, matches_of
from dating.models import Event, Registration
from dating.services.results import results_of
from dating.services.rounds import members_of
from dating.services.telling import SOURCE, Notice, about, tell_each


def matches_of_event(event: Event) -> dict[UUID, set[UUID]]:
    """Return whom each registration matched: both liked the other, and neither reported the other."""
    said = event.reactions.order_by("id").values_list("by_id", "about_id", "kind")
    matches: dict[UUID, set[UUID]] = defaultdict(set)
    for one, other in matches_of(ReactionRow(*row) for row in said):
        matches[one].add(other)
        matches[other].add(one)
    return matches


def events_finish(*, events: Sequence[Event], now: datetime) -> None:
    """Tell everybody that it is over, and whom they matched; the caller holds the events and saves them."""
    members = members_of(events)
    notes = []
    for event in events:
        matches = matches_of_event(event)
        of_event = members[event.pk]
        notes += [_final(event, member, matches[pk], of_event) for pk, member in of_event.items()]
        event.results = results_of(event)
    tell_each(notes)


def _final(
    event: Event, member: Registration, matched: set[UUID], members: Mapping[UUID, Registration]
) -> Notice:
    found = [
        {"registration_id": str(pk), "name": shown_name(members[pk].user.first_name)}
        for pk in sorted(matched)
        if pk in members
    ]
    return Notice(
        user=member.user,
        kind="dating.finished",
        data=about(event, member.user.time_zone, matches=found),
        dedup_key=f"dating.finished:{event.pk}:{member.pk}",
        source_type=SOURCE,
        source_id=str(event.pk),
    )
