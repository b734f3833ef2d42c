"""A step that fails, or that nobody takes: it is put off, and those who look after the product hear of it."""

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import django_rq
import pytest
from django.utils import timezone
from redis import Redis
from rest_framework.test import APIClient

from config import readiness
from dating import jobs
from dating.models import Event
from dating.selectors import events_due
from dating.services.advance import events_advance
from notifications import looks
from tests.dating.cast import EIGHT, MINUTE, SECOND, event

pytestmark = pytest.mark.django_db


def broken(**fields: Any) -> Event:
    """One whose step can't be taken: the round that it is to end is not there."""
    made = event()
    Event.objects.filter(pk=made.pk).update(step="round", state=3, current_round=1, **fields)
    return made


@pytest.mark.slow
def test_a_step_that_fails_is_tried_again_after_longer_and_longer_pauses() -> None:
    made = broken(deadline_at=EIGHT)
    tries, now = [], EIGHT
    while now < EIGHT + 2 * MINUTE:
        if events_due(now):
            events_advance(event_ids=[made.pk], now=now)
            tries.append((now - EIGHT).seconds)
        now += SECOND
    assert tries == [0, 1, 2, 4, 8, 16, 32, 62, 92]
    # Once it can be taken it is, and the next is not put off.
    Event.objects.update(step="open", state=0)
    assert events_advance(event_ids=[made.pk], now=now) == 1
    made.refresh_from_db()
    assert (made.step, made.retry_at) == ("confirming", None)


def test_until_then_the_tick_hands_nothing_out(redis: Redis) -> None:
    now = timezone.now()
    made = broken(deadline_at=now - MINUTE)
    assert looks.ask([jobs.ANY_DUE], now) == [True]
    events_advance(event_ids=[made.pk], now=now)
    assert looks.ask([jobs.ANY_DUE], now) == [False]
    jobs.tick(now)
    assert django_rq.get_queue("default").count == 0
    jobs.tick(now + 30 * SECOND)
    assert django_rq.get_queue("default").count == 1


@pytest.mark.slow
@pytest.mark.django_db(transaction=True)
def test_a_step_that_is_late_shows_in_metrics_and_after_a_minute_in_readiness(
    as_machine: Callable[..., APIClient],
) -> None:
    made = event()
    monitor = as_machine("metrics:read")

    def shown() -> tuple[float, Any]:
        lines = monitor.get("/metrics").content.decode().splitlines()
        name = "tocsin_dating_oldest_overdue_seconds "
        late_s = next(float(line.removeprefix(name)) for line in lines if line.startswith(name))
        return late_s, readiness.findings()["evenings"]

    assert shown() == (0, {"ok": True, "detail": "all on time"})
    Event.objects.update(deadline_at=timezone.now() - timedelta(seconds=30))
    late_s, finding = shown()
    assert 30 <= late_s < 60
    assert finding == {"ok": True, "detail": "all on time"}
    Event.objects.update(deadline_at=timezone.now() - timedelta(seconds=90))
    late_s, finding = shown()
    assert late_s >= 90
    assert finding["ok"]
    assert finding["detail"].startswith("warning: a step of an evening has been due for 9")
    assert monitor.get("/health/ready").json()["warnings"] == ["evenings"]
    # A clock that is stopped is no fault.
    Event.objects.filter(pk=made.pk).update(paused_at=timezone.now())
    assert shown() == (0, {"ok": True, "detail": "all on time"})
