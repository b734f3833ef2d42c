"""The job that ends what is old, of all apps; and the tables that are Django's own."""

from collections.abc import Callable
from typing import Final

import structlog
from django.contrib.auth.models import Permission
from django.contrib.contenttypes.models import ContentType
from django.db import OperationalError

from accounts import retention as accounts
from config import clock
from config.ends import Ends
from config.slices import Run
from dating import retention as dating
from escalation import retention as escalation
from notifications import queue
from notifications import retention as notifications
from tracing import retention as tracing

log = structlog.get_logger(__name__)

ENDS: Final = (
    Ends(ContentType, "With its model, in a migration"),
    Ends(Permission, "With its model, in a migration"),
    Ends("django_migrations", "Never: one for each migration of this version"),
)

#: Each ends some rows that are old, and returns how many.
STEPS: Final[tuple[Callable[[Run], int], ...]] = (
    *notifications.STEPS,
    *accounts.STEPS,
    *escalation.STEPS,
    *tracing.STEPS,
    *dating.STEPS,
)
#: The job goes on in another after so many seconds, so that others get their turn.
RUN_S: Final = 5.0

# There while a run that takes several jobs goes on; for so long at most, should the next be lost.
_GOES_ON: Final = "tocsin:retention"
_LOST_S: Final = 900


@queue.on(queue.SLOW)
def expire(first: int | None = None) -> None:
    """Every hour: delete or erase what has been kept for long enough, from one step on.

    Killed anywhere, it has done some slices; two at once pass over what the other is at.
    """
    if first is None and queue.redis().exists(_GOES_ON):
        return
    run = Run(now=clock.now(), for_s=RUN_S)
    for number, step in enumerate(STEPS[first or 0 :], first or 0):
        name = f"{step.__module__.partition('.')[0]}.{step.__name__}"
        try:
            if count := step(run):
                log.info("retention_ended", step=name, count=count)
        except OperationalError:
            raise
        except Exception:  # a fault of one step leaves the others theirs
            log.exception("retention_failed", step=name)
        if run.is_cut:
            queue.redis().set(_GOES_ON, 1, ex=_LOST_S)
            queue.enqueue(expire, number)
            return
    queue.redis().delete(_GOES_ON)
