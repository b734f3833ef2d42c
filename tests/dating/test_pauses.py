"""A pause ends: by somebody's hand, or by itself."""

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import django_rq
import pytest
from django.utils import timezone
from pytest_django import Settings
from rest_framework.test import APIClient

from accounts.models import User
from dating import jobs, services
from dating.models import Event
from notifications import looks, queue
from notifications.explanations import explain
from notifications.models import Delivery
from tests.dating.cast import EIGHT, HOUR, MINUTE, Evening, event, person, told
from tests.dating.test_api import EVENTS, running

pytestmark = pytest.mark.django_db
LogIn = Callable[[User], APIClient]


def reminders(organiser: User) -> list[tuple[str, Any]]:
    found = Delivery.objects.filter(user=organiser, notification__kind="dating.still_paused")
    return list(found.order_by("id").values_list("status", "due_at"))


def paused_long_ago(as_user: LogIn, organiser: User) -> Event:
    """An evening that its organiser paused in its first round, hours ago."""
    evening = running(person("Ana"), person("Bob"), person("Tom"))
    Event.objects.filter(pk=evening.event.pk).update(organiser=organiser)
    assert as_user(organiser).post(f"{EVENTS}{evening.event.pk}/pause/").status_code == 200
    Event.objects.update(paused_at=timezone.now() - timedelta(hours=2))
    return Event.objects.get()


@pytest.mark.slow
def test_an_evening_that_nobody_resumes_ends_by_itself(as_user: LogIn, stranger: User) -> None:
    made = paused_long_ago(as_user, stranger)
    looks.look(timezone.now())
    assert jobs.pauses.__qualname__ in {
        each.func_name.rpartition(".")[2] for each in django_rq.get_queue(queue.DEFAULT).jobs
    }
    jobs.pauses()
    jobs.pauses()
    made.refresh_from_db()
    assert (made.paused_at, made.is_ending, made.step) == (None, True, "round")
    services.event_advance(event_id=made.pk, now=timezone.now())
    services.event_advance(event_id=made.pk, now=timezone.now() + timedelta(seconds=made.break_s + 1))
    made.refresh_from_db()
    assert (made.step, made.state) == ("finished", 4)
    assert made.results is not None
    for each in made.registrations.select_related("user"):
        assert told(each.user)[-1] == "finished"
        assert "resumed" not in told(each.user)


@pytest.mark.slow
def test_until_then_it_stays_paused(as_user: LogIn, stranger: User, settings: Settings) -> None:
    paused_long_ago(as_user, stranger)
    settings.DATING_PAUSE_MAX_S = 3 * 3600
    jobs.pauses()
    assert Event.objects.get().paused_at is not None


@pytest.mark.slow
def test_before_the_first_round_it_does_not_take_place_and_everybody_hears_why() -> None:
    people = [person("Ana"), person("Bob")]
    evening = Evening(event()).registered(*people).confirmed()
    evening.at(EIGHT - HOUR)
    evening.at(EIGHT - 5 * MINUTE)
    services.event_pause(event=evening.event, now=EIGHT - 4 * MINUTE)
    assert services.pauses_end(now=EIGHT + HOUR) == 0
    assert services.pauses_end(now=EIGHT + 2 * HOUR) == 1
    assert evening.step == "skipped"
    assert (evening.event.skipped_reason, evening.event.paused_at) == ("paused", None)
    assert [told(each)[-1] for each in people] == ["skipped"] * 2


@pytest.mark.slow
def test_its_organiser_is_reminded_unless_it_goes_on(as_user: LogIn, stranger: User) -> None:
    evening = running(person("Ana"), person("Bob"), person("Tom"))
    Event.objects.update(organiser=stranger)
    client, path = as_user(stranger), f"{EVENTS}{evening.event.pk}/"
    assert client.post(f"{path}pause/").status_code == 200
    ((status, due_at),) = reminders(stranger)
    paused_at = Event.objects.get().paused_at
    assert paused_at is not None
    assert (status, due_at) == ("pending", paused_at + HOUR)
    assert client.post(f"{path}resume/").status_code == 200
    assert [status for status, _ in reminders(stranger)] == ["cancelled"]
    # Each pause has its own.
    client.post(f"{path}pause/")
    assert [status for status, _ in reminders(stranger)] == ["cancelled", "pending"]
    client.post(f"{path}end/")
    assert [status for status, _ in reminders(stranger)] == ["cancelled", "cancelled"]
    told = Delivery.objects.filter(user=stranger, notification__kind="dating.still_paused")
    assert {explain(each) for each in told} == {Delivery.Reason.OVERTAKEN.label}
