"""Once a month, administrators are told the figures of the month before."""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from threading import Barrier
from typing import Any

import pytest
from django.db import connection
from rest_framework.test import APIClient

from accounts.models import Role, User
from config import periodic
from escalation import jobs
from escalation.figures.monthly import month_tell
from escalation.services.processes import process_acknowledge, process_start, process_stop
from notifications.engine.recipients import Recipient
from notifications.models import Delivery, Notification, Subscription
from tests.factories import ContactPointFactory, UserFactory

FEBRUARY = datetime(2026, 2, 28, 23, 59, tzinfo=UTC)
MARCH = datetime(2026, 3, 1, 0, 0, tzinfo=UTC)
APRIL = datetime(2026, 4, 1, 7, tzinfo=UTC)
EVERYWHERE = ("webhook", "sms", "email")


@pytest.fixture
def admin(db: None) -> User:
    """An administrator who can be told in three ways, besides the inbox."""
    return an_admin("admin")


def an_admin(name: str) -> User:
    user = UserFactory(email=f"{name}@example.com", role=Role.ADMIN, is_staff=True)
    addresses = {"webhook": "https://a.example.com/", "sms": "+33611111111", "email": user.email}
    for channel in EVERYWHERE:
        ContactPointFactory(user=user, channel=channel, address=addresses[channel])
    return user


@pytest.fixture
def march(db: None) -> None:
    """Three escalations began in it, each at another place of it; and one each before and after."""
    for number, at in enumerate((FEBRUARY, MARCH, MARCH.replace(day=15), MARCH.replace(day=31), APRIL)):
        to = [Recipient("sms", APRIL, "+33611111111")]
        process = process_start(process_id=f"order {number}", notifications=to, now=at).process
        if number == 1:
            process_acknowledge(process=process, by="Ana", via="web", now=at.replace(minute=2))
        if number == 2:
            process_stop(process_id="order 2", by="Ana", via="web", now=at.replace(minute=10))


def told() -> list[tuple[str, str, str]]:
    deliveries = Delivery.objects.filter(notification__kind="escalation.figures")
    in_order = deliveries.order_by("channel", "user", "notification_id")
    return [(each.user.email, each.channel, each.notification.title) for each in in_order if each.user]


TITLE = "On call in March 2026: 3 incidents, 0 unanswered"


@pytest.mark.slow
def test_administrators_are_told_in_their_inbox_and_by_mail(
    march: None, admin: User, operator: User, owner: User, as_user: Callable[[User], APIClient]
) -> None:
    UserFactory(email="staff@example.com", is_staff=True)
    UserFactory(email="gone@example.com", is_staff=True, role=Role.ADMIN, is_active=False)
    assert month_tell(APRIL)
    assert told() == [
        ("admin@example.com", "email", TITLE),
        *(sorted((user.email, "inbox", TITLE) for user in (admin, operator))),
    ]
    notification = Notification.objects.get(kind="escalation.figures")
    assert notification.body.splitlines()[:4] == [
        "In March 2026, 3 incidents began. 1 was acknowledged, 1 was over before that, 0 went unanswered, "
        "1 is still open.",
        "",
        "Acknowledged after 2 min on average; median 2 min; nine of ten within 2 min.",
        "Resolved (1) after 10 min on average; median 10 min; nine of ten within 10 min.",
    ]
    assert notification.texts["fr"][""][0] == "Astreinte en mars 2026 : 3 incidents, 0 sans réponse"
    (policy,) = notification.data["policies"]
    assert policy == {"name": "No policy", "incidents": 3, "unanswered": 0, "median": "2 min"}
    assert as_user(owner).get("/api/v1/inbox/").json()["results"] == []


@pytest.mark.slow
def test_a_month_is_told_once_and_the_next_one_again(march: None, admin: User) -> None:
    assert [month_tell(APRIL), month_tell(APRIL.replace(day=2)), month_tell(APRIL.replace(day=30))] == [
        True, False, False,
    ]  # fmt: skip
    assert len(told()) == 2
    assert month_tell(APRIL.replace(month=5))
    assert told()[-1][2] == "On call in April 2026: 1 incident, 0 unanswered"


@pytest.mark.slow
@pytest.mark.django_db(transaction=True)
def test_a_month_is_told_once_though_several_do_so_at_once(march: None, admin: User) -> None:
    together = Barrier(4)

    def tell(_: int) -> None:
        try:
            together.wait(10)
            month_tell(APRIL)
        finally:
            connection.close()

    with ThreadPoolExecutor(4) as pool:
        list(pool.map(tell, range(4)))
    assert told() == [("admin@example.com", "email", TITLE), ("admin@example.com", "inbox", TITLE)]
    assert Notification.objects.filter(kind="escalation.figures").count() == 1


@pytest.mark.slow
def test_who_unsubscribed_is_not_told_that_way(march: None, admin: User) -> None:
    Subscription.objects.create(user=admin, channel="email", kind="escalation.*", is_enabled=False)
    another = an_admin("another")
    Subscription.objects.create(user=another, channel="email", kind="escalation.figures", is_enabled=False)
    Subscription.objects.create(user=another, channel="inbox", kind="escalation.figures", is_enabled=False)
    assert month_tell(APRIL)
    assert told() == [("admin@example.com", "inbox", TITLE)]


def test_a_month_in_which_nothing_began_is_not_told(db: None, admin: User) -> None:
    assert not month_tell(APRIL)
    assert told() == []


def test_it_is_looked_at_in_the_first_week_of_a_month(march: None, admin: User, monkeypatch: Any) -> None:
    entries = {each.name: each for each in periodic.entries() if each.job is jobs.figures_tell}
    assert {name: each.cron for name, each in entries.items()} == {"escalation-figures": "0 7 1-7 * *"}
    monkeypatch.setattr("config.clock.now", lambda: APRIL)
    jobs.figures_tell()
    assert len(told()) == 2
