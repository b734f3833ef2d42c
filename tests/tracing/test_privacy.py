"""What is kept of people, for how long, who sees it, and that it is known who did."""

from collections.abc import Callable
from datetime import datetime, timedelta

import pytest
from pytest_django import Settings
from rest_framework.test import APIClient

from accounts.models import User
from config import slices
from config.slices import Run
from notifications.ids import moment_of
from notifications.models import Attempt, AuditedDay, Delivery, Notification
from notifications.services import notices
from tests.factories import NotificationFactory
from tests.tracing.looking import told
from tracing.filter_preview import what_if
from tracing.models import Case, CaseReading, CaseSearch, Device, Exposure, Filter, StatusMark
from tracing.retention import STEPS
from tracing.selectors import shown, shown_parts
from tracing.services.retention import cases_expire
from tracing.services.statuses import status_mark

pytestmark = pytest.mark.django_db


def expire(now: datetime) -> None:
    for step in STEPS:
        step(Run(now=now))


def test_each_reading_of_a_case_is_noted_with_the_key_that_read(
    as_machine: Callable[..., APIClient], now: datetime
) -> None:
    case = Case.objects.create(device=Device.objects.create(pk=1), since=now, opened_at=now)
    doctor = as_machine("tracing:read")

    for path in ("cases/", f"cases/{case.pk}/", f"cases/{case.pk}/exposures/", "devices/1/sources/"):
        assert doctor.get(f"/api/v1/tracing/{path}").status_code == 200
    assert doctor.get("/api/v1/tracing/cases/?state=nonsense").status_code == 400

    rows = CaseReading.objects.order_by("read_at").values_list("what", "case_id", "device_id")
    assert list(rows) == [
        ("list", None, None),
        ("case", case.pk, 1),
        ("case", case.pk, 1),
        ("sources", None, 1),
    ]
    assert all(each.api_key and each.api_key.scopes == ["tracing:read"] for each in CaseReading.objects.all())


def test_a_push_token_is_never_shown(
    as_machine: Callable[..., APIClient], as_user: Callable[[User], APIClient], operator: User
) -> None:
    phone, doctor = as_machine("tracing:write"), as_machine("tracing:read")
    answer = phone.put("/api/v1/tracing/devices/1/", {"push_token": "secret-token", "language": "fr"})
    seen = doctor.get("/api/v1/tracing/devices/1/")
    assert "secret-token" not in answer.content.decode() + seen.content.decode()
    options = as_user(operator).options("/api/v1/tracing/devices/1/")
    assert options.status_code == 200
    assert "secret-token" not in options.content.decode()
    assert seen.json() == {
        "id": 1, "has_push_token": True, "platform": "", "language": "fr", "status": 0, "contacts": [],
    }  # fmt: skip


def test_a_case_is_gone_with_all_that_tells_of_it_when_its_time_is_over(
    now: datetime,
    make_filter: Callable[..., Filter],
    meet: Callable[..., None],
    infect: Callable[..., Case],
    settings: Settings,
) -> None:
    make_filter()
    Device.objects.create(pk=2, push_token="token-2")
    meet(1, 2, hours_ago=2)
    case, other = infect(1, now), infect(5, now)
    NotificationFactory(source_id=str(case.pk))  # of another kind, though of the same id
    status_mark(device_id=1, status=3, now=now)
    assert told(case)
    days = timedelta(days=settings.TRACING_CASE_DAYS)

    expire(now + days - timedelta(minutes=1))
    assert Case.objects.filter(pk=case.pk).exists()
    expire(now + days + timedelta(minutes=1))

    assert list(Case.objects.values_list("pk", flat=True)) == [other.pk]
    assert not Exposure.objects.exists()
    assert not Delivery.objects.exists()
    assert not Attempt.objects.exists()
    assert Notification.objects.count() == 1
    assert not CaseSearch.objects.filter(case_id=case.pk).exists()


def test_what_an_audit_remembers_of_notices_ends_with_them(
    now: datetime,
    make_filter: Callable[..., Filter],
    meet: Callable[..., None],
    infect: Callable[..., Case],
    settings: Settings,
) -> None:
    make_filter()
    Device.objects.create(pk=2, push_token="token-2")
    meet(1, 2, hours_ago=2)
    infect(1, now)
    status_mark(device_id=1, status=3, now=now)
    day = moment_of(Delivery.objects.first().pk).date()
    for each in (day, day - timedelta(days=1)):
        AuditedDay.objects.create(day=each, alerts=0, counts=[["sent", "", 1]])
    expire(now + timedelta(days=settings.TRACING_CASE_DAYS, minutes=1))
    assert not Delivery.objects.exists()
    assert [each.day for each in AuditedDay.objects.all()] == [day - timedelta(days=1)]


def test_a_run_that_is_cut_in_the_middle_of_a_case_goes_on_where_it_was(
    now: datetime,
    make_filter: Callable[..., Filter],
    meet: Callable[..., None],
    infect: Callable[..., Case],
    settings: Settings,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    make_filter()
    for other in range(2, 7):
        Device.objects.create(pk=other, push_token=f"token-{other}")
        meet(1, other, hours_ago=2)
    case = infect(1, now)
    status_mark(device_id=1, status=3, now=now)
    assert len(told(case)) == 5
    later = now + timedelta(days=settings.TRACING_CASE_DAYS, minutes=1)
    monkeypatch.setattr(slices, "MOST", 2)
    monkeypatch.setattr(notices, "AT_ONCE", 2)
    left = [Notification.objects.count()]
    while Case.objects.exists() and len(left) < 20:
        cases_expire(Run(now=later, for_s=0))
        left.append(Notification.objects.count())
    assert left[:4] == [5, 3, 1, 0]
    assert [model.objects.count() for model in (Exposure, Delivery, Case)] == [0, 0, 0]


def test_a_case_that_nobody_closes_is_closed_for_its_age_and_then_deleted(
    now: datetime, infect: Callable[..., Case], settings: Settings
) -> None:
    case = infect(1, now)
    open_for = timedelta(days=settings.TRACING_CASE_OPEN_DAYS, minutes=1)
    expire(now + open_for - timedelta(minutes=2))
    case.refresh_from_db()
    assert case.state == "open"
    expire(now + open_for)
    case.refresh_from_db()
    assert case.state == "too_old"
    assert told(case) == []  # it is not healed, so it is not told that it is

    kept_for = timedelta(days=settings.TRACING_CASE_DAYS, minutes=1)
    expire(now + open_for + kept_for - timedelta(minutes=2))
    assert (Case.objects.count(), StatusMark.objects.count()) == (1, 1)
    expire(now + open_for + kept_for)
    assert not Case.objects.exists()
    assert not StatusMark.objects.exists()


def test_who_read_what_is_kept_longer_than_the_cases_and_not_for_ever(
    operator: User, now: datetime, settings: Settings
) -> None:
    CaseReading.objects.create(what="list", user=operator, read_at=now)
    expire(now + timedelta(days=settings.TRACING_READING_DAYS - 1))
    assert CaseReading.objects.exists()
    expire(now + timedelta(days=settings.TRACING_READING_DAYS + 1))
    assert not CaseReading.objects.exists()


def test_low_counts_are_hidden_and_do_not_follow_from_the_others(settings: Settings) -> None:
    settings.TRACING_MIN_COUNT = 5
    assert [shown(count) for count in (0, 4, 5)] == [None, None, 5]
    assert shown_parts({1: 20, 2: 30}) == {1: 20, 2: 30}
    assert shown_parts({1: 20, 2: 3, 3: 30}) == {1: None, 2: None, 3: 30}  # else 3 = sum - 20 - 30
    assert shown_parts({1: 20, 2: 3, 3: 4}) == {1: 20, 2: None, 3: None}
    assert shown_parts({1: 3}) == {1: None}


def test_what_if_counts_the_last_cases_hides_what_is_low_and_writes_nothing(
    now: datetime,
    as_machine: Callable[..., APIClient],
    make_filter: Callable[..., Filter],
    meet: Callable[..., None],
    infect: Callable[..., Case],
) -> None:
    planned = make_filter("planned", is_active=False, rounds=2, time_min_s=300)
    for other in range(10, 16):
        meet(1, other, hours_ago=3, seconds=400)
    meet(10, 20, hours_ago=2, seconds=400)
    meet(7, 8, hours_ago=2, seconds=400)
    infect(7, now - timedelta(days=1))
    infect(1, now)
    virologist = as_machine("tracing:filters")
    url = f"/api/v1/tracing/filters/{planned.pk}/what-if/"

    assert virologist.get(f"{url}?cases=1").json() == {
        "cases": 1,
        "told": 7,
        "by_degree": [{"degree": 1, "told": None}, {"degree": 2, "told": None}],
    }
    assert what_if(planned, cases=20, now=now).told == 8
    for query in ("cases=0", "cases=x", "cases=501", "case=1"):
        assert virologist.get(f"{url}?{query}").status_code == 400, query
    assert not Exposure.objects.exists()
    assert not Notification.objects.filter(source_type="tracing_case").exists()
    assert virologist.get("/api/v1/tracing/cases/").status_code == 403
