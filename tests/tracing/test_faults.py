"""The faults of the original that must not come back (SPEC 4.9), a test for each, by way of what is told."""

from collections.abc import Callable
from datetime import datetime, timedelta

import pytest
from django.db import connection

from tests.tracing.looking import exposed, told
from tracing.models import Case, CaseSearch, Device, Exposure, Filter, FilterVersion
from tracing.services import searches
from tracing.services.statuses import status_mark

pytestmark = pytest.mark.django_db
MakeFilter = Callable[..., Filter]
Meet = Callable[..., None]
Infect = Callable[..., Case]


@pytest.fixture(autouse=True)
def devices(db: None) -> None:
    Device.objects.bulk_create(Device(pk=number, push_token=f"token-{number}") for number in range(1, 8))


def addresses(case: Case) -> list[str]:
    return [each.address for each in told(case)]


@pytest.mark.slow
@pytest.mark.parametrize(
    ("limits", "found"),
    [
        ({"distance_max_m": 2.0}, {2, 3}),
        ({"distance_min_m": 1.0}, {3, 4}),
        ({"distance_min_m": 1.0, "distance_max_m": 2.0}, {3}),
        ({"distance_min_m": 0.0, "distance_max_m": None}, {2, 3, 4}),
    ],
)
def test_a_filter_by_distance_works_with_one_limit_both_or_none(
    now: datetime, make_filter: MakeFilter, meet: Meet, infect: Infect, limits: dict, found: set[int]
) -> None:
    make_filter(**limits)
    for other, distance in ((2, 0.5), (3, 1.5), (4, 5.0)):
        meet(1, other, hours_ago=3, distance=distance)
    assert exposed(infect(1, now)) == found


def test_short_contacts_do_not_leak_through_for_being_near(
    now: datetime, make_filter: MakeFilter, meet: Meet, infect: Infect
) -> None:
    make_filter(time_min_s=900, distance_max_m=2.0, rounds=2)
    meet(1, 2, hours_ago=3, seconds=60, distance=0.1)
    meet(1, 3, hours_ago=3, seconds=3600, distance=9.0)
    meet(1, 4, hours_ago=3, seconds=900, distance=2.0)
    meet(4, 5, hours_ago=3.5, seconds=1860, distance=0.1)  # a minute of it after 4 was exposed
    assert exposed(infect(1, now)) == {4}


def test_contacts_days_apart_are_not_one_window(
    now: datetime, make_filter: MakeFilter, meet: Meet, infect: Infect
) -> None:
    make_filter(time_min_s=900)
    meet(1, 2, hours_ago=100, seconds=400)
    meet(1, 2, hours_ago=4, seconds=400)  # 800 s in all, four days from first to last
    meet(1, 3, hours_ago=100, seconds=450)
    meet(3, 1, hours_ago=4, seconds=450)
    case = infect(1, now)
    assert exposed(case) == {3}
    assert Exposure.objects.get(case=case).seconds == 900


def test_the_infected_device_is_not_told_of_itself(
    now: datetime, make_filter: MakeFilter, meet: Meet, infect: Infect
) -> None:
    make_filter(rounds=3)
    meet(1, 2, hours_ago=5)
    meet(2, 1, hours_ago=3)
    meet(1, 1, hours_ago=4)
    case = infect(1, now)
    assert exposed(case) == {2}
    assert addresses(case) == ["token-2"]


def test_contacts_before_the_exposure_do_not_count_in_later_rounds(
    now: datetime, make_filter: MakeFilter, meet: Meet, infect: Infect
) -> None:
    make_filter(rounds=2)
    meet(2, 3, hours_ago=10)
    meet(1, 2, hours_ago=5)
    meet(2, 4, hours_ago=3)
    assert exposed(infect(1, now)) == {2, 4}


def test_healed_is_recorded_as_healed_and_not_as_infected(now: datetime, infect: Infect) -> None:
    case = infect(1, now)
    status_mark(device_id=1, status=3, now=now)
    assert Device.objects.get(pk=1).status == 3
    case.refresh_from_db()
    assert case.state == "healed"
    assert not Case.objects.filter(state="open").exists()


def test_one_bad_case_does_not_take_the_whole_batch_with_it(
    now: datetime, make_filter: MakeFilter, meet: Meet
) -> None:
    make_filter()
    cases = {}
    for number in (1, 3, 5):
        meet(number, number + 1, hours_ago=3)
        cases[number] = status_mark(device_id=number, status=1, now=now).case
    bad = FilterVersion.objects.get()
    bad.pk, bad.number, bad.content = None, 99, []  # as only SQL could make it
    bad.save(force_insert=True)
    CaseSearch.objects.filter(case=cases[3]).update(filter_version=bad)

    searches.pending_run(now=now)

    assert [exposed(case) for case in cases.values() if case] == [{2}, set(), {6}]
    assert CaseSearch.objects.get(case=cases[3]).error


def test_a_search_that_was_not_done_is_not_forgotten(
    now: datetime, make_filter: MakeFilter, meet: Meet
) -> None:
    make_filter()
    meet(1, 2, hours_ago=3)
    case = status_mark(device_id=1, status=1, now=now).case
    assert case is not None
    with connection.cursor() as cursor:  # whatever happens half-way
        cursor.execute("ALTER TABLE tracing_exposure ADD CONSTRAINT half_way CHECK (told_at IS NULL)")
    searches.pending_run(now=now)
    row = case.searches.get()
    assert (exposed(case), addresses(case), row.searched_at, row.ingested_to) == (set(), [], None, None)
    assert "half_way" in row.error

    with connection.cursor() as cursor:
        cursor.execute("ALTER TABLE tracing_exposure DROP CONSTRAINT half_way")
    searches.pending_run(now=now + timedelta(minutes=1))
    assert (exposed(case), addresses(case)) == ({2}, ["token-2"])


def test_the_watermark_advances_with_each_search_that_succeeds(
    now: datetime, make_filter: MakeFilter, meet: Meet, infect: Infect
) -> None:
    make_filter()
    case = infect(1, now)
    # As if it had been searched before anything was ever stored, by a transaction long over.
    case.searches.update(ingested_to=1)
    meet(1, 2, hours_ago=3)

    searches.check_run(after=0, now=now)

    assert addresses(case) == ["token-2"]
    watermark = case.searches.get().ingested_to
    assert watermark is not None
    assert watermark > 1
