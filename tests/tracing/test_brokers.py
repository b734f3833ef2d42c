"""The messages of the original tracing service do what HTTP's do."""

from collections.abc import Callable
from dataclasses import asdict
from datetime import datetime, timedelta
from itertools import permutations
from typing import Any

import pytest
from django.db import transaction
from pytest_django import Settings
from rest_framework.test import APIClient

from accounts.models import User
from notifications.brokers import formats, taking
from notifications.brokers.messages import Malformed
from notifications.brokers.sources import Source
from notifications.models import DeadMessage
from tests.samples import message_of, samples
from tests.tracing.looking import exposed
from tracing import jobs
from tracing.brokers import FORMAT, Command, Mark, NotYet, SearchAgain
from tracing.models import Case, CaseSearch, Device, Filter, StatusMark
from tracing.services import searches


@pytest.mark.parametrize("sample", samples("tracing"))
def test_samples(sample: dict[str, Any]) -> None:
    message = message_of(sample)
    if "reason" in sample:
        with pytest.raises(Malformed) as malformed:
            FORMAT.translate(message)
        assert sample["reason"] in str(malformed.value)
        return
    command = FORMAT.translate(message)
    assert (command.at, command.source) == (message.delivered_at, message.source)
    wish = asdict(command.wish)
    if "device_ids" in wish:
        wish["device_ids"] = sorted(wish["device_ids"])
    assert wish == sample["command"]


def test_the_format_is_known_by_its_name() -> None:
    assert formats.get("tracing") is FORMAT


def mark(device_id: int, status: int, now: datetime, *, message_id: str | None = None) -> Command:
    return Command(Mark(device_id, status), now, "tracing", message_id)


def again(*device_ids: int, exposed: bool = False, now: datetime) -> Command:
    return Command(SearchAgain(frozenset(device_ids), exposed), now, "tracing", None)


@pytest.mark.django_db
def test_marks_take_effect_in_their_order(now: datetime) -> None:
    Device.objects.create(pk=5)
    assert FORMAT.apply([mark(5, 2, now), mark(5, 1, now), mark(5, 3, now)]) == []
    assert list(Case.objects.values_list("device", "state")) == [(5, "healed")]
    assert Device.objects.get(pk=5).status == Device.Status.HEALED


@pytest.mark.django_db
def test_an_infection_that_is_delivered_again_after_the_healing_opens_no_case(now: datetime) -> None:
    Device.objects.create(pk=5)
    marks = [mark(5, 1, now, message_id="a"), mark(5, 3, now, message_id="b")]
    FORMAT.apply(marks)
    FORMAT.apply(marks)
    assert list(Case.objects.values_list("state", flat=True)) == ["healed"]
    FORMAT.apply([mark(5, 1, now, message_id="c")])
    assert Case.objects.filter(state="open").count() == 1


@pytest.mark.django_db
def test_a_mark_of_a_device_that_nobody_has_seen_opens_a_case(now: datetime) -> None:
    FORMAT.apply([mark(5, 1, now)])
    assert Case.objects.get().device_id == 5


@pytest.mark.django_db
def test_a_mark_that_another_has_to_come_before_is_tried_again(now: datetime, settings: Settings) -> None:
    settings.TRACING_SUSPECT_FIRST = True
    late = mark(5, 2, now - timedelta(seconds=1))
    with pytest.raises(NotYet, match="suspect"), transaction.atomic():
        FORMAT.apply([mark(5, 1, now)])
    FORMAT.apply([late, mark(5, 1, now)])
    assert Case.objects.get().state == "open"


#: Marks of a device, by when they were sent: (minute, status); and the status and the cases that they make.
SAID = {
    "infected, then healed": ([(0, 1), (5, 3)], 3),
    "infected, then suspect": ([(0, 1), (5, 2)], 2),
    "healed, then infected": ([(0, 3), (5, 1)], 1),
    "healed, then suspect": ([(0, 3), (5, 2)], 2),
    "infected, healed, suspect": ([(0, 1), (5, 3), (9, 2)], 2),
    "healed, infected, healed": ([(0, 3), (5, 1), (10, 3)], 3),
    "infected, suspect, healed": ([(0, 1), (5, 2), (9, 3)], 3),
}


@pytest.mark.slow
@pytest.mark.django_db
@pytest.mark.parametrize("said", SAID)
def test_in_whatever_order_marks_are_delivered_what_was_sent_last_holds(said: str, now: datetime) -> None:
    marks, status = SAID[said]
    turns = [each for _, each in marks if each in (1, 3)]
    for number, order in enumerate(permutations(marks), start=1):
        for place, (minute, given) in enumerate(order):
            sent = now - timedelta(minutes=60 - minute)
            taken = message_of(
                {"body": {"device_id": number, "status": given}},
                sent_at=sent,
                delivered_at=now + timedelta(seconds=place),
                message_id=f"{number}-{minute}",
            )
            FORMAT.apply([FORMAT.translate(taken)])
        assert Device.objects.get(pk=number).status == status, order
        states = list(Case.objects.filter(device=number).values_list("state", flat=True))
        assert ("open" in states) == (turns[-1] == 1), order


@pytest.mark.django_db
def test_a_mark_sent_before_one_over_http_changes_nothing(
    now: datetime, as_machine: Callable[..., APIClient]
) -> None:
    health = as_machine("tracing:write")
    assert health.post("/api/v1/tracing/statuses/", {"device_id": 5, "status": 3}).status_code == 201
    FORMAT.apply([mark(5, 1, now - timedelta(minutes=1))])
    assert (Device.objects.get().status, Case.objects.count()) == (3, 0)
    # It stands among the marks all the same, with its time.
    assert StatusMark.objects.count() == 2


@pytest.mark.django_db
def test_a_clock_ahead_of_ours_does_not_hold_off_what_is_sent_after(now: datetime) -> None:
    def sent(status: int, ahead: timedelta, delivered_at: datetime) -> Command:
        body = {"body": {"device_id": 5, "status": status}}
        return FORMAT.translate(message_of(body, sent_at=now + ahead, delivered_at=delivered_at))

    FORMAT.apply([sent(1, timedelta(days=1), now)])
    FORMAT.apply([sent(3, timedelta(minutes=1), now + timedelta(minutes=1))])
    assert Device.objects.get().status == Device.Status.HEALED
    assert Case.objects.get().state == "healed"


@pytest.mark.django_db
def test_a_dead_letter_that_is_replayed_is_as_old_as_it_was_when_it_was_sent(
    now: datetime, settings: Settings, operator: User, as_user: Callable[[User], APIClient]
) -> None:
    settings.TRACING_SUSPECT_FIRST, settings.MESSAGE_ATTEMPTS = True, 1
    source = Source(name="tracing", url="sqs://", queue="q", format="tracing")
    settings.SOURCES = {"tracing": {"url": "sqs://", "queue": "q", "format": "tracing"}}
    message = message_of(
        {"body": {"device_id": 5, "status": 1}}, source="tracing", sent_at=now - timedelta(hours=1)
    )
    taking.messages_take(source, FORMAT, [message], now=now)
    dead = DeadMessage.objects.get()
    FORMAT.apply([mark(5, 2, now), mark(5, 3, now)])

    answer = as_user(operator).post(f"/api/v1/dead-messages/{dead.pk}/replay/")

    assert answer.status_code == 200, answer.json()
    assert (Device.objects.get().status, Case.objects.count()) == (3, 0)


@pytest.mark.django_db
@pytest.mark.parametrize("asked", [{"device_ids": [1]}, {"device_ids": ["1", 77]}])
def test_recurrent_finds_what_was_uploaded_since(
    asked: dict[str, Any],
    now: datetime,
    make_filter: Callable[..., Filter],
    meet: Callable[..., None],
    infect: Callable[..., Case],
) -> None:
    make_filter()
    meet(1, 2, hours_ago=5)
    case = infect(1, now)
    meet(1, 3, hours_ago=4)
    jobs.case_search("")
    assert exposed(case) == {2}
    FORMAT.apply([FORMAT.translate(message_of({"body": {"recurrent": asked}}, delivered_at=now))])
    jobs.case_search("")
    assert exposed(case) == {2, 3}


@pytest.mark.django_db
def test_a_round_goes_on_from_whom_a_case_has_reached(
    now: datetime, make_filter: Callable[..., Filter], meet: Callable[..., None], infect: Callable[..., Case]
) -> None:
    make_filter(rounds=2)
    meet(1, 2, hours_ago=5)
    case = infect(1, now)
    meet(2, 3, hours_ago=4)
    onsets = {"previous_round": 1, "max_round": 2, "ids_timestamp": {"2": int(now.timestamp())}}
    FORMAT.apply([FORMAT.translate(message_of({"body": {"round": onsets}}, delivered_at=now))])
    jobs.case_search("")
    assert exposed(case) == {2, 3}


@pytest.mark.django_db
def test_others_cases_are_left_alone(
    now: datetime, make_filter: Callable[..., Filter], meet: Callable[..., None], infect: Callable[..., Case]
) -> None:
    make_filter()
    meet(1, 2, hours_ago=5)
    meet(8, 9, hours_ago=5)
    infect(1, now)
    other = infect(8, now)
    FORMAT.apply([again(1, 2, exposed=True, now=now)])
    assert list(searches.pending(now).values_list("case__device", flat=True)) == [1]
    assert CaseSearch.objects.get(case=other).searched_at is not None


@pytest.mark.django_db
def test_closed_cases_are_done_with(
    now: datetime, make_filter: Callable[..., Filter], meet: Callable[..., None], infect: Callable[..., Case]
) -> None:
    make_filter()
    meet(1, 2, hours_ago=5)
    infect(1, now)
    FORMAT.apply([mark(1, 3, now), again(1, now=now)])
    assert not searches.pending(now).exists()


@pytest.mark.django_db
def test_devices_of_no_case_are_a_dead_letter(now: datetime) -> None:
    Device.objects.create(pk=5)
    with pytest.raises(Malformed, match="There is no case"):
        FORMAT.apply([again(5, now=now)])
