"""Events that are done with are kept for as long as the settings say; dead letters for ever."""

from collections.abc import Callable
from datetime import timedelta

import pytest
from django.utils import timezone
from pytest_django import DjangoAssertNumQueries, Settings

from config.schedule import ENTRIES
from notifications import jobs
from notifications.events import retention
from notifications.events.retention import events_expire
from notifications.models import Event, HandlerRun

Make = Callable[..., Event]


@pytest.fixture
def make(db: None) -> Make:
    """Build an event of some age, with a run in each of the given states."""

    def build(days: float, *states: str) -> Event:
        at = timezone.now() - timedelta(days=days)
        event = Event.objects.create(routing_key="a.b", source="x", occurred_at=at, created_at=at)
        for number, state in enumerate(states):
            HandlerRun.objects.create(event=event, handler=f"tests.h{number}", status=state, created_at=at)
        return event

    return build


def test_what_is_old_and_done_goes_with_its_runs(make: Make) -> None:
    make(91, "done"), make(91, "done", "done"), make(91)
    young = make(89, "done")
    assert events_expire(timezone.now()) == 3
    assert list(Event.objects.all()) == [young]
    assert list(HandlerRun.objects.values_list("event", flat=True)) == [young.pk]


@pytest.mark.parametrize("state", ["dead", "pending"])
def test_what_is_not_done_stays_however_old(make: Make, state: str) -> None:
    kept = make(900, "done", state)
    assert events_expire(timezone.now()) == 0
    assert kept.runs.count() == 2


def test_its_age_counts_from_its_arrival_and_not_by_its_publishers_word(make: Make) -> None:
    event = make(1, "done")
    Event.objects.filter(pk=event.pk).update(occurred_at=timezone.now() - timedelta(days=900))
    assert events_expire(timezone.now()) == 0


def test_how_long_is_a_setting(make: Make, settings: Settings) -> None:
    make(8, "done")
    assert events_expire(timezone.now()) == 0
    settings.EVENT_RETENTION_DAYS = 7
    assert events_expire(timezone.now()) == 1


def test_they_go_in_batches(
    make: Make, monkeypatch: pytest.MonkeyPatch, django_assert_num_queries: DjangoAssertNumQueries
) -> None:
    for _ in range(7):
        make(100, "done")
    monkeypatch.setattr(retention, "BATCH", 3)
    with django_assert_num_queries(3):
        assert events_expire(timezone.now()) == 7
    assert Event.objects.count() == 0


def test_it_is_done_every_day(make: Make) -> None:
    (entry,) = [entry for entry in ENTRIES if entry.job is jobs.events_expire]
    minute, hour, *days = (entry.cron or "").split()
    assert (minute.isdigit(), hour.isdigit(), days) == (True, True, ["*"] * 3)
    make(91, "done")
    entry.job()
    assert Event.objects.count() == 0
