"""Evenings that take place at the same time: nobody is in two of them."""

from collections.abc import Collection, Iterator
from datetime import datetime
from typing import Final
from uuid import UUID

from django.db import connection
from django.db.models import Q
from django.utils.translation import gettext

from accounts.models import User
from config.rest.exceptions import Conflict
from dating.evening.steps import OVER
from dating.evening.timeline import LIVE, longest
from dating.models import Event, Registration

_State = Registration.State
#: They have said that they will come, if there is a place.
WILL_COME: Final = Q(state=_State.CONFIRMED) | Q(state=_State.WAITING, confirmed_at__isnull=False)
# Any numbers: the first with somebody's id, the second alone.
_ONE_PERSON: Final = 0x7D_A7E6
_CLOSING: Final = 0x7D_A7E7


def confirmed_once(event: Event, user: User) -> None:
    """Raise Conflict if somebody has confirmed another evening of the same time."""
    with connection.cursor() as cursor:
        # Two confirmations of one person would not see each other.
        key = int.from_bytes(user.pk.bytes[-4:], signed=True)
        cursor.execute("SELECT pg_advisory_xact_lock(%s, %s)", [_ONE_PERSON, key])
    for other in _elsewhere(event, [user.pk]):
        raise Conflict(
            gettext("You have confirmed %(title)s, which takes place at the same time.")
            % {"title": other.event.title}
        )


def taking_part_elsewhere(event: Event, users: Collection[UUID]) -> set[UUID]:
    """Return who of these has a place in a group of an evening of the same time.

    An evening that was moved may have come to lie over another which people had confirmed: the one that
    closes first keeps them.
    """
    if not any(_elsewhere(event, users)):
        return set()
    with connection.cursor() as cursor:
        # Such evenings close one after the other; then the later one sees what the other made.
        cursor.execute("SELECT pg_advisory_xact_lock(%s)", [_CLOSING])
    return {
        registration.user_id for registration in _elsewhere(event, users) if registration.group_id is not None
    }


def _elsewhere(event: Event, users: Collection[UUID]) -> Iterator[Registration]:
    """Yield what these people have confirmed of other evenings, for as long as this one can take."""
    others = Registration.objects.filter(
        WILL_COME, user__in=users, event__starts_at__lt=_ends_at(event)
    ).exclude(event__step__in=OVER)
    for other in others.exclude(event=event).select_related("event").order_by("event__starts_at", "id"):
        if event.starts_at < _ends_at(other.event):
            yield other


def _ends_at(event: Event) -> datetime:
    ends_at = event.starts_at + longest(event)
    # A pause or a longer round may have taken it further than that.
    return max(ends_at, event.deadline_at) if event.step in LIVE and event.deadline_at else ends_at
