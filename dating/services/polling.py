"""Who is in a call, by its provider: people may have entered by other ways than the product's link."""

from collections.abc import Sequence
from datetime import datetime

import structlog

from config.rest.exceptions import Conflict
from dating.evening.presence import seen_in_call
from dating.evening.timeline import next_poll
from dating.meetings import MeetingUnavailable, knows_participants, provider
from dating.models import Room, Seat
from dating.services.calls import LEASE, for_a_slice
from dating.services.evening import join_mark

log = structlog.get_logger(__name__)


def rooms_poll(*, now: datetime, limit: int = 50) -> int:
    """Ask providers who is in the rooms that are due, and note it; returns how many were tried."""
    due = Room.objects.filter(look_at__lte=now).select_related("event").order_by("look_at")
    tried = 0
    for room in for_a_slice(due[:limit]):
        if Room.objects.filter(pk=room.pk, look_at=room.look_at).update(look_at=now + LEASE):
            room.look_at = now + LEASE
            _poll(room, now)
            tried += 1
    return tried


def _poll(room: Room, now: datetime) -> None:
    row = Room.objects.filter(pk=room.pk, look_at=room.look_at)
    going_on = Seat.objects.filter(date__room=room, round__starts_at__lte=now, round__ends_at__gt=now)
    seats = list(going_on.select_related("round", "registration__user"))
    if not seats or not room.reference or not knows_participants(room.provider):
        row.update(look_at=None)
        return
    try:
        shown = provider(room.provider).participants(room.reference)
    except MeetingUnavailable as error:
        row.update(look_at=now + error.wait)
        return
    except Exception as error:
        # Refused for now: somebody may mend it before the next poll.
        log.warning("dating_room_not_looked_into", room=str(room.pk), error=str(error))
        row.update(look_at=_next_poll_at(seats, now))
        return
    names = {}
    for seat in seats:
        user = seat.registration.user
        both = f"{user.first_name} {user.last_name}".strip()
        names[seat.registration_id] = {name for name in (user.first_name, both) if name}
    seen = seen_in_call(shown, names)
    for seat in seats:
        if seat.registration_id in seen and seat.joined_at is None:
            try:
                join_mark(event=room.event, user=seat.registration.user, now=now)
            except Conflict:  # dropped meanwhile, or the round is over
                continue
            seat.joined_at = now
    somebody_is_missing = any(seat.joined_at is None for seat in seats)
    row.update(look_at=_next_poll_at(seats, now) if somebody_is_missing else None)


def _next_poll_at(seats: Sequence[Seat], now: datetime) -> datetime | None:
    round_ = seats[0].round
    assert round_.starts_at
    assert round_.ends_at
    return next_poll(round_.starts_at, round_.ends_at, now=now)
