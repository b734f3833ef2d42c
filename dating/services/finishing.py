"""The end of an evening: who matched, what is told of it, and what is kept for analysis."""

from collections import defaultdict
from collections.abc import Sequence
from datetime import datetime
from uuid import UUID

from accounts.names import shown as shown_name
from dating.evening.results import ReactionRow, matches_of
from dating.models import Event
from dating.services.results import results_of
from dating.services.rounds import members_of
from dating.services.telling import notice, tell_each


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
    notices = []
    for event in events:
        matches, of_event = matches_of_event(event), members[event.pk]
        for pk, member in of_event.items():
            found = [
                {"registration_id": str(other), "name": shown_name(of_event[other].user.first_name)}
                for other in sorted(matches[pk])
                if other in of_event
            ]
            notices.append(notice(event, member.user, "dating.finished", key=pk, matches=found))
        event.results = results_of(event)
    tell_each(notices)
