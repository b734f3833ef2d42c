"""What the API shows of an evening: as one of its people sees it, and as those do who run it."""

from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from django.db.models import Prefetch

from dating.links import join_url
from dating.models import Date, Event, Group, LogEntry, Reaction, Registration
from dating.selectors import events_with_counts, reactions_by
from dating.services.evening import seat_now
from dating.services.finishing import matches_of_event
from dating.services.reactions import partners_of


@dataclass(frozen=True, slots=True)
class Call:
    """Somebody's call of the round that goes on."""

    round: int
    partner: Registration
    url: str
    ends_at: datetime


@dataclass(frozen=True, slots=True)
class EveningSnapshot:
    """What one person sees; ``matches`` are empty until the event is over."""

    step: str
    round: int
    deadline_at: datetime | None
    paused: bool
    state: str
    ready: bool
    call: Call | None
    met: list[Registration]
    missed: list[Registration]
    reactions: list[Reaction]
    matches: list[Registration]


def evening_of(registration: Registration, *, now: datetime) -> EveningSnapshot:
    """Return what somebody sees of their evening."""
    event = registration.event
    met, missed = partners_of(registration)
    matched: set[UUID] = matches_of_event(event)[registration.pk] if event.is_over else set()
    return EveningSnapshot(
        step=event.step,
        round=event.current_round,
        deadline_at=event.deadline_at,
        paused=event.paused_at is not None,
        state=registration.state,
        ready=registration.ready_at is not None,
        call=call_of(registration, now=now),
        met=met,
        missed=missed,
        reactions=list(reactions_by(registration)),
        matches=[partner for partner in met if partner.pk in matched],
    )


def call_of(registration: Registration, *, now: datetime) -> Call | None:
    """Return somebody's call of the round that goes on, if they have one."""
    if registration.state != Registration.State.CONFIRMED:
        return None
    seat = seat_now(registration.event, registration, now=now)
    if seat is None:
        return None
    date = seat.date
    assert seat.round.ends_at
    return Call(
        round=seat.round.number,
        partner=date.partner_of(registration.pk),
        url=join_url(seat.round_id, registration.pk, registration.user.links_version),
        ends_at=seat.round.ends_at,
    )


def run_sheet_of(event: Event) -> dict[str, Any]:
    """Return what those see who run an event: its groups, who meets whom when and where, and its log."""
    members = Registration.objects.select_related("user").order_by("pk")
    dates = Date.objects.filter(round__isnull=False).select_related("round", "room")
    groups = Group.objects.filter(event=event).prefetch_related(
        Prefetch("members", members), Prefetch("dates", dates.order_by("round__number", "room__number"))
    )
    return {
        "event": events_with_counts().get(pk=event.pk),
        "groups": [
            {"number": group.number, "members": group.members.all(), "dates": group.dates.all()}
            for group in groups
        ],
        "log": LogEntry.objects.filter(event=event),
        "results": event.results,
    }
