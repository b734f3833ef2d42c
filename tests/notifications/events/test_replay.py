"""SPEC 3.3: dead letters are replayable, and so are events that came before their handler."""

import uuid
from typing import Any

import pytest
from django.core.exceptions import ValidationError
from django.utils import timezone

from notifications.events import registry, running
from notifications.events.outbox import event_publish
from notifications.events.replay import dead_letters_replay, event_replay
from notifications.models import Event, HandlerRun
from tests.notifications.events.conftest import any_due, event_jobs, queued, run_of

DUE = ("notifications.events.jobs.events_due", ())


class Switch:
    """A handler that fails until it is mended."""

    def __init__(self) -> None:
        self.broken = True
        self.handled: list[Event] = []

    def handle(self, event: Event) -> None:
        if self.broken:
            raise RuntimeError("broken")
        self.handled.append(event)


@pytest.fixture
def switch(handlers: None) -> Switch:
    it = Switch()

    @registry.handles("offer.*", attempts=1)
    def moody(event: Event) -> None:
        it.handle(event)

    @registry.handles("offer.*")
    def steady(event: Event) -> None:
        """Never fails."""

    return it


def publish(**fields: Any) -> Event:
    return event_publish(**{"routing_key": "offer.created", "payload": {}, **fields})


def run_all() -> None:
    for run in HandlerRun.objects.filter(status="pending").values_list("pk", flat=True):
        running.run_handle(run)


def states(event: Event) -> dict[str, str]:
    return dict(event.runs.values_list("handler", "status"))


def test_a_dead_letter_gets_a_full_budget_again(db: None, switch: Switch) -> None:
    event = publish()
    run_all()
    assert states(event) == {"tests.moody": "dead", "tests.steady": "done"}
    assert dead_letters_replay(HandlerRun.objects.all()) == 1
    run = event.runs.get(handler="tests.moody")
    assert (run.status, run.attempts, run.replays, run.finished_at) == ("pending", 0, 1, None)
    assert run.error == "RuntimeError: broken"  # until there is something newer to say
    run_all()
    assert states(event)["tests.moody"] == "dead"
    switch.broken = False
    dead_letters_replay(HandlerRun.objects.filter(pk=run.pk))
    run_all()
    run.refresh_from_db()
    assert (run.status, run.replays, run.error) == ("done", 2, "")
    assert switch.handled == [event]


def test_nothing_but_dead_letters_is_replayed(db: None, switch: Switch) -> None:
    event = publish()
    before = list(event.runs.order_by("pk").values())
    assert dead_letters_replay(HandlerRun.objects.all()) == 0
    assert list(event.runs.order_by("pk").values()) == before


def test_only_the_chosen_are_replayed(db: None, switch: Switch) -> None:
    one, other = publish(), publish()
    run_all()
    assert dead_letters_replay(HandlerRun.objects.filter(event=one)) == 1
    assert (states(one)["tests.moody"], states(other)["tests.moody"]) == ("pending", "dead")


def test_however_many_they_share_one_job_that_takes_them_at_once(
    transactional_db: None, switch: Switch
) -> None:
    events = [publish() for _ in range(3)]
    run_all()
    own = len(event_jobs())
    switch.broken = False
    assert dead_letters_replay(HandlerRun.objects.all()) == 3
    assert dead_letters_replay(HandlerRun.objects.all()) == 0
    assert len(event_jobs()) == own
    assert queued().count(DUE) == 1
    assert any_due(timezone.now())
    assert not running.due_runs_handle()
    assert [states(event)["tests.moody"] for event in events] == ["done"] * 3


def test_an_events_dead_letters_are_replayed_and_its_others_are_not(db: None, switch: Switch) -> None:
    event = publish()
    run_all()
    assert event_replay(event_id=event.pk) == 1
    assert states(event) == {"tests.moody": "pending", "tests.steady": "done"}


def test_what_is_done_runs_again_only_when_named(db: None, switch: Switch) -> None:
    switch.broken = False
    event = publish()
    run_all()
    assert event_replay(event_id=event.pk) == 0
    assert event_replay(event_id=event.pk, handlers=["tests.moody"]) == 1
    assert states(event) == {"tests.moody": "pending", "tests.steady": "done"}
    run_all()
    assert switch.handled == [event, event]


def test_what_waits_already_is_left_to_it(db: None, switch: Switch) -> None:
    event = publish()
    before = list(event.runs.order_by("pk").values())
    assert event_replay(event_id=event.pk, handlers=["tests.moody", "tests.steady"]) == 0
    assert list(event.runs.order_by("pk").values()) == before


def test_an_event_that_nobody_knew_is_handled_once_somebody_does(
    transactional_db: None, handlers: None
) -> None:
    event = publish(routing_key="weather.changed")
    assert event_replay(event_id=event.pk) == 0

    @registry.handles("weather.#")
    def note(event: Event) -> None:
        """Is there at last."""

    assert event_replay(event_id=event.pk) == 1
    event.refresh_from_db()
    assert event.is_known
    assert queued() == [DUE]
    assert not running.due_runs_handle()
    assert run_of(event).status == "done"
    assert event_replay(event_id=event.pk) == 0


@pytest.mark.parametrize("name", ["tests.nobody", "tests.elsewhere", "", "x" * 5000])
def test_a_handler_that_does_not_want_the_event_is_refused_and_nothing_is_run(
    db: None, switch: Switch, name: str
) -> None:
    @registry.handles("elsewhere")
    def elsewhere(event: Event) -> None:
        """Handles other events."""

    event = publish()
    run_all()
    with pytest.raises(ValidationError) as refused:
        event_replay(event_id=event.pk, handlers=["tests.moody", name])
    (message,) = refused.value.message_dict["handlers"]
    assert message.endswith("does not handle offer.created. Expected some of: tests.moody, tests.steady.")
    assert len(message) < 300
    assert states(event)["tests.moody"] == "dead"


def test_an_event_that_is_not_there_can_not_be_replayed(db: None, handlers: None) -> None:
    with pytest.raises(Event.DoesNotExist):
        event_replay(event_id=uuid.uuid4())


def test_a_handler_that_was_removed_keeps_its_dead_letter(
    db: None, switch: Switch, monkeypatch: pytest.MonkeyPatch
) -> None:
    event = publish()
    run_all()
    monkeypatch.setattr(registry, "_handlers", {})
    event_replay(event_id=event.pk)
    run_all()
    run = event.runs.get(handler="tests.moody")
    assert (run.status, run.error) == ("dead", running.UNKNOWN_HANDLER)
