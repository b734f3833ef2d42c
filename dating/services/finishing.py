"""The end of an evening: who matched, what is told of it, and what is kept for analysis."""

from collections.abc import Sequence
from datetime import datetime

from accounts.names import shown as shown_name
from dating.models import Event
from dating.services.reactions import matches_of_event
from dating.services.results import results_of
from dating.services.rounds import members_of
from dating.services.telling import notice, tell_each


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
