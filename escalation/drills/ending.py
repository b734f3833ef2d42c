"""The end of a drill: nothing rings any more, and whoever started it is told what came of it."""

from collections.abc import Iterator
from datetime import datetime
from typing import Any, Final
from uuid import UUID

import structlog
from django.conf import settings
from django.db import transaction
from django.dispatch import receiver

from accounts.models import User
from accounts.selectors import administrators
from config.zones import local_time
from escalation.drills.reporting import Report, report_of
from escalation.models import Drill, DrillAnswer, Entry, EscalationProcess
from escalation.notices import notices
from escalation.services.ending import process_end
from escalation.signals import process_ended
from escalation.timelines.entries import entry_add
from notifications import looks
from notifications.engine.planned import deliver_many
from notifications.engine.recipients import people_with_preferences
from notifications.messages.compose import notification_of

log = structlog.get_logger(__name__)

State = EscalationProcess.State
KIND: Final = "on_call.drill_report"
#: The ``source_type`` of the report; its id is the drill's.
SOURCE: Final = "on_call_drill"
ANY_DUE: Final = looks.first("escalation_drill WHERE reported_at IS NULL AND due_at <= %(now)s", by="due_at")
# Drills of one look; the next goes on.
_MOST: Final = 20
# Of each report, so many people are told one by one.
_MOST_TOLD: Final = 50


def look(now: datetime) -> None:
    """End and report the drills whose time is over."""
    due = Drill.objects.filter(reported_at=None, due_at__lte=now).order_by("due_at")
    for pk in due.values_list("pk", flat=True)[:_MOST]:
        try:
            drill_end(pk, now)
        except Exception as error:  # those after it are to be reported all the same
            if looks.is_away(error):
                raise
            log.exception("drill_not_reported", drill=str(pk))


def drill_end(pk: UUID, now: datetime) -> bool:
    """End a drill and tell what came of it, once; False where that was done, or its time isn't over."""
    if not Drill.objects.filter(pk=pk, reported_at=None, due_at__lte=now).exists():
        return False
    with transaction.atomic():
        # In the order in which an acknowledgement takes them: the processes, and then their drill.
        processes = EscalationProcess.objects.filter(drill_answer__drill=pk).order_by("pk")
        for process in processes.select_for_update(of=("self",)):
            if process.is_active:
                process_end(process, State.STOPPED, by="", via="drill", now=now)
                entry_add(kind=Entry.Kind.STOPPED, at=now, process=process, by="", via="drill")
        due = Drill.objects.filter(pk=pk, reported_at=None, due_at__lte=now).select_related(
            "schedule", "started_by"
        )
        drill = due.select_for_update(of=("self",)).first()
        if drill is None:
            return False
        drill.reported_at = now
        drill.save(update_fields=["reported_at"])
        report = report_of(drill)
        _tell(report, now)
    log.info("drill_reported", drill=str(pk), answered=report.answered, rung=len(report.people))
    return True


@receiver(process_ended, dispatch_uid="escalation.drills")
def all_have_answered(process: EscalationProcess, **kwargs: Any) -> None:
    """Have a drill reported as soon as nobody is rung by it any more."""
    if not process.is_drill or process.ended_at is None:
        return
    drills = Drill.objects.filter(answers__process=process, reported_at=None, due_at__gt=process.ended_at)
    drill = drills.select_for_update(of=("self",)).first()
    if drill and not drill.answers.filter(process__state=State.ACTIVE).exists():
        drill.due_at = process.ended_at
        drill.save(update_fields=["due_at"])


def sources_of(user: User) -> Iterator[tuple[str, str]]:
    """Yield the drills whose reports may name somebody."""
    for pk in DrillAnswer.objects.filter(user=user).values_list("drill_id", flat=True):
        yield SOURCE, str(pk)


def _tell(report: Report, now: datetime) -> None:
    """Tell whoever started a drill; administrators, where the schedule did."""
    starter = report.drill.started_by
    to = User.objects.filter(pk=starter.pk, is_active=True) if starter else administrators()
    planned = []
    for person in people_with_preferences(to).values():
        notification = notification_of(
            kind=KIND,
            data=_data(report, person.user.time_zone),
            source_type=SOURCE,
            source_id=str(report.drill.pk),
            dedup_key=f"{KIND}:{report.drill.pk}:{person.user.pk}",
        )
        planned += notices(notification, [person], now=now)
    deliver_many(planned)


def _data(report: Report, time_zone: str) -> dict[str, Any]:
    drill = report.drill
    return {
        "schedule": drill.schedule.name,
        "started": local_time(drill.started_at, time_zone),
        "answered": report.answered,
        "rung": len(report.people),
        "people": [{"name": each.name, "said": each.words} for each in report.people[:_MOST_TOLD]],
        "more": max(0, len(report.people) - _MOST_TOLD),
        "page": f"{settings.PUBLIC_URL}/on-call/drills/{drill.pk}/",
    }
