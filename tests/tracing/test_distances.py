"""Records tell distances apart up to 327.67 m, and filters limit them no farther than that."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta

import pytest
from rest_framework.test import APIClient

from tracing.search import Seed, search

pytestmark = pytest.mark.django_db
DISTANCES = {2: 326.9, 3: 327.5, 4: 327.67, 5: 327.7, 6: 400.0, 7: 10_000.0}


@pytest.mark.parametrize(
    ("limits", "found"),
    [
        ({"distance_max_m": 327.0}, {2}),
        ({"distance_min_m": 327.0}, {3, 4, 5, 6, 7}),
        ({"distance_min_m": 0.0, "distance_max_m": None}, set(DISTANCES)),
    ],
)
def test_the_widest_limits_divide_records_as_they_were_sent(
    as_machine: Callable[..., APIClient], limits: dict[str, float], found: set[int]
) -> None:
    now = datetime.now(UTC)
    start = int((now - timedelta(hours=2)).timestamp())
    records = [
        {"my_id": 1, "other_id": other, "timestamp_start": start, "interval": 900, "distance": metres}
        for other, metres in DISTANCES.items()
    ]
    answer = as_machine("tracing:write").post("/api/v1/tracing/interactions/", records)
    assert answer.status_code == 201

    reached = search([Seed(0, 1, now - timedelta(days=1), **limits)], until=now)[0]  # type: ignore[arg-type]

    assert {each.device_id for each in reached} == found
    assert all(each.distance_m == min(DISTANCES[each.device_id], 327.67) for each in reached)


@pytest.mark.parametrize(("metres", "is_near"), [(2.0, True), (2.004, False), (1.996, True), (2.01, False)])
def test_what_is_farther_than_a_limit_by_some_millimetres_does_not_meet_it(
    as_machine: Callable[..., APIClient], metres: float, is_near: bool
) -> None:
    phone = as_machine("tracing:write", "tracing:read")
    start = int((datetime.now(UTC) - timedelta(hours=2)).timestamp())
    record = {"my_id": 1, "other_id": 2, "timestamp_start": start, "interval": 900, "distance": metres}
    assert phone.post("/api/v1/tracing/interactions/", [record]).status_code == 201

    found = phone.get("/api/v1/tracing/devices/1/sources/?distance_max_m=2").json()["sources"]

    assert bool(found) == is_near


@pytest.mark.parametrize(("begins", "ends", "counts"), [(0.9, 30.2, False), (0.5, 30.5, True)])
def test_what_is_shorter_than_half_a_minute_by_a_fraction_never_counts(
    as_machine: Callable[..., APIClient], begins: float, ends: float, counts: bool
) -> None:
    phone = as_machine("tracing:write", "tracing:read")
    start = int((datetime.now(UTC) - timedelta(hours=2)).timestamp())
    times = {"timestamp_start": start + begins, "timestamp_end": start + ends}
    answer = phone.post(
        "/api/v1/tracing/interactions/", [{"my_id": 1, "other_id": 2, "distance": 1, **times}]
    )
    assert answer.json()["too_short"] == (not counts)

    found = phone.get("/api/v1/tracing/devices/1/sources/?time_min_s=0").json()["sources"]

    assert bool(found) == counts


def test_a_limit_that_records_could_not_tell_is_refused_in_words(
    as_machine: Callable[..., APIClient],
) -> None:
    answer = as_machine("tracing:read").get("/api/v1/tracing/devices/1/sources/?distance_max_m=500")
    assert answer.status_code == 400
    assert "327" in str(answer.json()["distance_max_m"])
