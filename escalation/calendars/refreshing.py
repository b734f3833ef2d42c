"""Keeps external calendars as they are elsewhere: fetched again and again, each by a job of its own.

A calendar that can't be fetched or read keeps its last state. Once that has lasted for ICAL_STALE_H, the
administrators are told.
"""

from datetime import datetime, timedelta
from typing import Any, Final
from uuid import UUID

import structlog
from django.conf import settings
from django.db import transaction
from django.db.models import F, Q, QuerySet

from accounts.models import User
from escalation.calendars import telling
from escalation.calendars.apart import Unreadable, read_apart
from escalation.calendars.facts import Meant, Read
from escalation.calendars.fetching import Fetched, Unfetched, fetch
from escalation.calendars.meaning import meant
from escalation.models import CalendarSpell, Layer, LayerCalendar

log = structlog.get_logger(__name__)

#: What is kept of a calendar: final rows and calendar links reach no further.
PAST: Final = timedelta(weeks=5)
FUTURE: Final = timedelta(days=100)
#: Read anew so often, changed or not: time goes on, and people come, leave and change their addresses.
READ_ANEW: Final = timedelta(hours=1)


def due(now: datetime) -> list[UUID]:
    """Take the calendars that are to be fetched by now; returns their ids.

    What isn't fetched then, since its job was lost, is due again as if it had been.
    """
    _settle(now)
    later = now + timedelta(seconds=settings.ICAL_EVERY_S)
    with transaction.atomic():
        waiting = LayerCalendar.objects.filter(layer__schedule__deleted_at=None, due_at__lte=now)
        locked = waiting.order_by("due_at").select_for_update(of=("self",), skip_locked=True)
        ids = list(locked.values_list("pk", flat=True))
        LayerCalendar.objects.filter(pk__in=ids).update(due_at=later)
    return ids


def _settle(now: datetime) -> None:
    """Begin the calendars of layers that are new, or have another address now."""
    changed = ~Q(url=F("layer__ical_url")) | ~Q(time_zone=F("layer__time_zone"))
    LayerCalendar.objects.filter(changed).delete()
    new = Layer.objects.filter(schedule__deleted_at=None, calendar=None).exclude(ical_url="")
    LayerCalendar.objects.bulk_create(
        (
            LayerCalendar(layer=each, url=each.ical_url, time_zone=each.time_zone, due_at=now)
            for each in new.order_by("pk")
        ),
        ignore_conflicts=True,  # another is at it
    )


def refresh(calendar_id: UUID, *, now: datetime) -> None:
    """Fetch a calendar and store what it says; however often this runs, the result is the same."""
    calendar = _live().filter(pk=calendar_id).first()
    if calendar is None:
        return
    try:
        fetched, read = _read(calendar, now)
    except (Unfetched, Unreadable) as error:
        _failed(calendar, str(error), now)
    else:
        _store(calendar, fetched, read, now)


def _live() -> QuerySet[LayerCalendar]:
    return LayerCalendar.objects.filter(layer__schedule__deleted_at=None).select_related("layer__schedule")


def _read(calendar: LayerCalendar, now: datetime) -> tuple[Fetched, Read | None]:
    """Return what was fetched, and what it says; None where that hasn't changed."""
    is_fresh = calendar.read_at is not None and now - calendar.read_at < READ_ANEW and not calendar.error
    known = {"etag": calendar.etag, "last_modified": calendar.last_modified} if is_fresh else {}
    fetched = fetch(calendar.url, **known)
    if fetched.content is None:
        return fetched, None
    return fetched, read_apart(
        fetched.content, time_zone=calendar.time_zone, begin=now - PAST, end=now + FUTURE
    )


def _store(calendar: LayerCalendar, fetched: Fetched, read: Read | None, now: datetime) -> None:
    changes: dict[str, Any] = {"fetched_at": now, "failing_since": None, "error": "", "told_at": None}
    with transaction.atomic():
        if not LayerCalendar.objects.select_for_update(no_key=True).filter(pk=calendar.pk).exists():
            return  # the layer has another one by now
        if read is not None:
            found = _meant(read)
            changes |= {
                "read_at": now,
                "etag": fetched.etag,
                "last_modified": fetched.last_modified,
                "problems": found.problems,
                "problems_count": found.problems_count,
            }
            CalendarSpell.objects.filter(calendar=calendar).delete()
            CalendarSpell.objects.bulk_create(
                CalendarSpell(calendar=calendar, **each._asdict()) for each in found.spells
            )
            log.info(
                "calendar_read",
                calendar=str(calendar.pk),
                spells=len(found.spells),
                problems=found.problems_count,
            )
        LayerCalendar.objects.filter(pk=calendar.pk).update(**changes)


def _meant(read: Read) -> Meant:
    emails = {email for each in read.happenings for email in each.emails}
    ids = {user_id for each in read.happenings for user_id in each.ids}
    people = User.objects.filter(is_active=True)
    # Whoever has registered under somebody else's address gets none of their shifts.
    confirmed = people.filter(email__in=emails, email_verified_at__isnull=False)
    return meant(
        read,
        by_email=dict(confirmed.values_list("email", "pk")),
        known=set(people.filter(pk__in=ids).values_list("pk", flat=True)),
    )


def _failed(calendar: LayerCalendar, error: str, now: datetime) -> None:
    since = calendar.failing_since or now
    log.warning("calendar_not_read", calendar=str(calendar.pk), error=error)
    stale = now - since >= timedelta(hours=settings.ICAL_STALE_H) and calendar.told_at is None
    with transaction.atomic():
        changes = {"failing_since": since, "error": error[:200]} | ({"told_at": now} if stale else {})
        if LayerCalendar.objects.filter(pk=calendar.pk).update(**changes) and stale:
            log.error("calendar_stale", calendar=str(calendar.pk), since=since.isoformat(), error=error)
            telling.stale_tell(calendar, error=error, since=since, now=now)
