"""Handlers of a test's own, and the queue as a test looks at it."""

from datetime import datetime
from typing import Any

import django_rq
import pytest

from notifications import looks
from notifications.events import registry, running
from notifications.models import Event, HandlerRun


@pytest.fixture
def handlers(monkeypatch: pytest.MonkeyPatch) -> None:
    """No handler but those that the test registers."""
    monkeypatch.setattr(registry, "_handlers", {})


@pytest.fixture
def seen(handlers: None) -> list[Event]:
    """A handler of ``stage.*``, and the events that it was given."""
    events: list[Event] = []

    @registry.handles("stage.*")
    def note(event: Event) -> None:
        events.append(event)

    return events


def any_due(now: datetime) -> bool:
    """What the sweep asks before it has runs handled that have no job of their own."""
    return any(looks.ask([running.ANY_DUE], now))


def queued() -> list[tuple[str, tuple[Any, ...]]]:
    return [(job.func_name, job.args) for job in django_rq.get_queue().jobs]


def event_jobs() -> list[str]:
    """The runs that have a job on the queue."""
    return [args[0] for name, args in queued() if name == "notifications.events.jobs.event_handle"]


def run_of(event: Event) -> HandlerRun:
    """The only run of an event."""
    return HandlerRun.objects.get(event=event)
