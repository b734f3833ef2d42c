"""Telling administrators of holes: of each once, and again a day before it begins."""

from collections.abc import Iterable, Sequence
from datetime import datetime, time, timedelta
from typing import Any, Final

import structlog
from django.conf import settings
from django.db import transaction

from accounts.models import User
from accounts.selectors import administrators
from config import sql
from config.zones import local_time, zone_of
from escalation.holes.finding import Found
from escalation.holes.reading import OfOne, holes_of_policies, holes_of_schedules
from escalation.models import Hole, Policy, Schedule
from escalation.notices import notices
from escalation.policies.selectors import policies
from escalation.schedules.selectors import with_layers
from notifications.engine.planned import deliver_many
from notifications.engine.recipients import Person, people_with_preferences
from notifications.messages.compose import notification_of

log = structlog.get_logger(__name__)

KIND: Final = "on_call.holes"
#: The ``source_type`` of its notifications; their ids are those of the schedule or the policy.
SOURCE: Final = "on_call_holes"
#: When the day's new holes are told, by the clock of the schedule.
TOLD_AT: Final = time(9)
#: Whatever begins so soon is told at once, and what is known already once more.
SOON: Final = timedelta(days=1)
# Of each message, so many are told one by one.
_MOST: Final = 10
# The advisory lock under which holes are looked for: one look at a time.
_LOCK: Final = 0x686F6C65


def holes_look(now: datetime) -> int:
    """Store the holes that there are, forget those that are no more, and tell what is to be told.

    However many do so at once, each hole is told once. Returns how many are told by this run.
    """
    schedules = with_layers(Schedule.objects.filter(deleted_at=None).order_by("pk"), since=now)
    told = 0
    with transaction.atomic():
        sql.lock(_LOCK)
        seen = [*holes_of_schedules(schedules, now=now), *holes_of_policies(policies(), now=now)]
        rows = _stored(seen, now)
        to = list(people_with_preferences(administrators()).values())
        for one in seen:
            due = [(row, hole) for row, hole in rows.get(one.of.pk, ()) if _is_due(row, one, now)]
            if not due:
                continue
            _tell(one, [hole for _, hole in due], to, now)
            for row, _ in due:
                row.told_at, row.reminded_at = row.told_at or now, now if _is_soon(row, now) else None
                row.save(update_fields=["told_at", "reminded_at"])
            told += len(due)
    return told


def sources_of(user: User) -> Iterable[tuple[str, str]]:
    """Return what may have told of somebody's holes: those of every schedule and policy."""
    for of in (Schedule, Policy):
        yield from ((SOURCE, str(pk)) for pk in of.objects.values_list("pk", flat=True))


def _stored(seen: Iterable[OfOne], now: datetime) -> dict[Any, list[tuple[Hole, Found]]]:
    """Bring the rows up to date with what was found; returns both, by the id of what has them.

    What can't be read keeps its rows.
    """
    known: dict[tuple[Any, str, str], Hole] = {
        (row.schedule_id or row.policy_id, row.kind, row.key): row for row in Hole.objects.all()
    }
    rows: dict[Any, list[tuple[Hole, Found]]] = {}
    new, moved = [], []
    for one in seen:
        if one.holes is None:
            known = {key: row for key, row in known.items() if key[0] != one.of.pk}
            continue
        for hole in one.holes:
            row = known.pop((one.of.pk, hole.kind, hole.key), None)
            # One without a beginning in sight has begun.
            starts_at = None if hole.kind == Hole.Kind.STEP else hole.starts_at or now
            if row is None:
                of = {"schedule": one.of} if isinstance(one.of, Schedule) else {"policy": one.of}
                user_id = hole.user_ids[0] if hole.user_ids else None
                row = Hole(
                    kind=hole.kind, key=hole.key, user_id=user_id, starts_at=starts_at, found_at=now, **of
                )
                new.append(row)
            elif row.starts_at != starts_at and not _has_begun(row.starts_at, starts_at, now):
                row.starts_at = starts_at
                moved.append(row)
            rows.setdefault(one.of.pk, []).append((row, hole))
    Hole.objects.filter(pk__in=[row.pk for row in known.values()]).delete()
    Hole.objects.bulk_create(new)
    Hole.objects.bulk_update(moved, ["starts_at"], batch_size=500)
    return rows


def _has_begun(before: datetime | None, starts_at: datetime | None, now: datetime) -> bool:
    """Whether a hole had begun before: then it keeps its beginning until it comes again."""
    return before is not None and starts_at is not None and max(before, starts_at) <= now


def _is_due(row: Hole, one: OfOne, now: datetime) -> bool:
    """Whether a hole is to be told now: for the first time, or once more since it begins soon."""
    if row.told_at is None:
        return _is_soon(row, now) or _last_told_at(one.time_zone, now) >= row.found_at
    return _is_soon(row, now) and row.reminded_at is None


def _is_soon(row: Hole, now: datetime) -> bool:
    return row.starts_at is not None and row.starts_at <= now + SOON


def _last_told_at(time_zone: str, now: datetime) -> datetime:
    """Return the last time of the day at which new holes are told."""
    local = now.astimezone(zone_of(time_zone))
    at = local.replace(hour=TOLD_AT.hour, minute=0, second=0, microsecond=0)
    return at if at <= local else at - timedelta(days=1)


def _tell(one: OfOne, holes: Sequence[Found], admins: Iterable[Person], now: datetime) -> None:
    planned = []
    for person in admins:
        notification = notification_of(
            kind=KIND,
            data=_data(one, holes, person.user.time_zone),
            source_type=SOURCE,
            source_id=str(one.of.pk),
            dedup_key=f"{KIND}:{one.of.pk}:{now.isoformat()}:{person.user.pk}",
        )
        planned += notices(notification, [person], now=now)
    deliver_many(planned)
    log.info("holes_told", of=str(one.of.pk), holes=len(holes))


def _data(one: OfOne, holes: Sequence[Found], time_zone: str) -> dict[str, Any]:
    """Return the holes as texts and machines have them, by the reader's clock."""

    def local(at: datetime | None) -> str:
        return local_time(at, time_zone) if at else ""

    return {
        "of": one.of.name,
        "is_policy": isinstance(one.of, Policy),
        "count": len(holes),
        "more": max(0, len(holes) - _MOST),
        "holes": [
            {
                "kind": hole.kind.value,
                "who": ", ".join(hole.names),
                "explanation": hole.explanation,
                "starts": local(hole.starts_at),
                "ends": local(hole.ends_at),
                "times": hole.times,
            }
            for hole in holes[:_MOST]
        ],
        "page": f"{settings.PUBLIC_URL}/on-call/holes/",
    }
