"""What was sent to one of one's contact points: for its owner alone, with each attempt."""

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from django.test import Client

from accounts.models import User
from config import clock
from notifications.models import AttemptRow, ContactPoint, Delivery
from notifications.web.views.points import MOST_SHOWN
from tests.factories import ContactPointFactory, NotificationFactory
from tests.queued import stored

Browse = Callable[..., Client]


@pytest.fixture
def point(owner: User) -> ContactPoint:
    return ContactPointFactory(user=owner)  # type: ignore[no-any-return]


def sent(point: ContactPoint, title: str, *, status: str = "sent", reason: str = "") -> Delivery:
    now = clock.now()
    made = Delivery(
        notification=NotificationFactory(title=title), user=point.user, contact_point=point,
        channel=point.channel, address=point.address, due_at=now, expires_at=now + timedelta(days=1),
        status=status, reason=reason,
    )  # fmt: skip
    return stored([made])[0]


def attempt(delivery: Delivery, number: int, **fields: Any) -> None:
    values = {"started_at": clock.now(), "duration_ms": 87.4, "outcome": "unavailable", **fields}
    AttemptRow.objects.create(delivery=delivery, number=number, **values)


def shown(browse: Browse, point: ContactPoint) -> str:
    answer = browse(point.user).get(f"/settings/points/{point.pk}/")
    assert answer.status_code == 200
    return " ".join(answer.content.decode().split())


def test_each_attempt_is_there_with_its_answer(browse: Browse, point: ContactPoint) -> None:
    theft = sent(point, "Theft", status="failed", reason="exhausted")
    attempt(theft, 1, status_code=503, error="Service Unavailable")
    attempt(theft, 2, status_code=410, outcome="rejected")
    page = shown(browse, point)
    assert "Theft" in page
    assert "<td>87&nbsp;ms</td><td>Failed, may pass</td><td>503</td><td>Service Unavailable</td>" in page
    assert "<td>Refused for good</td><td>410</td><td>–</td>" in page
    assert page.index("503") < page.index("410")
    assert str(theft.pk) in page


def test_what_went_elsewhere_is_not(browse: Browse, point: ContactPoint, stranger: User) -> None:
    sent(ContactPointFactory(user=point.user), "By another of theirs")
    sent(ContactPointFactory(user=stranger), "To another person")
    page = shown(browse, point)
    assert "Nothing was sent there lately." in page
    assert "another" not in page


def test_nobody_else_sees_it(browse: Browse, point: ContactPoint, stranger: User, operator: User) -> None:
    for person in (stranger, operator):
        assert browse(person).get(f"/settings/points/{point.pk}/").status_code == 404


def test_the_newest_are_shown_with_as_many_queries_for_many(
    browse: Browse, point: ContactPoint, django_assert_max_num_queries: Any
) -> None:
    for number in range(MOST_SHOWN + 1):
        attempt(sent(point, f"Alert {number:03}"), 1)
    client = browse(point.user)
    with django_assert_max_num_queries(16):
        page = client.get(f"/settings/points/{point.pk}/").content.decode()
    assert "Alert 000" not in page
    assert page.index("Alert 050") < page.index("Alert 001")


def test_the_preferences_lead_there(browse: Browse, point: ContactPoint) -> None:
    assert f'href="/settings/points/{point.pk}/"' in browse(point.user).get("/preferences/").content.decode()
