"""What the API shows of an evening: as one of its people sees it, and as those do who run it."""

from datetime import datetime
from typing import Any

from django.db.models import Prefetch

from dating.links import join_url
from dating.models import Date, Event, Group, LogEntry, Registration
from dating.selectors import events_with_counts
from dating.services.evening import seat_now
from dating.services.reactions import matches_of_person, partners_of


def evening_of(registration: Registration, *, now: datetime) -> dict[str, Any]:
    """Return what somebody sees of their evening; ``matches`` are empty until the event is over."""
    event = registration.event
    met, missed = partners_of(registration)
    matched = matches_of_person(registration.pk) if event.is_over else set()
    return {
        "step": event.step,
        "round": event.current_round,
        "deadline_at": event.deadline_at,
        "paused": event.paused_at is not None,
        "state": registration.state,
        "ready": registration.ready_at is not None,
        "call": _call_of(registration, now),
        "met": met,
        "missed": missed,
        # What others said of them nobody but the staff sees.
        "reactions": registration.reactions.order_by("id"),
        "matches": [partner for partner in met if partner.pk in matched],
    }


def _call_of(registration: Registration, now: datetime) -> dict[str, Any] | None:
    """Return somebody's call of the round that goes on, if they have one."""
    if registration.state != Registration.State.CONFIRMED:
        return None
    seat = seat_now(registration.event, registration, now=now)
    if seat is None:
        return None
    return {
        "round": seat.round.number,
        "partner": seat.date.partner_of(registration.pk),
        "url": join_url(seat.round_id, registration.pk, registration.user.links_version),
        "ends_at": seat.round.ends_at,
    }


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
