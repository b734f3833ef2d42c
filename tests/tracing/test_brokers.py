"""The messages of the original tracing service do what HTTP's do."""

from collections.abc import Callable
from dataclasses import asdict
from datetime import datetime
from typing import Any

import pytest
from django.core.exceptions import ValidationError
from pytest_django import Settings

from config.exceptions import Conflict
from notifications.brokers import formats
from notifications.brokers.messages import Malformed
from tests.samples import message_of, samples
from tests.tracing.looking import exposed
from tracing import jobs
from tracing.brokers import FORMAT, Command, Mark, SearchAgain
from tracing.models import Case, CaseSearch, Device, Filter
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
def test_a_mark_of_a_device_that_nobody_has_seen_is_refused_for_good(now: datetime) -> None:
    with pytest.raises(ValidationError, match="registered, or is in a record"):
        FORMAT.apply([mark(5, 1, now)])


@pytest.mark.django_db
def test_a_mark_against_the_rules_is_refused_for_good(now: datetime, settings: Settings) -> None:
    settings.TRACING_SUSPECT_FIRST = True
    Device.objects.create(pk=5)
    with pytest.raises(Conflict, match="suspect"):
        FORMAT.apply([mark(5, 1, now)])


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
    with pytest.raises(Malformed, match="No case is known"):
        FORMAT.apply([again(5, now=now)])
