"""The operator sees what became of deliveries and why, replays them and cancels them."""

from collections.abc import Callable
from datetime import UTC, datetime

import pytest
from django.http import HttpResponse
from django.test import Client
from django.utils import timezone

from accounts.models import User
from notifications.models import (
    Attempt,
    Delivery,
    DeliveryAction,
    Outgoing,
)
from tests.factories import (
    AlertFactory,
    InboxItemFactory,
    NotificationFactory,
)
from tests.notifications.admin.desk import Make, url


def test_a_delivery_to_an_inbox_shows_when_it_was_read(desk: Client, owner: User) -> None:
    item = InboxItemFactory(user=owner, read_at=datetime(2026, 3, 2, 23, 30, tzinfo=UTC))
    page = desk.get(url("notifications_delivery_change", item.pk)).content.decode()
    assert "2026-03-02 23:30:00" in page


def test_a_delivery_shows_its_attempts_and_why(
    desk: Client, owner: User, make_delivery: Make, make_attempt: Callable[..., Attempt]
) -> None:
    delivery = make_delivery(owner, status="failed", reason="exhausted", attempts=2)
    make_attempt(delivery, 1, error="answered 500", status_code=500)
    make_attempt(delivery, 2, error="timed out <after> 10 s")
    page = desk.get(url("notifications_delivery_change", delivery.pk)).content.decode()
    for text in (
        "Failed: every attempt failed",
        "answered 500",
        "timed out &lt;after&gt; 10 s",
        owner.email,
        "Replay now",
    ):
        assert text in page
    assert "Cancel it" not in page


@pytest.mark.slow
@pytest.mark.parametrize(
    ("find", "expected"),
    [("alert", 1), ("email", 2), ("user", 2), ("delivery", 1), ("nobody", 0)],
)
def test_deliveries_are_found(
    desk: Client, owner: User, stranger: User, make_delivery: Make, find: str, expected: int
) -> None:
    alert = AlertFactory()
    first = make_delivery(owner, notification=NotificationFactory(source_id=str(alert.pk)))
    make_delivery(owner)
    make_delivery(stranger)
    terms = {"alert": alert.pk, "email": "OWNER@", "user": owner.pk, "delivery": first.pk}
    page = desk.get(url("notifications_delivery_changelist"), {"q": str(terms.get(find, find))})
    assert page.status_code == 200
    assert len(page.context["cl"].result_list) == expected


@pytest.mark.slow
@pytest.mark.parametrize(
    "query",
    [
        "status__exact=failed",
        "channel=webhook",
        "reason=exhausted",
        "created_at__gte=2026-01-01+00%3A00%3A00%2B00%3A00",
    ],
)
def test_deliveries_are_filtered(desk: Client, owner: User, make_delivery: Make, query: str) -> None:
    make_delivery(owner, status="failed", reason="exhausted")
    page = desk.get(f"{url('notifications_delivery_changelist')}?{query}")
    assert len(page.context["cl"].result_list) == 1


@pytest.mark.slow
def test_one_is_replayed_by_its_button(desk: Client, owner: User, make_delivery: Make) -> None:
    delivery = make_delivery(owner, status="failed")
    path = url("notifications_delivery_replay", delivery.pk)
    assert desk.get(path).status_code == 405
    assert b"being tried again now" in desk.post(path, follow=True).content
    delivery.refresh_from_db()
    assert delivery.status == "pending"
    assert b"Only failed or expired" in desk.post(path, follow=True).content


@pytest.mark.slow
def test_one_is_cancelled_by_its_button(desk: Client, owner: User, make_delivery: Make) -> None:
    delivery = make_delivery(owner)
    path = url("notifications_delivery_cancel", delivery.pk)
    assert desk.get(path).status_code == 405
    assert b"Cancelled before" in desk.post(path, follow=True).content
    delivery.refresh_from_db()
    assert (delivery.status, delivery.reason) == ("cancelled", "cancelled_by_operator")
    assert b"Only unsent deliveries" in desk.post(path, follow=True).content


def test_what_is_being_sent_is_not_called_stopped(desk: Client, owner: User, make_delivery: Make) -> None:
    delivery = make_delivery(owner, status="sending", lease_until=timezone.now())
    page = desk.post(url("notifications_delivery_cancel", delivery.pk), follow=True).content
    assert b"Cancelled before" not in page
    assert b"It is being sent right now" in page
    assert Outgoing.objects.get(pk=delivery.pk).revoked_at


@pytest.mark.slow
@pytest.mark.parametrize(
    ("action", "before", "after", "said"),
    [
        ("replay_chosen", "failed", "pending", "2 will be tried again now."),
        ("cancel_chosen", "pending", "cancelled", "2 cancelled before they were sent."),
    ],
)
def test_many_are_replayed_or_cancelled(
    desk: Client, owner: User, make_delivery: Make, action: str, before: str, after: str, said: str
) -> None:
    chosen, left = (
        [make_delivery(owner, status=before) for _ in range(2)],
        make_delivery(owner, status=before),
    )
    path = url("notifications_delivery_changelist")
    posted = {"action": action, "_selected_action": [str(each.pk) for each in chosen]}
    asked = desk.post(path, posted)
    assert "2, to 1 person" in asked.content.decode()
    assert not Delivery.objects.filter(status=after).exists(), "it asks first"
    done = desk.post(path, {**posted, "newest": str(asked.context["newest"])}, follow=True)
    assert said in done.content.decode()
    assert set(Delivery.objects.filter(status=after)) == set(chosen)
    left.refresh_from_db()
    assert left.status == before


@pytest.mark.slow
@pytest.mark.parametrize(
    "page", ["notifications_alert", "notifications_notification", "notifications_delivery"]
)
def test_what_the_engine_wrote_can_not_be_written_by_hand(
    desk: Client, owner: User, make_delivery: Make, page: str
) -> None:
    alert = AlertFactory()
    notification = NotificationFactory(source_id=str(alert.pk))
    delivery = make_delivery(owner, notification=notification, status="sent")
    row = {
        "notifications_alert": alert,
        "notifications_notification": notification,
        "notifications_delivery": delivery,
    }[page]
    assert desk.get(url(f"{page}_change", row.pk)).status_code == 200
    assert desk.post(url(f"{page}_change", row.pk), {"status": "failed"}).status_code == 403
    assert desk.get(url(f"{page}_add")).status_code == 403
    assert desk.post(url(f"{page}_delete", row.pk), {"post": "yes"}).status_code == 403


def all_that_filters_find(desk: Client, **more: str) -> HttpResponse:
    path = f"{url('notifications_delivery_changelist')}?status__exact=failed"
    first = str(Delivery.objects.filter(status="failed").values_list("pk", flat=True)[0])
    posted = {"action": "replay_chosen", "select_across": "1", "_selected_action": [first], **more}
    return desk.post(path, posted, follow=True)


@pytest.mark.slow
def test_select_all_says_how_many_the_filters_find(desk: Client, owner: User, make_delivery: Make) -> None:
    for _ in range(52):
        make_delivery(owner, status="failed")
    make_delivery(owner)
    path = url("notifications_delivery_changelist")
    assert "Select all 52 deliveries" in desk.get(path, {"status__exact": "failed"}).content.decode()
    for query in ({}, {"status__exact": "failed"}):
        assert "9999999999" not in desk.get(path, query).content.decode()


@pytest.mark.slow
def test_replaying_all_asks_first_and_takes_what_it_asked_for(
    desk: Client, owner: User, make_delivery: Make
) -> None:
    for _ in range(52):
        make_delivery(owner, status="failed")
    make_delivery(owner, status="failed", revoked_at=timezone.now())
    asked = all_that_filters_find(desk)
    page = asked.content.decode()
    assert "52, to 1 person" in page
    assert "webhook: 52" in page
    assert "Left out: 1 stopped, or about something that is over." in page
    later = make_delivery(owner, status="failed")
    done = all_that_filters_find(desk, newest=str(asked.context["newest"])).content.decode()
    assert "52 will be tried again now. Left out: 1 stopped" in done
    later.refresh_from_db()
    assert later.status == "failed", "it came after the question"


@pytest.mark.slow
@pytest.mark.parametrize(("what", "before"), [("replay", "failed"), ("cancel", "pending")])
def test_a_delivery_shows_who_replayed_or_cancelled_it(
    desk: Client, owner: User, make_delivery: Make, what: str, before: str
) -> None:
    one, other = make_delivery(owner, status=before), make_delivery(owner, status=before)
    desk.post(url(f"notifications_delivery_{what}", one.pk))
    page = desk.get(url("notifications_delivery_change", one.pk)).content.decode()
    assert "ed by operator@example.com" in page
    history = desk.get(url("notifications_delivery_history", one.pk), follow=True).content.decode()
    assert "operator@example.com" in history
    assert (
        len(
            desk.get(url("notifications_deliveryaction_changelist"), {"q": str(one.pk)})
            .context["cl"]
            .result_list
        )
        == 1
    )
    assert "ed by operator@" not in desk.get(url("notifications_delivery_change", other.pk)).content.decode()


@pytest.mark.slow
def test_many_leave_one_row_of_who_did_it(desk: Client, owner: User, make_delivery: Make) -> None:
    for _ in range(3):
        make_delivery(owner, status="failed")
    asked = all_that_filters_find(desk)
    all_that_filters_find(desk, newest=str(asked.context["newest"]))
    done = DeliveryAction.objects.get()
    assert (done.action, done.by, done.via, done.count) == ("replay", "operator@example.com", "admin", 3)
    assert set(done.deliveries) == set(Delivery.objects.values_list("pk", flat=True))
