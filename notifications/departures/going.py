"""The job that erases whoever left, a slice at a time: killed between two, it goes on where it was."""

import time
from datetime import datetime, timedelta
from typing import Final

import structlog
from django.db import OperationalError, transaction

from config.slices import PAUSE_S
from notifications.departures import steps
from notifications.departures.words import Words
from notifications.looks import first
from notifications.models import Departure

log = structlog.get_logger(__name__)

#: Whether there is anything to do, as notifications.looks asks it.
ANY_DUE: Final = first("notifications_departure WHERE due_at <= %(now)s", by="due_at")
#: A fan-out that was under way at the deletion may have told them still; by then it is over.
SECOND_LOOK: Final = timedelta(minutes=15)
RETRY_AFTER: Final = timedelta(minutes=1)


def departures_go_on(now: datetime, *, budget_s: float) -> bool:
    """Erase those who left, for so many seconds; returns whether there is more to do."""
    ends_at = time.monotonic() + budget_s
    while True:
        began_at = time.monotonic()
        departure = None
        try:
            with transaction.atomic():
                due = Departure.objects.filter(due_at__lte=now).order_by("due_at")
                departure = due.select_for_update(skip_locked=True).first()
                if departure is not None:
                    _slice(departure, now)
        except OperationalError:
            raise
        except Exception:
            if departure is None:
                raise
            log.exception("departure_failed", person=str(departure.pk), step=departure.step)
            Departure.objects.filter(pk=departure.pk).update(due_at=now + RETRY_AFTER)
        if departure is None:
            return False
        if time.monotonic() >= ends_at:
            return True
        # As long a pause as the slice took leaves room to whoever waits for the database.
        time.sleep(min(time.monotonic() - began_at, PAUSE_S))


def _slice(departure: Departure, now: datetime) -> None:
    is_second_look = departure.step == len(steps.STEPS)
    step = steps.deliveries if is_second_look else steps.STEPS[departure.step]
    words = Words.stored(departure.pk, departure.words)
    departure.place = step(departure, words, departure.place)
    if departure.place is None and is_second_look:
        log.info("person_erased", person=str(departure.pk))
        departure.delete()
        return
    if departure.place is None:
        departure.step += 1
        if departure.step == len(steps.STEPS):
            departure.words, departure.due_at = {}, now + SECOND_LOOK
    departure.save()
