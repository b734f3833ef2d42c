"""Saved facts become jobs."""

from typing import Any

import structlog
from django.db import transaction
from django.db.models.signals import post_save
from django.dispatch import receiver
from redis.exceptions import RedisError

from notifications import jobs, queue
from notifications.engine import arrivals
from notifications.models import Alert

log = structlog.get_logger(__name__)


@receiver(post_save, sender=Alert)
def alert_enqueue_fan_out(instance: Alert, created: bool, raw: bool, **kwargs: Any) -> None:
    """Announce a new alert once it is committed, and enqueue its fan-out: for many alerts one job does.

    Where Redis is away the alert is accepted all the same: the sweep finds it by its row.
    """
    if not created or raw:
        return

    def enqueue() -> None:
        try:
            if arrivals.announce(str(instance.pk)):
                queue.enqueue_unless_waiting(jobs.FAN_OUT, jobs.alert_fan_out, str(instance.pk))
        except RedisError as error:
            log.warning("enqueue_failed", alert=str(instance.pk), error=str(error))

    transaction.on_commit(enqueue, robust=True)
