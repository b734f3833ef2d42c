"""Closing cases that nobody closes, and deleting what is too old, with the notices that tell of it."""

from datetime import timedelta
from typing import Final

from django.conf import settings
from django.db import transaction

from config.slices import Old, Run, children_delete, old_end
from notifications.ids import first_id
from notifications.models import Notification
from notifications.services.notices import notices_delete
from tracing.models import Case
from tracing.selectors import MARK_SOURCE, SOURCE
from tracing.services.statuses import case_close

#: Cases that are closed or deleted in one commit.
BATCH: Final = 100

_OF_CASES: Final = "child.case_id = ANY (%(parents)s::uuid[])"
_MARKS: Final = Old(table="tracing_statusmark", age="marked_at", by=("marked_at", "id"))
_READINGS: Final = Old(table="tracing_casereading", age="read_at", by=("read_at", "id"))
_INTAKES: Final = Old(table="tracing_intake", age="received_at", by=("received_at", "id"))


def cases_close(run: Run) -> int:
    """Close cases that have been open for too long."""
    opened_before = run.now - timedelta(days=settings.TRACING_CASE_OPEN_DAYS)
    old = Case.objects.filter(state=Case.State.OPEN, opened_at__lt=opened_before).order_by("pk")
    total = 0
    while True:
        with transaction.atomic():
            cases = list(old.select_for_update(skip_locked=True)[:BATCH])
            for case in cases:
                case_close(case=case, state=Case.State.TOO_OLD, now=run.now)
        total += len(cases)
        if len(cases) < BATCH or not run.goes_on():
            return total


def cases_expire(run: Run) -> int:
    """Delete cases that were closed long ago: their notices, what was found, and then the cases."""
    before = run.now - timedelta(days=settings.TRACING_CASE_DAYS)
    old = Case.objects.filter(closed_at__lt=before).order_by("closed_at", "pk")
    total = 0
    while ids := list(old.values_list("pk", flat=True)[:BATCH]):
        notices = Notification.objects.filter(source_type=SOURCE, source_id__in=list(map(str, ids)))
        _, is_done = notices_delete(notices, run)
        if not is_done or not children_delete("tracing_exposure", of=_OF_CASES, parents=ids, run=run):
            break
        total += Case.objects.filter(pk__in=ids).delete()[1].get("tracing.Case", 0)
        if not run.goes_on():
            break
    return total


def mark_notices_expire(run: Run) -> int:
    """Delete old notices of marks for which there was no case: as old as those of a case that was closed."""
    before = run.now - timedelta(days=settings.TRACING_CASE_DAYS)
    # A mark's id begins with its time.
    old = Notification.objects.filter(source_type=MARK_SOURCE, source_id__lt=str(first_id(before)))
    return notices_delete(old, run)[0]


def marks_expire(run: Run) -> int:
    """Forget who marked a device as what, once the cases that it made are gone."""
    days = settings.TRACING_CASE_DAYS + settings.TRACING_CASE_OPEN_DAYS
    return old_end(_MARKS, before=run.now - timedelta(days=days), run=run)


def readings_expire(run: Run) -> int:
    """Forget who looked at which case long ago."""
    return old_end(_READINGS, before=run.now - timedelta(days=settings.TRACING_READING_DAYS), run=run)


def intakes_expire(run: Run) -> int:
    """Forget uploads whose records are gone by now: those came before the look-back, as they had to."""
    days = settings.TRACING_RETENTION_DAYS + 1
    return old_end(_INTAKES, before=run.now - timedelta(days=days), run=run)
