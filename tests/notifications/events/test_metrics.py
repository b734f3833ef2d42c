"""What /metrics tells of events: published, handled, given up, and waiting."""

from collections.abc import Iterator
from datetime import timedelta

import pytest
from django.utils import timezone
from prometheus_client.parser import text_string_to_metric_families
from redis import Redis

from notifications import metrics
from notifications.events import registry, running, selectors
from notifications.events.outbox import event_publish
from notifications.exposition import exposition
from notifications.models import Event, HandlerRun


@pytest.fixture(autouse=True)
def _counted_from_zero(redis: Redis) -> Iterator[None]:
    metrics.flush()
    redis.flushdb()
    yield
    metrics.flush()


def shown() -> dict[tuple[str, ...], float]:
    metrics.flush()
    return {
        (sample.name, *sample.labels.values()): sample.value
        for family in text_string_to_metric_families(exposition().decode())
        for sample in family.samples
    }


def test_events_and_the_ends_of_runs_are_counted(transactional_db: None, handlers: None) -> None:
    @registry.handles("offer.*", attempts=2)
    def broken(event: Event) -> None:
        raise RuntimeError("broken")

    @registry.handles("offer.*")
    def well(event: Event) -> None:
        """Does nothing."""

    event = event_publish(routing_key="offer.created", payload={})
    event_publish(routing_key="weather.changed", payload={})
    event_publish(routing_key="weather.changed", payload={})
    for ahead in (0, 60):
        for run in event.runs.filter(status="pending"):
            running.run_handle(run.pk, clock=lambda ahead=ahead: timezone.now() + timedelta(seconds=ahead))
    counted = shown()
    assert counted["tocsin_events_total", "true"] == 1
    assert counted["tocsin_events_total", "false"] == 2
    assert counted["tocsin_event_runs_total", "tests.well", "done"] == 1
    assert counted["tocsin_event_runs_total", "tests.broken", "failed"] == 1
    assert counted["tocsin_event_runs_total", "tests.broken", "dead"] == 1
    assert counted["tocsin_dead_letters",] == 1


def test_what_is_rolled_back_or_published_again_is_not_counted(db: None, handlers: None) -> None:
    event_publish(routing_key="weather.changed", payload={})  # never committed, as its test is
    assert ("tocsin_events_total", "false") not in shown()


def test_the_oldest_run_that_waits_shows_for_how_long(db: None, handlers: None) -> None:
    now = timezone.now()
    assert selectors.backlog(now=now) == selectors.Backlog(0, 0.0)
    event = Event.objects.create(routing_key="a.b", source="x", occurred_at=now)
    for number, (status, age_s) in enumerate(
        [("pending", 30), ("pending", 90), ("done", 900), ("dead", 900)]
    ):
        HandlerRun.objects.create(
            event=event, handler=f"a.h{number}", status=status, due_at=now - timedelta(seconds=age_s)
        )
    assert selectors.backlog(now=now) == selectors.Backlog(1, 90.0)
    assert shown()["tocsin_oldest_pending_run_age_seconds",] >= 90


def test_a_retry_whose_time_has_not_come_is_no_backlog(db: None, handlers: None) -> None:
    now = timezone.now()
    event = Event.objects.create(routing_key="a.b", source="x", occurred_at=now)
    HandlerRun.objects.create(event=event, handler="a.h", due_at=now + timedelta(minutes=5))
    assert selectors.backlog(now=now).oldest_pending_age_s == 0.0
