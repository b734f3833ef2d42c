"""Events that are done with, and dead letters, are kept for as long as the settings say."""

from collections.abc import Callable
from datetime import timedelta

import pytest
from django.utils import timezone
from pytest_django import DjangoAssertNumQueries, Settings

from config import slices
from config.slices import Run
from notifications.events.replay import dead_letters_replay
from notifications.events.retention import events_expire
from notifications.models import Event, HandlerRun

Make = Callable[..., Event]


def expire() -> int:
    return events_expire(Run(now=timezone.now()))


@pytest.fixture
def make(db: None) -> Make:
    """Build an event of some age, with a run in each of the given states."""

    def build(days: float, *states: str) -> Event:
        at = timezone.now() - timedelta(days=days)
        event = Event.objects.create(routing_key="a.b", source="x", occurred_at=at, created_at=at)
        for number, state in enumerate(states):
            finished_at = None if state == "pending" else at
            HandlerRun.objects.create(
                event=event, handler=f"tests.h{number}", status=state, created_at=at, finished_at=finished_at
            )
        return event

    return build


def test_what_is_old_and_done_goes_with_its_runs(make: Make) -> None:
    make(91, "done"), make(91, "done", "done"), make(91)
    young = make(89, "done")
    assert expire() == 3
    assert list(Event.objects.all()) == [young]
    assert list(HandlerRun.objects.values_list("event", flat=True)) == [young.pk]


def test_what_is_to_be_done_stays_however_old(make: Make) -> None:
    kept = make(900, "done", "pending")
    assert expire() == 0
    assert kept.runs.count() == 2


def test_a_dead_letter_keeps_its_event_for_as_long_as_the_setting_says_after_it_was_given_up(
    make: Make, settings: Settings
) -> None:
    event = make(200, "done", "dead")
    event.runs.filter(status="dead").update(finished_at=timezone.now() - timedelta(days=89))
    assert expire() == 0
    assert event.runs.count() == 2
    settings.DEAD_LETTER_RETENTION_DAYS = 88
    assert expire() == 1
    assert not HandlerRun.objects.exists()


def test_a_dead_letter_that_is_being_replayed_stays(transactional_db: None, make: Make) -> None:
    event = make(200, "dead")
    (run,) = event.runs.all()
    assert dead_letters_replay(event.runs.all()) == 1
    assert expire() == 0
    run.refresh_from_db()
    assert run.status == "pending"


def test_its_age_counts_from_its_arrival_and_not_by_its_publishers_word(make: Make) -> None:
    event = make(1, "done")
    Event.objects.filter(pk=event.pk).update(occurred_at=timezone.now() - timedelta(days=900))
    assert expire() == 0


def test_how_long_is_a_setting(make: Make, settings: Settings) -> None:
    make(8, "done")
    assert expire() == 0
    settings.EVENT_RETENTION_DAYS = 7
    assert expire() == 1


def test_they_go_in_slices_and_kept_ones_are_read_once_a_run(
    make: Make, monkeypatch: pytest.MonkeyPatch, django_assert_num_queries: DjangoAssertNumQueries
) -> None:
    for _ in range(4):
        make(100, "pending"), make(100, "done")
    monkeypatch.setattr(slices, "MOST", 3)
    with django_assert_num_queries(3):
        assert expire() == 4
    assert Event.objects.count() == 4
