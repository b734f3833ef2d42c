"""Who is told, of what, in which words: once per case, filter and status."""

from collections.abc import Callable
from datetime import datetime, timedelta

import pytest
from pytest_django import DjangoAssertNumQueries, Settings
from rest_framework.test import APIClient

from notifications.models import Notification
from tests.tracing.looking import told
from tracing.models import Case, Device, DeviceContact, Exposure, Filter
from tracing.services import searches
from tracing.services.notices import warning_level
from tracing.services.statuses import status_mark

pytestmark = pytest.mark.django_db


def device(number: int, **fields: str) -> Device:
    return Device.objects.create(
        pk=number, **{"push_token": f"token-{number}", "platform": "android", **fields}
    )


def test_an_exposed_device_is_told_by_push_in_its_own_language(
    now: datetime,
    make_filter: Callable[..., Filter],
    meet: Callable[..., None],
    infect: Callable[..., Case],
    settings: Settings,
) -> None:
    settings.TRACING_LINK = "https://example.com/{language}/{status}"
    make_filter(status=2)
    meet(1, 2, hours_ago=2)
    meet(1, 3, hours_ago=3)
    device(2, language="fr")
    device(3, language="de", platform="ios")  # there is no German text

    french, german = told(infect(1, now))

    assert (french.channel, french.address, french.language) == ("push", "token-2", "fr")
    assert french.notification.data == {
        "push": {
            "status": "2",
            "warning_level": "2",
            "title": "Vous étiez près",
            "message": "Restez chez vous.",
            "link": "https://example.com/fr/2",
            "language": "fr",
        },
        "platform": "android",
    }
    assert german.notification.data["push"]["title"] == "You were near"
    assert german.notification.data["platform"] == "ios"
    assert german.language == "en"


@pytest.mark.parametrize(("status", "level"), [(0, 0), (1, 4), (2, 2), (3, 1), (4, 3), (5, 3), (6, 3)])
def test_the_warning_level_follows_the_status(status: int, level: int) -> None:
    assert warning_level(status) == level


def test_a_device_without_an_address_is_recorded_and_told_once_it_has_one(
    now: datetime,
    make_filter: Callable[..., Filter],
    meet: Callable[..., None],
    infect: Callable[..., Case],
    as_machine: Callable[..., APIClient],
) -> None:
    make_filter()
    meet(1, 2, hours_ago=2)
    case = infect(1, now)
    assert told(case) == []
    assert Exposure.objects.get().told_at is None

    phone = as_machine("tracing:write")
    body = {"push_token": "token-2", "platform": "ios", "contacts": []}
    answers = [phone.put("/api/v1/tracing/devices/2/", body) for _ in range(2)]

    assert [each.status_code for each in answers] == [201, 200]
    assert "token" not in str(answers[0].json().get("push_token", ""))
    assert [each.address for each in told(case)] == ["token-2"]


def test_other_addresses_of_a_device_are_told_too(
    now: datetime, make_filter: Callable[..., Filter], meet: Callable[..., None], infect: Callable[..., Case]
) -> None:
    make_filter()
    meet(1, 2, hours_ago=2)
    DeviceContact.objects.create(device=device(2), channel="email", address="ana@example.com")
    # An address that its channel takes no more holds up neither the other one nor anybody else.
    DeviceContact.objects.create(device=Device.objects.get(pk=2), channel="email", address="nobody")

    by_mail, by_push = told(infect(1, now))

    assert (by_mail.channel, by_push.channel) == ("email", "push")
    assert by_mail.notification.body == "Stay at home.\n\nMore about it."


def test_bad_contacts_of_a_device_are_refused(as_machine: Callable[..., APIClient]) -> None:
    phone = as_machine("tracing:write")
    for contact in (
        {"channel": "email", "address": "x"},
        {"channel": "inbox", "address": "x"},
        {"channel": "email"},
    ):
        answer = phone.put("/api/v1/tracing/devices/2/", {"contacts": [contact]})
        assert answer.status_code == 400, contact
    assert phone.put(f"/api/v1/tracing/devices/{2**31}/", {}).status_code == 404
    assert not Device.objects.exists()


def test_each_filter_tells_for_itself_and_searching_again_tells_nobody_twice(
    now: datetime, make_filter: Callable[..., Filter], meet: Callable[..., None], infect: Callable[..., Case]
) -> None:
    make_filter("near", status=2)
    make_filter("longer", status=5, time_min_s=1000)
    make_filter("inactive", is_active=False)
    meet(1, 2, hours_ago=2)
    device(2)
    case = infect(1, now)
    assert {each.notification.data["push"]["status"] for each in told(case)} == {"2", "5"}

    case.searches.update(searched_at=None, ingested_to=None)
    searches.pending_run(now=now)
    # Not even where the exposure itself is not known any more.
    Exposure.objects.all().delete()
    case.searches.update(searched_at=None, ingested_to=None)
    searches.pending_run(now=now)

    assert len(told(case)) == 2
    assert Exposure.objects.count() == 2


def test_the_healed_device_is_told_that_it_is(
    now: datetime, make_filter: Callable[..., Filter], meet: Callable[..., None], infect: Callable[..., Case]
) -> None:
    make_filter()
    device(1, language="fr")
    case = infect(1, now)
    assert told(case) == []

    for _ in range(2):
        status_mark(device_id=1, status=3, now=now + timedelta(hours=1))

    (notice,) = told(case)
    assert notice.address == "token-1"
    assert notice.notification.data["push"]["status"] == "3"
    assert notice.notification.data["push"]["warning_level"] == "1"
    assert notice.notification.data["push"]["title"] == "Vous êtes déclaré guéri"


def test_telling_many_takes_as_many_queries_as_telling_a_few(
    now: datetime,
    make_filter: Callable[..., Filter],
    meet: Callable[..., None],
    django_assert_max_num_queries: DjangoAssertNumQueries,
) -> None:
    make_filter()
    for other in range(2, 32):
        meet(1, other, hours_ago=2)
        device(other)
    status_mark(device_id=1, status=1, now=now)

    with django_assert_max_num_queries(27):
        searches.pending_run(now=now)

    assert Notification.objects.filter(kind="tracing.exposure").count() == 30
