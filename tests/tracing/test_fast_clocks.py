"""Phones whose clocks are ahead of ours: what they upload counts whole, though it ends after now."""

from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any

import pytest
from rest_framework.test import APIClient

from config import clock
from tests.tracing.looking import exposed
from tracing import jobs
from tracing.models import Case, Filter

pytestmark = pytest.mark.django_db
Machine = Callable[..., APIClient]
AHEAD_S = 60


@pytest.fixture
def health(as_machine: Machine) -> APIClient:
    return as_machine("tracing:write", "tracing:read", "tracing:filters")


@pytest.fixture
def now(monkeypatch: pytest.MonkeyPatch, now: datetime) -> datetime:
    """Time stands still: a second later less of a contact would have been cut off."""
    monkeypatch.setattr(clock, "now", lambda: now)
    return now


def upload(phone: APIClient, now: datetime, *, my_id: int = 2, other_id: int = 1) -> None:
    """A quarter of an hour that has just ended, by the clock of a phone that is a minute fast."""
    end = int(now.timestamp()) + AHEAD_S
    record = {"my_id": my_id, "other_id": other_id, "distance": 1, "timestamp_start": end - 900}
    answer = phone.post("/api/v1/tracing/interactions/", [{**record, "timestamp_end": end}])
    assert answer.status_code == 201


def mark(health: APIClient, device_id: int, status: int) -> dict[str, Any]:
    answer = health.post("/api/v1/tracing/statuses/", {"device_id": device_id, "status": status})
    assert answer.status_code == 201
    return answer.json()


def seconds(health: APIClient, case_id: str) -> dict[int, int]:
    found = health.get(f"/api/v1/tracing/cases/{case_id}/").json()["exposures"]
    return {each["device_id"]: each["seconds"] for each in found}


def test_a_contact_that_ends_after_now_by_a_fast_clock_counts_whole(
    health: APIClient, now: datetime, make_filter: Callable[..., Filter]
) -> None:
    make_filter(time_min_s=900)
    upload(health, now)

    case = mark(health, 1, 1)
    jobs.case_search("")

    assert seconds(health, case["case_id"]) == {2: 900}


def test_it_counts_whole_in_the_second_degree_too(
    health: APIClient, now: datetime, make_filter: Callable[..., Filter], meet: Callable[..., None]
) -> None:
    make_filter(time_min_s=900, rounds=2)
    meet(1, 2, hours_ago=3)
    upload(health, now, my_id=3, other_id=2)

    case = mark(health, 1, 1)
    jobs.case_search("")

    assert seconds(health, case["case_id"]) == {2: 1200, 3: 900}


def test_it_counts_whole_when_the_check_finds_it(
    health: APIClient, now: datetime, make_filter: Callable[..., Filter]
) -> None:
    make_filter(time_min_s=900)
    case = mark(health, 1, 1)
    jobs.case_search("")
    upload(health, now)

    jobs.check()

    assert seconds(health, case["case_id"]) == {2: 900}


def test_it_counts_whole_for_a_case_that_is_closed_before_its_first_search(
    health: APIClient, now: datetime, make_filter: Callable[..., Filter]
) -> None:
    make_filter(time_min_s=900)
    upload(health, now)
    case = mark(health, 1, 1)
    mark(health, 1, 3)

    jobs.case_search("")

    assert seconds(health, case["case_id"]) == {2: 900}


def test_what_begins_long_after_a_case_was_closed_does_not_count(
    now: datetime, make_filter: Callable[..., Filter], meet: Callable[..., None], health: APIClient
) -> None:
    make_filter(time_min_s=900)
    case = Case.objects.get(pk=mark(health, 1, 1)["case_id"])
    Case.objects.filter(pk=case.pk).update(state="healed", closed_at=now - timedelta(hours=2))
    meet(1, 2, hours_ago=1)

    jobs.case_search("")

    assert exposed(case) == set()


def test_backwards_and_for_what_if_it_counts_whole_as_well(
    health: APIClient, now: datetime, make_filter: Callable[..., Filter], settings: Any
) -> None:
    settings.TRACING_MIN_COUNT = 1
    close = make_filter(time_min_s=900)
    upload(health, now)
    mark(health, 1, 1)

    (source,) = health.get("/api/v1/tracing/devices/1/sources/").json()["sources"]
    assert (source["device_id"], source["seconds"]) == (2, 900)
    assert health.get(f"/api/v1/tracing/filters/{close.pk}/what-if/?cases=1").json()["told"] == 1
