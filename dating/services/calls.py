"""Rooms and the calls in them: made ahead and ended at the providers, outside of any transaction."""

import random
import time
from collections.abc import Iterable, Iterator
from datetime import datetime, timedelta
from itertools import chain
from typing import Final

import structlog

from accounts.models import User
from accounts.names import shown as shown_name
from dating.links import join_token
from dating.meetings import (
    DEFAULT,
    Guest,
    MeetingPaced,
    MeetingUnavailable,
    RoomInfo,
    asks_nobody,
    ends_calls,
    is_offered,
    provider,
)
from dating.models import Event, Room, Seat
from dating.services.evening import join_mark

log = structlog.get_logger(__name__)

#: Whoever makes or ends one has it for so long; then another tries.
LEASE: Final = timedelta(seconds=30)
_AGAIN: Final = timedelta(seconds=50)
#: What is left after so many seconds of a job is left to the next look.
SLICE_S: Final = 5.0
#: A call that can't be ended for so long is let be.
_GIVE_UP: Final = timedelta(minutes=10)


def for_a_slice(rooms: Iterable[Room]) -> Iterator[Room]:
    """Go through rooms for as long as a job may keep others waiting: a provider may hang."""
    ends_at = time.monotonic() + SLICE_S
    for room in rooms:
        yield room
        if time.monotonic() >= ends_at:
            break


def rooms_make(*, now: datetime, limit: int = 50) -> int:
    """Make rooms that are still to be made, each provider's soonest first; returns how many were tried."""
    due = Room.objects.filter(try_at__lte=now).select_related("event")
    names = list(due.order_by().values_list("provider", flat=True).distinct())
    # Those that ask nobody come first; the others in any order. So none that hangs keeps others from their
    # rooms for ever.
    random.shuffle(names)
    names.sort(key=lambda name: not asks_nobody(name))
    by_provider = (due.filter(provider=name).order_by("event__starts_at", "number")[:limit] for name in names)
    tried = 0
    for room in for_a_slice(chain.from_iterable(by_provider)):
        if room.event.is_over:
            Room.objects.filter(pk=room.pk).update(try_at=None)
        elif Room.objects.filter(pk=room.pk, try_at=room.try_at).update(try_at=now + LEASE):
            _make(room, now)
            tried += 1
    return tried


def _make(room: Room, now: datetime) -> None:
    rows = Room.objects.filter(pk=room.pk, made_at=None)
    try:
        info = provider(room.provider).create_room(key=room.pk.hex, title=room.event.title)
    except MeetingUnavailable as error:
        if str(error) != room.error and not isinstance(error, MeetingPaced):
            log.warning("dating_room_waits", room=str(room.pk), provider=room.provider, error=str(error))
        rows.update(try_at=now + error.wait, error=str(error))
    except Exception as error:
        # Refused, or not set up: the evening goes on in the default provider's rooms (see call_address), and
        # this one is tried again now and then, since somebody may mend it.
        log.exception("dating_room_failed", room=str(room.pk))
        rows.update(try_at=now + _AGAIN, error=str(error))
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


def call_enter(*, event: Event, user: User, now: datetime) -> str:
    """Note that somebody comes to their call of the round that goes on; return where they enter it.

    A room that notes by itself who comes in is only a step away: until then it is a sign of them, no more.

    Raises:
        Conflict: they don't take part, or have no call now.
    """
    seat = join_mark(event=event, user=user, now=now, comes_in=_comes_in)
    return call_address(seat, now=now)


def _comes_in(seat: Seat) -> bool:
    """Whether somebody is in the call once they have followed their link."""
    room = seat.date.room
    assert room is not None, "a date in a round has a room"
    return _is_there(room) and not provider(room.provider).notes_arrivals


def call_address(seat: Seat, *, now: datetime) -> str:
    """Return where somebody enters their call. Asks nobody.

    A room that its provider could not be got to make in time, or that is no longer set up, is replaced by a
    built-in one, which needs nothing; whoever of the two comes first settles that for both.
    """
    room = seat.date.room
    assert room is not None, "a date in a round has a room"
    if not _is_there(room):
        info = provider(DEFAULT).create_room(key=room.pk.hex, title=seat.round.event.title)
        instead = {"provider": DEFAULT, "url": info.url, "reference": info.reference}
        still = Room.objects.filter(pk=room.pk, provider=room.provider, made_at=room.made_at)
        still.update(**instead, try_at=None, look_at=None, made_at=now)
        room.refresh_from_db()
    person = seat.registration
    assert seat.round.ends_at
    token = join_token(seat.round_id, person.pk, person.user.links_version)
    return provider(room.provider).link(
        RoomInfo(url=room.url, reference=room.reference),
        call=str(seat.round.number),
        guest=Guest(id=person.pk.hex, name=shown_name(person.user.first_name), token=token),
        until=seat.round.ends_at,
    )


def _is_there(room: Room) -> bool:
    return room.made_at is not None and is_offered(room.provider)
