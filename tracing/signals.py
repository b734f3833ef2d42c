"""Saved facts become jobs."""

from typing import Any

import structlog
from django.db import transaction
from django.db.models.signals import post_save
from django.dispatch import receiver
from redis.exceptions import RedisError

from notifications import queue
from tracing import jobs
from tracing.models import Case

log = structlog.get_logger(__name__)


@receiver(post_save, sender=Case)
def case_enqueue_search(instance: Case, created: bool, raw: bool, **kwargs: Any) -> None:
    """Enqueue the search of a new case once it is committed.

    Where Redis is away the case is opened all the same: the schedule finds it by its row.
    """
    if not created or raw:
        return

    def enqueue() -> None:
        try:
            queue.enqueue_unless_waiting(jobs.SEARCHES, jobs.case_search, str(instance.pk))
        except RedisError as error:
            log.warning("enqueue_failed", case=str(instance.pk), error=str(error))

    transaction.on_commit(enqueue, robust=True)
