"""Setting filters over the API: versions, and what is refused."""

from collections.abc import Callable
from typing import Any

import pytest
from rest_framework.test import APIClient

from tests.tracing.conftest import TEXT
from tracing.models import Filter
from tracing.services.filters import filter_change

pytestmark = pytest.mark.django_db
URL = "/api/v1/tracing/filters/"


@pytest.fixture
def virologist(as_machine: Callable[..., APIClient]) -> APIClient:
    return as_machine("tracing:filters")


def body(**fields: Any) -> dict[str, Any]:
    return {"name": "close", "time_min_s": 900, "content": {"en": TEXT}, **fields}


def test_a_filter_is_made_once_and_something_else_of_its_name_is_refused(virologist: APIClient) -> None:
    made, again = (virologist.post(URL, body()) for _ in range(2))
    assert (made.status_code, again.status_code) == (201, 200)
    assert made.json() == again.json()
    assert made.json()["is_active"] is False
    assert made.json()["version"] == 1
    assert virologist.post(URL, body(time_min_s=60)).status_code == 409


def test_new_criteria_make_a_version_and_a_new_name_or_state_does_not(virologist: APIClient) -> None:
    url = f"{URL}{virologist.post(URL, body()).json()['id']}/"

    assert virologist.patch(url, {"is_active": True, "name": "nearest"}).json()["version"] == 1
    changed = virologist.patch(url, {"rounds": 3, "distance_max_m": 2}).json()

    assert [(each["number"], each["rounds"]) for each in changed["versions"]] == [(2, 3), (1, 1)]
    assert virologist.get(url).json() == changed
    assert [each["name"] for each in virologist.get(URL).json()["results"]] == ["nearest"]


def test_a_change_leaves_alone_what_somebody_else_changed_since_it_was_read(
    make_filter: Callable[..., Filter],
) -> None:
    one = make_filter()
    other = Filter.objects.get(pk=one.pk)
    filter_change(filter=one, is_active=False)
    filter_change(filter=other, rounds=3)
    stored = Filter.objects.get(pk=one.pk)
    assert (stored.is_active, stored.rounds, stored.version) == (False, 3, 2)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("field", "value"),
    [("name", ""), ("status", 7), ("time_min_s", -1), ("time_min_s", "900"), ("time_max_s", 60),
     ("distance_min_m", -1), ("distance_min_m", 328), ("distance_max_m", 327.5), ("distance_max_m", "2"),
     ("rounds", 0), ("rounds", 6), ("language", "fr"), ("content", {}),
     ("content", {"en": {}}), ("content", {"en": {**TEXT, "body": "x"}}),
     ("content", {"en": {"title": "x" * 201}}), ("content", {"en": {"title": 1}}), ("content", {"e": TEXT}),
     ("content", [TEXT]), ("is_active", 1)],
)  # fmt: skip
def test_a_bad_filter_is_refused_by_field(virologist: APIClient, field: str, value: Any) -> None:
    answer = virologist.post(URL, body(**{field: value}))
    assert answer.status_code == 400
    assert list(answer.json()) == [field if field != "language" else "content"]
    assert not Filter.objects.exists()


def test_those_who_only_read_or_upload_set_no_filter(as_machine: Callable[..., APIClient]) -> None:
    for scope in ("tracing:read", "tracing:write"):
        assert as_machine(scope).post(URL, body()).status_code == 403
    assert as_machine("tracing:read").get(URL).status_code == 200
