"""The sweep's one question, and who is called after it."""

import uuid
from datetime import timedelta
from typing import Any

import pytest
from django.utils import timezone

from notifications import jobs, looks, queue
from notifications.engine import wake
from notifications.engine.claim import ANY_DUE, MAX_LANES
from notifications.models import Alert, Delivery, Outgoing
from tests.factories import AlertFactory
from tests.queued import stored

pytestmark = pytest.mark.django_db


def waits(*, for_s: float, **fields: Any) -> Delivery:
    """A delivery of nobody's that is due so many seconds from now; not saved."""
    due_at = timezone.now() + timedelta(seconds=for_s)
    expires_at = due_at + timedelta(days=1)
    return Delivery(notification_id=uuid.uuid4(), due_at=due_at, expires_at=expires_at, **fields)


def senders_are_asked_for() -> bool:
    (answer,) = looks.ask([ANY_DUE], timezone.now())
    return answer


@pytest.mark.parametrize("revocable", [False, True])
def test_senders_are_woken_for_what_is_due_and_not_for_what_waits(revocable: bool) -> None:
    delivery = waits(for_s=3600, revocable=revocable)
    stored([delivery])
    assert not senders_are_asked_for()
    Outgoing.objects.update(due_at=timezone.now())
    assert senders_are_asked_for()
    Outgoing.objects.all().delete()
    assert not senders_are_asked_for()


def test_what_is_revocable_is_asked_for_before_it_is_due() -> None:
    """A sender looks a second ahead; it has to be woken by then, though the next question comes late."""
    stored([waits(for_s=2.9, revocable=True)])
    assert senders_are_asked_for()


@pytest.mark.slow
def test_what_is_due_behind_a_thousand_lanes_that_wait_is_asked_for_too() -> None:
    for number in range(MAX_LANES):
        stored([waits(for_s=3600)], lane=f"webhook:{number:04}")
    stored([waits(for_s=0)], lane="webhook:last")
    assert senders_are_asked_for()


def test_an_idle_second_costs_one_statement_and_wakes_nobody(asked: list[str]) -> None:
    with queue.redis().pubsub(ignore_subscribe_messages=True) as listening:
        listening.subscribe(queue.channel(wake.CHANNEL))
        listening.get_message(timeout=1)
        jobs.sweep()  # notes that heartbeats are looked after, as one sweep in five does
        asked.clear()
        jobs.sweep()
        assert len(asked) == 1, asked
        assert listening.get_message(timeout=0.05) is None
        stored([waits(for_s=0)])
        jobs.sweep()
        assert listening.get_message(timeout=5) is not None


def test_an_alert_whose_job_was_lost_is_fanned_out_by_the_sweep() -> None:
    alert = AlertFactory()
    jobs.sweep()
    assert Alert.objects.get(pk=alert.pk).fanned_out_at is not None
