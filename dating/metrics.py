"""What ``/metrics`` shows of dating."""

from collections.abc import Iterator

from django.db.models import F
from prometheus_client import Metric

from config import clock, sql
from dating import selectors
from dating.models import Date, Event, Room, State, Step
from notifications.families import Counted, gauge


def families(counted: Counted) -> Iterator[Metric]:
    ahead = Event.objects.filter(state__lt=State.RUNNING).count()
    yield gauge("dating_events_scheduled", "Dating events that are yet to begin.", ahead)
    running = Event.objects.filter(state=State.RUNNING).count()
    yield gauge("dating_events_running", "Dating events under way.", running)
    yield gauge(
        "dating_oldest_overdue_seconds",
        "How long the most overdue step of a dating event has been due.",
        float(sql.value(selectors.OLDEST_OVERDUE, {"now": clock.now()})),
    )
    waiting = Room.objects.filter(try_at__isnull=False).exclude(error="").count()
    yield gauge(
        "dating_rooms_waiting", "Rooms of dating events that the first attempt failed to make.", waiting
    )
    # The dates of the rounds that run, but for those events that wait in a pause.
    calls = Date.objects.filter(
        round__event__step=Step.ROUND,
        round__event__paused_at=None,
        round__number=F("round__event__current_round"),
        status=Date.Status.TOOK_PLACE,
    ).count()
    yield gauge("dating_calls_active", "Calls of dating events that are held now.", calls)
