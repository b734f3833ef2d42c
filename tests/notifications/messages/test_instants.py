"""Times in texts are told by their reader's clock."""

from collections.abc import Callable
from datetime import UTC, datetime

import pytest
from django.test import Client
from rest_framework.test import APIClient

from accounts.models import Shop, User
from config import clock
from notifications.engine.fanout import alert_fan_out
from notifications.messages.instants import by_clock_of
from tests.factories import AlertFactory, ContactPointFactory

AT = datetime(2026, 3, 29, 0, 59, 20, tzinfo=UTC)


@pytest.mark.parametrize(
    ("text", "zone", "told"),
    [
        (
            "Spotted at 2026-11-29 15:00:20 UTC.",
            "Europe/Paris",
            "Spotted at 2026-11-29 16:00:20 (Europe/Paris).",
        ),
        ("le 29/11/2026 à 23:30 UTC.", "Europe/Paris", "le 30/11/2026 à 00:30 (Europe/Paris)."),
        ("on 2026-01-01 at 00:00 UTC,", "America/New_York", "on 2025-12-31 at 19:00 (America/New_York),"),
        ("2026-11-29 15:00 UTC", "UTC", "2026-11-29 15:00 UTC"),
        ("2026-11-29 15:00 UTC", "Mars/Olympus", "2026-11-29 15:00 (UTC)"),
        ("2026-02-30 15:00 UTC", "Europe/Paris", "2026-02-30 15:00 UTC"),
        ("0001-01-01 00:00 UTC", "America/New_York", "0001-01-01 00:00 UTC"),
        ("9999-12-31 23:59 UTC", "Asia/Tokyo", "9999-12-31 23:59 UTC"),
        ("12026-11-29 15:00 UTC", "Europe/Paris", "12026-11-29 15:00 UTC"),
    ],
)
def test_a_time_that_says_utc_is_told_by_the_clocks_of_a_zone(text: str, zone: str, told: str) -> None:
    assert by_clock_of(zone, text) == (told,)


@pytest.fixture
def paris(owner: User) -> User:
    User.objects.filter(pk=owner.pk).update(time_zone="Europe/Paris")
    owner.refresh_from_db()
    return owner


@pytest.mark.django_db
def test_the_inbox_says_one_time_in_api_page_and_stream(
    paris: User, shop: Shop, as_user: Callable[[User], APIClient]
) -> None:
    ContactPointFactory(user=paris, channel="inbox", address="")
    alert = AlertFactory(shop=shop, time_spotted=AT, received_at=clock.now())
    alert_fan_out(alert.pk)
    here = "Spotted at 2026-03-29 01:59:20 (Europe/Paris)."
    client = as_user(paris)
    (item,) = client.get("/api/v1/inbox/").json()["results"]
    assert item["body"] == here
    assert client.get(f"/api/v1/inbox/{item['id']}/").json()["body"] == here
    assert client.patch(f"/api/v1/inbox/{item['id']}/", {"read": True}).json()["body"] == here
    browser = Client(headers={"accept": "text/html"})
    browser.force_login(paris)
    assert here in browser.get("/inbox/").content.decode()
