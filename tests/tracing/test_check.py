"""The periodic check: what was uploaded since, found for open cases, and told once."""

from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta

import pytest
from django.db import connection
from pytest_django import DjangoAssertNumQueries

from tests.tracing.looking import exposed, told
from tests.tracing.waiting import until_older_transactions_have_ended
from tracing import jobs
from tracing.models import Case, CaseSearch, Device, Exposure, Filter, FilterVersion
from tracing.services import searches
from tracing.services.filters import filter_change
from tracing.services.statuses import status_mark

pytestmark = pytest.mark.django_db


def check(now: datetime) -> None:
    searches.check_begin(now=now)
    assert searches.check_run(after=0, now=now) is None


@pytest.fixture
def later(now: datetime) -> datetime:
    return now + timedelta(minutes=15)


def test_what_is_uploaded_later_is_found_and_only_that_is_told(
    now: datetime,
    later: datetime,
    make_filter: Callable[..., Filter],
    meet: Callable[..., None],
    infect: Callable[..., Case],
) -> None:
    make_filter(rounds=2)
    for number in (2, 3, 4):
        Device.objects.create(pk=number, push_token=f"token-{number}")
    meet(1, 2, hours_ago=5)
    case = infect(1, now)
    assert [each.address for each in told(case)] == ["token-2"]
    told_at = Exposure.objects.get(case=case, device_id=2).told_at

    meet(2, 3, hours_ago=4)  # not of the case's own device, and older than its search
    meet(4, 9, hours_ago=4)  # nobody's business
    jobs.check()

    assert [each.address for each in told(case)] == ["token-2", "token-3"]
    assert exposed(case) == {2, 3}
    assert Exposure.objects.get(case=case, device_id=2).told_at == told_at


def test_what_nothing_new_concerns_is_not_searched_again_and_its_watermark_moves_on(
    now: datetime,
    later: datetime,
    make_filter: Callable[..., Filter],
    meet: Callable[..., None],
    infect: Callable[..., Case],
    django_assert_max_num_queries: DjangoAssertNumQueries,
) -> None:
    make_filter()
    meet(1, 2, hours_ago=5)
    case = infect(1, now)
    before = case.searches.get().ingested_to

    meet(8, 9, hours_ago=5)
    # In a test everything is one transaction, and so none of it is older than the watermark.
    check(later)

    after = case.searches.get()
    assert after.ingested_to is not None
    assert before is not None
    assert after.ingested_to >= before
    assert after.searched_at == later


def test_a_shorter_path_that_is_uploaded_later_corrects_the_explanation_and_nobody_is_told_again(
    now: datetime,
    later: datetime,
    make_filter: Callable[..., Filter],
    meet: Callable[..., None],
    infect: Callable[..., Case],
) -> None:
    make_filter(rounds=2)
    Device.objects.create(pk=3, push_token="token-3")
    meet(1, 2, hours_ago=5)
    meet(2, 3, hours_ago=4)
    case = infect(1, now)

    meet(3, 1, hours_ago=6)
    check(later)

    found = Exposure.objects.get(case=case, device_id=3)
    assert (found.degree, found.via_device_id) == (1, 1)
    assert len(told(case)) == 1


def test_what_was_found_stays_after_its_records_are_gone(
    now: datetime,
    later: datetime,
    make_filter: Callable[..., Filter],
    meet: Callable[..., None],
    infect: Callable[..., Case],
) -> None:
    make_filter(rounds=2)
    meet(1, 2, hours_ago=5)
    case = infect(1, now)
    with connection.cursor() as cursor:
        cursor.execute("DELETE FROM tracing_interaction")

    meet(1, 3, hours_ago=4)
    meet(3, 2, hours_ago=1)
    check(later)

    found = Exposure.objects.filter(case=case).order_by("device_id")
    # The longer path that is left does not take the place of the one that was known.
    assert list(found.values_list("device_id", "degree", "via_device_id")) == [(2, 1, 1), (3, 1, 1)]


def days_gone(before: datetime) -> None:
    """Drop the records of days before, as the hourly job does with partitions."""
    with connection.cursor() as cursor:
        cursor.execute(
            "DELETE FROM tracing_interaction WHERE start_s < extract(epoch FROM %s::timestamptz)", [before]
        )


@pytest.mark.parametrize("rounds", [2, 3])
def test_who_was_reached_by_records_that_are_gone_exposes_others_by_those_that_come_later(
    now: datetime,
    later: datetime,
    make_filter: Callable[..., Filter],
    meet: Callable[..., None],
    infect: Callable[..., Case],
    rounds: int,
) -> None:
    make_filter(rounds=rounds)
    meet(1, 2, hours_ago=13 * 24)
    meet(2, 3, hours_ago=12 * 24)
    case = infect(1, now)
    assert exposed(case) == {2, 3}
    days_gone(now - timedelta(days=11))

    meet(2, 4, hours_ago=5)  # of the first degree's device
    meet(3, 5, hours_ago=5)  # of the second's, which leads to a third
    meet(2, 6, hours_ago=4)
    check(later)

    paths = dict(Exposure.objects.filter(case=case).values_list("device_id", "via_device_id"))
    assert paths == {2: 1, 3: 2, 4: 2, 6: 2, **({5: 3} if rounds == 3 else {})}


def test_a_later_contact_does_not_move_the_onset_of_one_whose_first_is_gone(
    now: datetime,
    later: datetime,
    make_filter: Callable[..., Filter],
    meet: Callable[..., None],
    infect: Callable[..., Case],
) -> None:
    make_filter(rounds=2)
    meet(1, 2, hours_ago=13 * 24)
    case = infect(1, now)
    days_gone(now - timedelta(days=11))

    meet(1, 2, hours_ago=2)
    meet(2, 3, hours_ago=5)  # before the two met again, and after they met first
    check(later)

    assert exposed(case) == {2, 3}
    assert Exposure.objects.get(case=case, device_id=2).onset < now - timedelta(days=12)


def test_a_case_keeps_the_version_that_it_was_searched_with_and_gets_filters_that_are_activated_later(
    now: datetime,
    later: datetime,
    make_filter: Callable[..., Filter],
    meet: Callable[..., None],
    infect: Callable[..., Case],
) -> None:
    close = make_filter(time_min_s=900)
    case = infect(1, now)
    filter_change(filter=close, time_min_s=100)
    far = make_filter("far", time_min_s=300)
    meet(1, 2, hours_ago=5, seconds=400)
    check(later)

    assert set(case.searches.values_list("filter__name", "filter_version__number")) == {
        ("close", 1),
        ("far", 1),
    }
    assert list(Exposure.objects.values_list("filter_id", "device_id")) == [(far.pk, 2)]


@pytest.fixture
def _interactions_gone(transactional_db: None) -> Iterator[None]:
    """What no model manages is not emptied after a test that commits."""
    yield
    with connection.cursor() as cursor:
        cursor.execute("DELETE FROM tracing_interaction")


@pytest.mark.slow
@pytest.mark.usefixtures("_interactions_gone")
@pytest.mark.django_db(transaction=True)
def test_only_cases_that_new_records_can_concern_are_searched_again(
    now: datetime,
    later: datetime,
    make_filter: Callable[..., Filter],
    meet: Callable[..., None],
    infect: Callable[..., Case],
) -> None:
    make_filter(rounds=2)
    meet(1, 2, hours_ago=5)
    until_older_transactions_have_ended()
    case = infect(1, now)
    with connection.cursor() as cursor:  # past the intake, so that only a search for another reason finds it
        # The day of the one above, whose partition is there.
        start = int((now - timedelta(hours=5)).timestamp())
        cursor.execute("INSERT INTO tracing_interaction VALUES (1, 7, %s, 1200, 100)", [start])

    meet(8, 9, hours_ago=3)
    check(later)
    assert exposed(case) == {2}

    meet(2, 3, hours_ago=3)  # of a device that was reached, so that there may be a second degree
    until_older_transactions_have_ended()
    check(later)
    assert exposed(case) == {2, 3, 7}

    assert not searches_that_are_stale()


def searches_that_are_stale() -> list[CaseSearch]:
    """Those that a check would look at again, though nothing has come since."""
    before = CaseSearch.objects.get().searched_at
    check(datetime.now(UTC) + timedelta(hours=1))
    return [each for each in CaseSearch.objects.all() if each.searched_at != before]


def test_a_watermark_from_another_server_does_not_hide_what_is_new(
    now: datetime,
    later: datetime,
    make_filter: Callable[..., Filter],
    meet: Callable[..., None],
    infect: Callable[..., Case],
) -> None:
    make_filter()
    case = infect(1, now)
    case.searches.update(ingested_to=2**62)
    meet(1, 2, hours_ago=5)
    check(later)
    assert exposed(case) == {2}
    assert CaseSearch.objects.get().ingested_to != 2**62


def test_inactive_filters_and_closed_cases_are_not_searched_again(
    now: datetime,
    later: datetime,
    make_filter: Callable[..., Filter],
    meet: Callable[..., None],
    infect: Callable[..., Case],
) -> None:
    close = make_filter()
    healed, unlucky = infect(1, now), infect(5, now)
    status_mark(device_id=1, status=3, now=now)
    filter_change(filter=close, is_active=False)
    meet(1, 2, hours_ago=5)
    meet(5, 6, hours_ago=5)

    check(later)
    assert exposed(healed) | exposed(unlucky) == set()

    filter_change(filter=close, is_active=True)
    check(later)
    assert (exposed(healed), exposed(unlucky)) == (set(), {6})


def test_a_case_that_is_closed_before_its_search_is_searched_up_to_then(
    now: datetime, make_filter: Callable[..., Filter], meet: Callable[..., None]
) -> None:
    make_filter()
    Device.objects.create(pk=1)
    meet(1, 2, hours_ago=6)
    meet(1, 3, hours_ago=2)
    case = status_mark(device_id=1, status=1, now=now - timedelta(hours=5)).case
    status_mark(device_id=1, status=3, now=now - timedelta(hours=3))
    assert case is not None

    searches.pending_run(now=now)

    assert exposed(case) == {2}


def test_a_search_that_fails_holds_up_no_other_and_is_tried_again_later(
    now: datetime,
    make_filter: Callable[..., Filter],
    meet: Callable[..., None],
) -> None:
    broken = make_filter("broken")
    FilterVersion.objects.filter(filter=broken).update(content=[])  # as only SQL could
    make_filter("good")
    for number in (1, 2, 3, 4):
        Device.objects.create(pk=number, push_token=f"token-{number}")
    meet(1, 2, hours_ago=5)
    meet(3, 4, hours_ago=5)
    cases = [status_mark(device_id=number, status=1, now=now).case for number in (1, 3)]

    searches.pending_run(now=now)

    for case in cases:
        assert case is not None
        assert len(told(case)) == 1
        assert exposed(case) in ({2}, {4})
    failed = CaseSearch.objects.filter(searched_at=None)
    assert {each.filter_version.filter.name for each in failed} == {"broken"}
    assert all(each.error and each.failures == 1 and each.due_at > now for each in failed)

    FilterVersion.objects.filter(filter=broken).update(content={"en": {"title": "Mended"}})
    searches.pending_run(now=now)  # not due yet
    searches.check_run(after=0, now=now)
    assert failed.count() == 2
    searches.pending_run(now=now + timedelta(minutes=1))
    assert [each.error for each in failed.all()] == []
    assert Exposure.objects.filter(told_at=None).count() == 0
