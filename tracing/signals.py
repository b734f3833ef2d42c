"""Saved facts become jobs."""

from typing import Any
from uuid import UUID

from django.conf import settings
from django.db.models.signals import post_save
from django.dispatch import receiver

from accounts.models import ApiKey, User
from config import clock
from notifications import queue
from notifications.disclosure import DEAD_MESSAGE, facts_read
from tracing import jobs
from tracing.models import Case, CaseReading
from tracing.selectors import MARK_SOURCE, SOURCE
from tracing.services.readings import reading_log


@receiver(post_save, sender=Case)
def case_enqueue_search(instance: Case, created: bool, raw: bool, **kwargs: Any) -> None:
    """Enqueue the search of a new case once it is committed.

    Where Redis is away the case is opened all the same: the schedule finds it by its row.
    """
    if created and not raw:
        case_id = str(instance.pk)
        queue.enqueue_on_commit(jobs.SEARCHES, jobs.case_search, case_id, case=case_id)


@receiver(facts_read)
def notices_reading_log(
    facts: set[tuple[str, str]], user: User | None, api_key: ApiKey | None, **kwargs: Any
) -> None:
    """Note who was shown notices of cases, or dead letters that name devices, wherever that was."""
    cases = {source_id for kind, source_id in facts if kind == SOURCE}
    others = {source for kind, source in facts if kind == MARK_SOURCE}
    ours = {source for source, options in settings.SOURCES.items() if options.get("format") == "tracing"}
    dead = {source for kind, source in facts if kind == DEAD_MESSAGE and source in ours}
    if not (cases or others or dead):
        return
    case_id = UUID(cases.pop()) if len(cases) == 1 else None
    reading_log(what=CaseReading.What.NOTICES, user=user, api_key=api_key, now=clock.now(), case_id=case_id)
