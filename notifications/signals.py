"""Saved facts become jobs."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any

import structlog
from django.db import transaction
from django.db.models.signals import post_save
from django.dispatch import receiver
from redis.exceptions import RedisError

from notifications import queue
from notifications.engine import arrivals, jobs
from notifications.models import Alert, Broadcast

log = structlog.get_logger(__name__)


_together: ContextVar[list[Alert] | None] = ContextVar("_together", default=None)


@receiver(post_save, sender=Alert)
def alert_enqueue_fan_out(instance: Alert, created: bool, raw: bool, **kwargs: Any) -> None:
    """Announce a new alert once it is committed, and enqueue its fan-out: for many alerts one job does."""
    if not created or raw:
        return

    def enqueue() -> None:
        collected = _together.get()
        if collected is None:
            _announce([instance])
        else:
            collected.append(instance)

    transaction.on_commit(enqueue, robust=True)


@receiver(post_save, sender=Broadcast)
def broadcast_enqueue_fan_out(instance: Broadcast, created: bool, raw: bool, **kwargs: Any) -> None:
    """Enqueue the fan-out of a new broadcast once it is committed; the sweep does where Redis is away."""
    if created and not raw:
        queue.enqueue_on_commit(jobs.BROADCASTS, jobs.broadcasts_fan_out, broadcast=str(instance.pk))


@contextmanager
def together() -> Iterator[None]:
    """Announce the alerts that are saved within this block at its end, all at once."""
    token = _together.set(collected := list[Alert]())
    try:
        yield
    finally:
        _together.reset(token)
    _announce(collected)


def _announce(alerts: Sequence[Alert]) -> None:
    """Where Redis is away an alert is accepted all the same: the sweep finds it by its row."""
    try:
        if alerts and arrivals.announce(alerts):
            queue.enqueue_unless_waiting(jobs.FAN_OUT, jobs.alert_fan_out, str(alerts[0].pk))
    except RedisError as error:
        log.warning("enqueue_failed", alerts=len(alerts), error=str(error))
