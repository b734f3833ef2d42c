"""Who is told, of what, in which words: once per case, filter and status."""

from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any

import pytest
from django.conf import settings as settings_of_django
from django.db.models.signals import pre_save
from django.test import Client
from django.urls import reverse
from pytest_django import DjangoAssertNumQueries, Settings
from rest_framework.test import APIClient

from config.slices import Run
from notifications.models import Delivery, Notification
from tests.tracing.looking import told
from tracing.models import Case, CaseReading, Device, DeviceContact, Exposure, Filter
from tracing.services import searches
from tracing.services.notices import warning_level
from tracing.services.retention import cases_close, mark_notices_expire
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


def test_a_device_without_a_language_is_told_in_the_filters_own(
    now: datetime, make_filter: Callable[..., Filter], meet: Callable[..., None], infect: Callable[..., Case]
) -> None:
    make_filter(language="fr")
    meet(1, 2, hours_ago=2)
    device(2)

    (notice,) = told(infect(1, now))

    assert (notice.language, notice.notification.data["push"]["title"]) == ("fr", "Vous étiez près")


def healed_notices() -> list[Delivery]:
    return list(Delivery.objects.filter(notification__kind="tracing.healed").order_by("created_at"))


@pytest.fixture
def health(as_machine: Callable[..., APIClient]) -> APIClient:
    return as_machine("tracing:write")


def mark(health: APIClient, device_id: int, *statuses: int) -> None:
    for status in statuses:
        body = {"device_id": device_id, "status": status}
        assert health.post("/api/v1/tracing/statuses/", body).status_code in (200, 201)


def test_whoever_heals_is_told_though_there_is_no_case_here(health: APIClient) -> None:
    device(1, language="fr")

    mark(health, 1, 3, 3)

    (notice,) = healed_notices()
    assert (notice.address, notice.language) == ("token-1", "fr")
    assert notice.notification.data["push"]["status"] == "3"


def test_whoever_heals_is_told_though_the_case_was_closed_for_its_age(
    health: APIClient, now: datetime, infect: Callable[..., Case]
) -> None:
    device(1)
    case = infect(1, now)
    cases_close(Run(now=now + timedelta(days=settings_of_django.TRACING_CASE_OPEN_DAYS + 1)))

    mark(health, 1, 3)

    assert healed_notices() == told(case)
    assert len(told(case)) == 1


def test_whoever_heals_again_is_told_again(health: APIClient) -> None:
    device(1)

    mark(health, 1, 1, 3, 2, 3, 1, 3)

    assert len(healed_notices()) == 3


def test_the_notice_of_a_healing_without_a_case_is_read_and_kept_as_those_of_cases_are(
    health: APIClient, as_machine: Callable[..., APIClient], now: datetime
) -> None:
    device(1)
    mark(health, 1, 3)

    deliveries = "/api/v1/deliveries/?channel=push"
    assert as_machine("deliveries:read").get(deliveries).json()["results"] == []
    assert not CaseReading.objects.exists()
    assert len(as_machine("deliveries:read", "tracing:read").get(deliveries).json()["results"]) == 1
    assert CaseReading.objects.get().what == "notices"

    days = timedelta(days=settings_of_django.TRACING_CASE_DAYS)
    mark_notices_expire(Run(now=now + days - timedelta(minutes=1)))
    assert len(healed_notices()) == 1
    mark_notices_expire(Run(now=now + days + timedelta(minutes=1)))
    assert healed_notices() == []


def test_a_push_token_or_a_contact_from_the_admin_has_it_told_what_it_was_not_told(
    now: datetime,
    make_filter: Callable[..., Filter],
    meet: Callable[..., None],
    infect: Callable[..., Case],
    admin_client: Client,
) -> None:
    make_filter()
    for other in (2, 3):
        meet(1, other, hours_ago=2)
    Device.objects.create(pk=2)
    case = infect(1, now)
    inline = {"contacts-TOTAL_FORMS": "1", "contacts-INITIAL_FORMS": "0"}

    url = reverse("admin:tracing_device_change", args=[2])
    assert admin_client.post(url, {"new_push_token": "token-2", **inline}).status_code == 302
    assert [each.address for each in told(case)] == ["token-2"]

    contact = {"contacts-0-channel": "email", "contacts-0-address": "ana@example.com"}
    url = reverse("admin:tracing_device_add")
    assert admin_client.post(url, {"id": "3", **inline, **contact}).status_code == 302
    assert [each.address for each in told(case)] == ["ana@example.com", "token-2"]


def test_the_admin_leaves_alone_what_is_said_of_a_device_meanwhile(admin_client: Client) -> None:
    device(2)

    def said_meanwhile(**kwargs: Any) -> None:
        Device.objects.update(status=Device.Status.INFECTED, push_token="newer", language="fr")

    pre_save.connect(said_meanwhile, sender=Device)
    try:
        given = {"contacts-TOTAL_FORMS": "0", "contacts-INITIAL_FORMS": "0", "platform": "ios"}
        url = reverse("admin:tracing_device_change", args=[2])
        assert admin_client.post(url, given).status_code == 302
    finally:
        pre_save.disconnect(said_meanwhile, sender=Device)
    saved = Device.objects.values_list("platform", "status", "push_token", "language").get()
    assert saved == ("ios", 1, "newer", "fr")


@pytest.mark.slow
@pytest.mark.parametrize("channel", ["", "nothing", "inbox", "push"])
def test_a_contact_of_no_channel_for_devices_is_refused_by_the_admin(
    admin_client: Client, channel: str
) -> None:
    device(2)
    contact = {
        "contacts-TOTAL_FORMS": "1",
        "contacts-INITIAL_FORMS": "0",
        "contacts-0-channel": channel,
        "contacts-0-address": "x",
    }
    answer = admin_client.post(reverse("admin:tracing_device_change", args=[2]), contact)
    assert answer.status_code == 200
    assert not DeviceContact.objects.exists()


@pytest.mark.slow
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
