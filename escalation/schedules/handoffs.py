"""Telling people that they are on call: some hours before, and when it begins."""

from collections.abc import Iterator, Sequence
from datetime import datetime, timedelta
from typing import Any, Final, NamedTuple
from uuid import UUID

import structlog
from django.conf import settings

from accounts.models import User
from config.zones import local_time
from escalation.models import Schedule
from escalation.schedules.row import Duty, Roster, final_row
from escalation.schedules.selectors import people_by_id, roster_of, with_layers
from notifications import looks
from notifications.engine.fanout import notify, people
from notifications.messages.compose import notification_of
from notifications.models import Notification

log = structlog.get_logger(__name__)

SOURCE: Final = "schedule"
SOON, BEGINS = "on_call.soon", "on_call.begins"
#: Whoever hears of a beginning only then, since nothing ran meanwhile, still hears of it.
LATE: Final = timedelta(minutes=30)
#: As far ahead the end of a time on call is looked for.
_LONG: Final = timedelta(days=35)
#: What ends and begins again within this is one time on call.
_GAP: Final = timedelta(minutes=1)


class OnCall(NamedTuple):
    """Somebody's time on call by a schedule, whatever layers and turns it is made of."""

    user_id: UUID
    starts_at: datetime
    ends_at: datetime


def handoffs_tell(now: datetime) -> int:
    """Tell whoever is on call from now on, or will be soon; returns how many are told by this run.

    Each is told a single time of each beginning, however often this runs.
    """
    before = timedelta(hours=settings.ON_CALL_NOTICE_H)
    told = 0
    schedules = with_layers(Schedule.objects.filter(deleted_at=None), since=now - LATE)
    for schedule in schedules.iterator(chunk_size=100):
        try:
            told += _tell_of(schedule, now, before)
        except Exception as error:  # those of the other schedules are to be told all the same
            if looks.is_away(error):
                raise
            log.exception("handoffs_not_told", schedule=str(schedule.pk))
    return told


def due(roster: Roster, *, now: datetime, before: timedelta) -> Iterator[tuple[str, OnCall]]:
    """Yield what is to be told of a schedule by now: that it begins, or will within ``before``. Pure."""
    # What went before belongs to it: whoever goes on being on call begins nothing.
    for spell in spells(final_row(roster, now - LATE - _GAP, now + before)):
        if now - LATE < spell.starts_at <= now < spell.ends_at:
            yield BEGINS, spell
        elif now < spell.starts_at < now + before:
            yield SOON, spell


def _whole(roster: Roster, spell: OnCall) -> OnCall:
    """Return it with its end, which may be beyond what was looked at."""
    row = final_row(roster, spell.starts_at, spell.starts_at + _LONG)
    return next(each for each in spells(row) if each.user_id == spell.user_id)


def spells(row: Sequence[Duty]) -> list[OnCall]:
    """Return each person's times on call, in which one turn follows another. Pure."""
    open_: dict[UUID, OnCall] = {}
    found: list[OnCall] = []
    for duty in row:
        for user_id in duty.user_ids:
            last = open_.get(user_id)
            if last and duty.starts_at - last.ends_at < _GAP:
                open_[user_id] = last._replace(ends_at=max(last.ends_at, duty.ends_at))
            else:
                found += [last] if last else []
                open_[user_id] = OnCall(user_id, duty.starts_at, duty.ends_at)
    return sorted([*found, *open_.values()], key=lambda each: each.starts_at)


def _tell_of(schedule: Any, now: datetime, before: timedelta) -> int:
    roster, users = roster_of(schedule), people_by_id(schedule)
    found = {
        f"{kind}:{schedule.pk}:{spell.user_id}:{spell.starts_at.isoformat()}": (kind, spell)
        for kind, spell in due(roster, now=now, before=before)
    }
    # Most have been told already, some minutes or hours ago.
    told = Notification.objects.filter(dedup_key__in=found).values_list("dedup_key", flat=True)
    new = found.keys() - set(told)
    for key in new:
        kind, spell = found[key]
        _tell(schedule, users[spell.user_id], kind, _whole(roster, spell), key=key, now=now)
    return len(new)


def _tell(schedule: Schedule, user: User, kind: str, spell: OnCall, *, key: str, now: datetime) -> None:
    notification = notification_of(
        kind=kind,
        data={
            "schedule": schedule.name,
            "starts": local_time(spell.starts_at, user.time_zone),
            "ends": local_time(spell.ends_at, user.time_zone),
        },
        source_type=SOURCE,
        source_id=str(schedule.pk),
        dedup_key=key,
    )
    until = spell.starts_at if kind == SOON else spell.ends_at
    notify(notification, people([user.pk], as_of=now), inbox=True, expires_at=until)
