"""Marking devices, and reading what came of it, over the API."""

import uuid
from collections.abc import Callable
from datetime import datetime

import django_rq
import pytest
from django.contrib.auth.models import Permission
from pytest_django import DjangoAssertNumQueries, DjangoCaptureOnCommitCallbacks, Settings
from rest_framework.test import APIClient

from accounts.models import User
from notifications.jobs import sweep
from tests.tracing.looking import exposed
from tracing import jobs
from tracing.models import Case, Device, Exposure, Filter, StatusMark

Machine = Callable[..., APIClient]
pytestmark = pytest.mark.django_db


@pytest.fixture
def health(as_machine: Machine) -> APIClient:
    """A health service: may mark, may not read."""
    return as_machine("tracing:write")


@pytest.fixture
def doctor(as_machine: Machine) -> APIClient:
    return as_machine("tracing:read")


def mark(client: APIClient, device_id: object, status: object) -> tuple[int, dict]:
    answer = client.post("/api/v1/tracing/statuses/", {"device_id": device_id, "status": status})
    return answer.status_code, answer.json()


def test_marking_a_device_as_infected_opens_one_case_and_the_same_again_answers_the_same(
    health: APIClient,
) -> None:
    Device.objects.create(pk=1)

    first, again = mark(health, 1, 1), mark(health, 1, 1)

    case = Case.objects.get()
    assert first == (201, {"device_id": 1, "status": 1, "case_id": str(case.pk), "filters": 0})
    assert again == (200, first[1])
    assert StatusMark.objects.count() == 1
    assert StatusMark.objects.get().api_key is not None


def test_a_new_case_is_searched_by_a_job_that_its_commit_enqueues(
    health: APIClient, django_capture_on_commit_callbacks: DjangoCaptureOnCommitCallbacks
) -> None:
    Device.objects.create(pk=1)

    with django_capture_on_commit_callbacks(execute=True):
        mark(health, 1, 1)

    (job,) = django_rq.get_queue("slow").jobs
    assert job.func_name == "tracing.jobs.case_search"
    assert job.args == (str(Case.objects.get().pk),)


def test_a_search_whose_job_was_lost_is_found_by_the_sweep(
    health: APIClient, make_filter: Callable[..., Filter]
) -> None:
    make_filter()
    Device.objects.create(pk=1)
    mark(health, 1, 1)
    assert django_rq.get_queue("slow").count == 0  # in a test nothing commits

    sweep()

    assert "tracing.jobs.case_search" in [job.func_name for job in django_rq.get_queue("slow").jobs]


def test_healed_closes_the_case_and_a_later_infection_is_a_new_one(health: APIClient) -> None:
    Device.objects.create(pk=1)
    mark(health, 1, 1)

    assert mark(health, 1, 3)[0] == 201
    assert mark(health, 1, 3)[0] == 200
    closed = Case.objects.get()
    assert (closed.state, closed.closed_at is None) == ("healed", False)

    assert mark(health, 1, 1)[0] == 201
    assert Case.objects.filter(state="open").count() == 1
    assert Case.objects.count() == 2


@pytest.mark.parametrize("status", [0, 2, 4, 5, 6])
def test_other_statuses_are_stored_and_start_nothing(health: APIClient, status: int) -> None:
    Device.objects.create(pk=1, status=3)

    assert mark(health, 1, status)[0] == 201

    assert Device.objects.get().status == status
    assert not Case.objects.exists()


@pytest.mark.parametrize("status", range(7))
def test_a_device_that_nothing_is_known_of_can_be_marked(health: APIClient, status: int) -> None:
    code, body = mark(health, 9, status)

    # Nothing is new of a device that is as all are.
    assert (code, body["status"]) == (201 if status else 200, status)
    assert Device.objects.get(pk=9).status == status
    assert (body["case_id"] is not None) == (status == 1)


def test_a_case_of_a_device_that_uploads_later_is_found_by_the_check(
    health: APIClient, make_filter: Callable[..., Filter], meet: Callable[..., None]
) -> None:
    make_filter()
    case = Case.objects.get(pk=mark(health, 9, 1)[1]["case_id"])
    jobs.case_search("")
    assert exposed(case) == set()

    meet(9, 10, hours_ago=3)
    jobs.check()

    assert exposed(case) == {10}


def test_an_answer_says_with_how_many_active_filters_a_case_is_searched(
    health: APIClient, make_filter: Callable[..., Filter]
) -> None:
    assert mark(health, 1, 1)[1]["filters"] == 0
    make_filter()
    make_filter("off", is_active=False)
    jobs.check()

    assert mark(health, 1, 1)[1]["filters"] == 1
    assert mark(health, 2, 1)[1]["filters"] == 1
    assert mark(health, 2, 3)[1]["filters"] is None
    assert mark(health, 3, 2)[1]["filters"] is None


@pytest.mark.parametrize(
    ("device_id", "status", "field"),
    [(1, 7, "status"), (1, "1", "status"), (1, True, "status"), (0, 1, "device_id"), (2**31, 1, "device_id"),
     (1.5, 1, "device_id"), (None, 1, "device_id")],
)  # fmt: skip
def test_a_bad_mark_is_refused_by_field(
    health: APIClient, device_id: object, status: object, field: str
) -> None:
    Device.objects.create(pk=1)
    code, body = mark(health, device_id, status)
    assert (code, list(body)) == (400, [field])
    assert not StatusMark.objects.exists()


def test_only_suspects_can_be_infected_where_that_is_asked_for(health: APIClient, settings: Settings) -> None:
    settings.TRACING_SUSPECT_FIRST = True
    Device.objects.create(pk=1)

    assert mark(health, 1, 1)[0] == 409
    assert Device.objects.get().status == 0
    mark(health, 1, 2)
    assert mark(health, 1, 1)[0] == 201


def test_marks_are_limited_by_key_and_minute(as_machine: Machine, settings: Settings) -> None:
    settings.RATES = {**settings.RATES, "tracing-mark": "2/min"}
    Device.objects.create(pk=1)
    one, other = as_machine("tracing:write"), as_machine("tracing:write")

    codes = [mark(one, 1, status)[0] for status in (2, 1, 3)]

    assert codes == [201, 201, 429]
    assert mark(other, 1, 3)[0] == 201


def test_a_case_explains_each_exposure(
    doctor: APIClient,
    now: datetime,
    make_filter: Callable[..., Filter],
    meet: Callable[..., None],
    infect: Callable[..., Case],
) -> None:
    make_filter(rounds=2)
    meet(1, 2, hours_ago=30, seconds=1800, distance=1.5)
    meet(3, 2, hours_ago=20, seconds=900, distance=0.5)
    case = infect(1, now)

    body = doctor.get(f"/api/v1/tracing/cases/{case.pk}/").json()

    assert [each["path"] for each in body["exposures"]] == [[1, 2], [1, 2, 3]]
    assert [each["degree"] for each in body["exposures"]] == [1, 2]
    assert [each["seconds"] for each in body["exposures"]] == [1800, 900]
    assert [each["distance_m"] for each in body["exposures"]] == [1.5, 0.5]
    assert body["exposures"][0]["filter"]["version"] == 1
    assert body["exposures"][0]["told_at"] is None  # it has no address
    assert body["exposed"] == 2
    assert body["by_degree"] == [
        {"filter": "close", "degree": 1, "exposed": 1, "told": 0},
        {"filter": "close", "degree": 2, "exposed": 1, "told": 0},
    ]
    rows = doctor.get(f"/api/v1/tracing/cases/{case.pk}/exposures/?degree=2").json()["results"]
    assert rows == body["exposures"][1:]


def test_backwards_it_says_who_may_have_infected_a_device(
    doctor: APIClient, meet: Callable[..., None]
) -> None:
    meet(1, 2, hours_ago=30)
    meet(2, 3, hours_ago=20)
    meet(3, 4, hours_ago=40)  # before 3 met 2, so 4 can be the source of 3, and not of 2 by 3

    body = doctor.get("/api/v1/tracing/devices/3/sources/?rounds=2").json()

    found = {(each["device_id"], each["degree"], each["via_device_id"]) for each in body["sources"]}
    assert found == {(2, 1, 3), (4, 1, 3), (1, 2, 2)}
    assert doctor.get("/api/v1/tracing/devices/3/sources/?rounds=9").status_code == 400
    assert doctor.get("/api/v1/tracing/devices/3/sources/?round=1").status_code == 400
    for query in ("rounds=0_1", "rounds=١", "time_min_s=9_00", "distance_max_m=1_0", "distance_max_m=nan"):
        assert doctor.get(f"/api/v1/tracing/devices/3/sources/?{query}").status_code == 400, query
    assert doctor.get("/api/v1/tracing/devices/99/sources/").status_code == 404


def test_the_list_of_cases_takes_as_many_queries_for_many_as_for_one(
    doctor: APIClient, now: datetime, django_assert_num_queries: DjangoAssertNumQueries
) -> None:
    doctor.get("/api/v1/tracing/cases/")  # marks its key as used
    for device_id in range(1, 11):
        device = Device.objects.create(pk=device_id)
        Case.objects.create(device=device, since=now, opened_at=now)

    with django_assert_num_queries(3):  # the key, the cases, the note of who reads
        rows = doctor.get("/api/v1/tracing/cases/?state=open").json()["results"]

    assert {row["device_id"] for row in rows} == set(range(1, 11))
    (third,) = (row for row in rows if row["device_id"] == 3)
    assert doctor.get("/api/v1/tracing/cases/?device=3").json()["results"] == [third]
    for device in ("0_3", "٣", "x"):
        assert doctor.get(f"/api/v1/tracing/cases/?device={device}").status_code == 400, device


def test_a_case_takes_as_many_queries_for_many_exposures_as_for_one(
    doctor: APIClient,
    now: datetime,
    make_filter: Callable[..., Filter],
    meet: Callable[..., None],
    infect: Callable[..., Case],
    django_assert_max_num_queries: DjangoAssertNumQueries,
) -> None:
    make_filter()
    for other in range(2, 12):
        meet(1, other, hours_ago=other)
    case = infect(1, now)
    assert len(exposed(case)) == 10

    with django_assert_max_num_queries(13):
        assert len(doctor.get(f"/api/v1/tracing/cases/{case.pk}/").json()["exposures"]) == 10


@pytest.mark.slow
def test_strangers_and_keys_for_intake_read_nothing(
    as_user: Callable[[User], APIClient],
    stranger: User,
    health: APIClient,
    anonymous: APIClient,
    now: datetime,
) -> None:
    case = Case.objects.create(device=Device.objects.create(pk=1), since=now, opened_at=now)
    paths = [
        "cases/", f"cases/{case.pk}/", f"cases/{case.pk}/exposures/", f"cases/{uuid.uuid4()}/",
        "devices/1/", "devices/1/sources/", "filters/", f"filters/{uuid.uuid4()}/what-if/",
    ]  # fmt: skip
    for path in paths:
        url = f"/api/v1/tracing/{path}"
        assert as_user(stranger).get(url).status_code == 403, path
        assert health.get(url).status_code == 403, path
        assert anonymous.get(url).status_code == 401, path
    assert mark(as_user(stranger), 1, 3)[0] == 403
    assert as_user(stranger).put("/api/v1/tracing/devices/1/", {}).status_code == 403
    assert not Exposure.objects.exists()


def test_a_person_with_djangos_permission_reads_cases(
    as_user: Callable[[User], APIClient], stranger: User, now: datetime
) -> None:
    stranger.user_permissions.add(Permission.objects.get(codename="view_case"))
    case = Case.objects.create(device=Device.objects.create(pk=1), since=now, opened_at=now)

    assert as_user(stranger).get(f"/api/v1/tracing/cases/{case.pk}/").status_code == 200
