"""Rooms and the calls in them: made ahead and ended at the providers, outside of any transaction."""

import time
from collections.abc import Iterable, Iterator
from datetime import datetime, timedelta
from typing import Final

import structlog

from accounts.names import shown as shown_name
from dating.meetings import Guest, MeetingUnavailable, RoomInfo, ends_calls, provider
from dating.models import Room, Seat

log = structlog.get_logger(__name__)

#: Whoever makes or ends one has it for so long; then another tries.
_LEASE: Final = timedelta(seconds=30)
_RETRY: Final = timedelta(seconds=5)
#: What is left after so many seconds of a job is left to the next look.
SLICE_S: Final = 5.0
#: A call that can't be ended for so long is let be.
_GIVE_UP: Final = timedelta(minutes=10)
#: Makes rooms without asking anybody.
_DEFAULT: Final = "jitsi"


def for_a_slice(rooms: Iterable[Room]) -> Iterator[Room]:
    """Go through rooms for as long as a job may keep others waiting: a provider may hang."""
    ends_at = time.monotonic() + SLICE_S
    for room in rooms:
        yield room
        if time.monotonic() >= ends_at:
            break


def rooms_make(*, now: datetime, limit: int = 50) -> int:
    """Make rooms that are still to be made, soonest events first; returns how many were tried."""
    due = Room.objects.filter(try_at__lte=now).select_related("event").order_by("event__starts_at", "number")
    tried = 0
    for room in for_a_slice(due[:limit]):
        if room.event.is_over:
            Room.objects.filter(pk=room.pk).update(try_at=None)
        elif Room.objects.filter(pk=room.pk, try_at=room.try_at).update(try_at=now + _LEASE):
            _make(room, now)
            tried += 1
    return tried


def _make(room: Room, now: datetime) -> None:
    rows = Room.objects.filter(pk=room.pk, made_at=None)
    try:
        info = provider(room.provider).create_room(key=room.pk.hex, title=room.event.title)
    except MeetingUnavailable as error:
        wait = timedelta(seconds=error.retry_after) if error.retry_after is not None else _RETRY
        rows.update(try_at=now + wait, error=str(error))
    except Exception as error:
        # Refused, or not set up: the evening goes on in the default provider's rooms (see call_address), and
        # this one is tried again now and then, since somebody may mend it.
        log.exception("dating_room_failed", room=str(room.pk))
        rows.update(try_at=now + 10 * _RETRY, error=str(error))
    else:
        rows.update(url=info.url, reference=info.reference, error="", try_at=None, made_at=now)


def calls_end(*, now: datetime, limit: int = 200) -> int:
    """End the calls whose round is over; returns how many were tried."""
    due = Room.objects.filter(end_at__lte=now)
    tried = 0
    for name in due.order_by().values_list("provider", flat=True).distinct():
        if not ends_calls(name):
            tried += due.filter(provider=name).update(end_at=None)
    # In any order, so that those whose provider hangs don't keep the others from their turn for ever.
    for room in for_a_slice(due.select_related("event").order_by("?")[:limit]):
        if Room.objects.filter(pk=room.pk, end_at=room.end_at).exists():
            _end(room, now)
            tried += 1
    return tried


def _end(room: Room, now: datetime) -> None:
    """End one call. The room's next round takes ``end_at`` away when it begins: then it is left alone."""
    row = Room.objects.filter(pk=room.pk, end_at=room.end_at)
    try:
        if room.reference:
            provider(room.provider).end_call(room.reference)
    except Exception as error:
        log.warning("dating_call_not_ended", room=str(room.pk), error=str(error))
        assert room.end_at
        if now - room.end_at < _GIVE_UP:
            return  # tried again at the next look
    row.update(end_at=None)


def call_address(seat: Seat, *, now: datetime) -> str:
    """Return where somebody enters their call. Asks nobody.

    A room that its provider could not be got to make in time is replaced by one of the default provider's,
    which needs nothing; whoever of the two comes first settles that for both.
    """
    room = seat.date.room
    assert room is not None, "a date in a round has a room"
    if room.made_at is None:
        info = provider(_DEFAULT).create_room(key=room.pk.hex, title=seat.round.event.title)
        instead = {"provider": _DEFAULT, "url": info.url, "reference": info.reference}
        Room.objects.filter(pk=room.pk, made_at=None).update(**instead, try_at=None, made_at=now)
        room.refresh_from_db()
    person = seat.registration
    assert seat.round.ends_at
    return provider(room.provider).link(
        RoomInfo(url=room.url, reference=room.reference),
        call=str(seat.round.number),
        guest=Guest(id=person.pk.hex, name=shown_name(person.user.first_name)),
        until=seat.round.ends_at,
    )
