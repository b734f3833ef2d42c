"""Closing cases that nobody closes, and deleting what is too old, with the notices that tell of it."""

from datetime import datetime, timedelta
from typing import Final

import structlog
from django.conf import settings
from django.db import transaction

from notifications.models import Notification
from tracing.models import Case, CaseReading, StatusMark
from tracing.selectors import SOURCE
from tracing.services.statuses import case_close

log = structlog.get_logger(__name__)

#: Cases that are deleted in one commit.
BATCH: Final = 100


def tracing_expire(now: datetime) -> None:
    """Close and delete by age. Can be stopped anywhere: the next run goes on."""
    _close_old(now)
    _delete_closed(now)
    kept_from = now - timedelta(days=settings.TRACING_CASE_DAYS + settings.TRACING_CASE_OPEN_DAYS)
    StatusMark.objects.filter(marked_at__lt=kept_from).delete()
    CaseReading.objects.filter(read_at__lt=now - timedelta(days=settings.TRACING_READING_DAYS)).delete()


def _close_old(now: datetime) -> None:
    opened_before = now - timedelta(days=settings.TRACING_CASE_OPEN_DAYS)
    with transaction.atomic():
        old = Case.objects.filter(state=Case.State.OPEN, opened_at__lt=opened_before)
        for case in old.select_for_update():
            case_close(case=case, state=Case.State.TOO_OLD, now=now)


def _delete_closed(now: datetime) -> None:
    old = Case.objects.filter(closed_at__lt=now - timedelta(days=settings.TRACING_CASE_DAYS)).order_by("pk")
    while ids := list(old.values_list("pk", flat=True)[:BATCH]):
        with transaction.atomic():
            Notification.objects.filter(source_type=SOURCE, source_id__in=list(map(str, ids))).delete()
            Case.objects.filter(pk__in=ids).delete()
        log.info("tracing_cases_deleted", count=len(ids))
