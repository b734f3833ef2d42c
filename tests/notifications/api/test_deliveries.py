"""What people were or were not told and why; replaying and cancelling."""

import uuid
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from django.db import connection
from django.utils import timezone
from rest_framework.test import APIClient

from accounts.models import Shop, User
from notifications.ids import notification_id
from notifications.models import Attempt, Delivery, DeliveryAction
from tests.factories import AlertFactory, InboxItemFactory, NotificationFactory
from tests.queued import end_all

LogIn = Callable[[User], APIClient]
Make = Callable[..., Delivery]
Machine = Callable[..., APIClient]
PATH = "/api/v1/deliveries/"
NONE = {"over": 0, "unreachable": 0, "erased": 0}


def ids(client: APIClient, query: str = "") -> list[str]:
    response = client.get(f"{PATH}{query}")
    assert response.status_code == 200, response.content
    return [each["id"] for each in response.json()["results"]]


def test_they_are_listed_newest_first_in_pages(as_machine: Machine, owner: User, make_delivery: Make) -> None:
    made = [str(make_delivery(owner).pk) for _ in range(5)]
    client, path, seen = as_machine("deliveries:read"), f"{PATH}?page_size=2", []
    while path:
        page = client.get(path).json()
        seen += [each["id"] for each in page["results"]]
        path = page["next"]
    assert seen == made[::-1]


def test_listing_takes_the_same_number_of_queries_for_any_number(
    as_machine: Machine, owner: User, make_delivery: Make, django_assert_num_queries: Any
) -> None:
    client = as_machine("deliveries:read")
    client.get(PATH)
    for _ in range(10):
        make_delivery(owner)
    with django_assert_num_queries(2):  # the key, and the page
        assert len(ids(client)) == 10


def test_a_person_sees_their_own_only(
    as_user: LogIn, owner: User, teammate: User, stranger: User, operator: User, make_delivery: Make
) -> None:
    mine, theirs = make_delivery(owner), make_delivery(teammate)
    assert ids(as_user(owner)) == [str(mine.pk)]
    assert ids(as_user(owner), f"?user={teammate.pk}") == []
    assert ids(as_user(stranger)) == []
    assert ids(as_user(operator)) == [str(theirs.pk), str(mine.pk)]


def test_one_to_an_inbox_says_when_it_was_read(as_machine: Machine, owner: User, make_delivery: Make) -> None:
    client, at = as_machine("deliveries:read"), datetime(2026, 3, 2, 23, 30, tzinfo=UTC)
    for read_at in (None, at):
        InboxItemFactory(user=owner, read_at=read_at)
    make_delivery(owner)
    read = [each["read_at"] for each in client.get(PATH).json()["results"]]
    assert read == [None, "2026-03-02T23:30:00Z", None]


def test_to_a_stranger_it_does_not_exist(
    as_user: LogIn, owner: User, stranger: User, make_delivery: Make
) -> None:
    mine, client = make_delivery(owner, status="failed"), as_user(stranger)
    answers = [
        client.get(f"{PATH}{mine.pk}/"),
        client.post(f"{PATH}{mine.pk}/replay/"),
        client.post(f"{PATH}{mine.pk}/cancel/"),
        client.get(f"{PATH}{uuid.uuid4()}/"),
        client.post(f"{PATH}{uuid.uuid4()}/replay/"),
    ]
    assert [answer.status_code for answer in answers] == [404] * 5
    assert client.post(f"{PATH}replay/", {"ids": [str(mine.pk)]}).status_code == 403
    mine.refresh_from_db()
    assert mine.status == "failed"


def test_people_can_not_replay_or_cancel_their_own(as_user: LogIn, owner: User, make_delivery: Make) -> None:
    mine = make_delivery(owner, status="failed")
    assert as_user(owner).post(f"{PATH}{mine.pk}/replay/").status_code == 403
    assert as_user(owner).post(f"{PATH}{mine.pk}/cancel/").status_code == 403


@pytest.mark.slow
def test_they_can_be_narrowed_down(
    as_machine: Machine, owner: User, teammate: User, shop: Shop, make_delivery: Make
) -> None:
    alert = AlertFactory(shop=shop)
    notification = NotificationFactory(source_id=str(alert.pk))
    old = timezone.now() - timedelta(days=3)
    one = make_delivery(
        owner, id=notification_id(old), notification=notification, status="failed", reason="exhausted",
        created_at=old,
    )  # fmt: skip
    two = make_delivery(teammate, status="suppressed", reason="level")
    client = as_machine("deliveries:read")
    yesterday = (timezone.now() - timedelta(days=1)).strftime("%Y-%m-%dT%H:%M:%SZ")
    for query, expected in [
        (f"user={owner.pk}", [one]),
        (f"alert_uuid={alert.pk}", [one]),
        (f"notification={notification.pk}", [one]),
        (f"shop={shop.slug}", [one]),
        ("shop=nowhere", []),
        ("channel=webhook", [two, one]),
        ("channel=email", []),
        ("status=failed", [one]),
        ("status=failed&status=suppressed", [two, one]),
        ("reason=level", [two]),
        (f"created_after={yesterday}", [two]),
        (f"created_before={yesterday}", [one]),
    ]:
        assert ids(client, f"?{query}") == [str(each.pk) for each in expected], query


def test_a_time_is_compared_with_when_it_was_made_not_with_when_its_fact_was(
    as_machine: Machine, owner: User, make_delivery: Make
) -> None:
    now = timezone.now()
    of_a_fast_camera = make_delivery(owner, id=notification_id(now + timedelta(minutes=1)), created_at=now)
    made_late = make_delivery(owner, id=notification_id(now - timedelta(days=30)), created_at=now)
    client = as_machine("deliveries:read")
    before, after = (f"{now + timedelta(seconds=each):%Y-%m-%dT%H:%M:%SZ}" for each in (-2, 2))
    for query in (f"created_after={before}", f"created_before={after}"):
        assert ids(client, f"?{query}") == [str(of_a_fast_camera.pk), str(made_late.pk)]
    for query in (f"created_after={after}", f"created_before={before}"):
        assert ids(client, f"?{query}") == []


@pytest.mark.parametrize(
    "query",
    [
        "user=x",
        "user=",
        "user=%00",
        "alert_uuid=1",
        "status=lost",
        "channel=%00",
        "reason=%00",
        "created_after=x",
        "stauts=failed",
        "shop=" + "x" * 101,
        "cursor=%00",
        "page_size=-1",
    ],
)
def test_a_bad_query_is_refused(as_machine: Machine, query: str) -> None:
    assert as_machine("deliveries:read").get(f"{PATH}?{query}").status_code == 400


def test_one_delivery_shows_its_attempts_and_says_why(
    as_user: LogIn, owner: User, make_delivery: Make, make_attempt: Callable[..., Attempt]
) -> None:
    mine = make_delivery(owner, status="failed", reason="exhausted", attempts=2)
    make_attempt(mine, 1, status_code=500, error="answered 500")
    make_attempt(mine, 2, error="timed out after 10 s")
    answer = as_user(owner).get(f"{PATH}{mine.pk}/").json()
    assert [(each["number"], each["error"]) for each in answer["attempt_list"]] == [
        (1, "answered 500"),
        (2, "timed out after 10 s"),
    ]
    assert answer["explanation"] == "Failed: every attempt failed; it can be replayed."


def test_one_delivery_takes_these_queries(
    as_machine: Machine, owner: User, make_delivery: Make, django_assert_num_queries: Any
) -> None:
    mine, client = make_delivery(owner), as_machine("deliveries:read")
    client.get(PATH)
    with django_assert_num_queries(3):  # the key, the delivery, its attempts
        client.get(f"{PATH}{mine.pk}/")


@pytest.mark.parametrize("status", ["failed", "expired"])
def test_what_failed_can_be_replayed(
    as_machine: Machine, owner: User, make_delivery: Make, status: str
) -> None:
    mine = make_delivery(owner, status=status, failures=3)
    answer = as_machine("deliveries:write").post(f"{PATH}{mine.pk}/replay/")
    assert (answer.status_code, answer.json()["status"], answer.json()["replays"]) == (200, "pending", 1)


@pytest.mark.slow
@pytest.mark.parametrize("status", ["pending", "sending", "sent", "suppressed", "cancelled"])
def test_nothing_else_can_be_replayed(
    as_user: LogIn, operator: User, owner: User, make_delivery: Make, status: str
) -> None:
    mine = make_delivery(owner, status=status)
    refused = as_user(operator).post(f"{PATH}{mine.pk}/replay/")
    assert refused.status_code == 409
    assert status in refused.json()["detail"]
    assert Delivery.objects.get(pk=mine.pk).state == status


def test_many_are_replayed_by_their_ids(
    as_user: LogIn, operator: User, owner: User, make_delivery: Make
) -> None:
    chosen = [make_delivery(owner, status="failed") for _ in range(3)]
    left, sent = make_delivery(owner, status="failed"), make_delivery(owner, status="sent")
    body = {"ids": [str(each.pk) for each in [*chosen, sent]]}
    answer = as_user(operator).post(f"{PATH}replay/", body)
    assert (answer.status_code, answer.json()) == (200, {"replayed": 3, "left_out": NONE})
    assert set(Delivery.objects.filter(status="failed")) == {left}


def test_many_are_replayed_by_a_filter(
    as_machine: Machine, owner: User, teammate: User, make_delivery: Make
) -> None:
    make_delivery(owner, status="failed")
    left = make_delivery(teammate, status="failed")
    answer = as_machine("deliveries:write").post(
        f"{PATH}replay", {"user": str(owner.pk), "channel": "webhook"}
    )
    assert answer.json() == {"replayed": 1, "left_out": NONE}
    assert set(Delivery.objects.filter(status="failed")) == {left}


@pytest.mark.slow
@pytest.mark.parametrize(
    "body",
    [
        {},
        {"ids": []},
        {"ids": "all"},
        {"ids": [1]},
        {"ids": ["x"]},
        {"ids": None},
        {"user": "x"},
        {"chanel": "webhook"},
        {"channel": "webhook", "usr": "x"},
        {"channel": 1},
        {"channel": "a\x00"},
        {"created_after": "x"},
        {"created_after": "0752-10-05T10:15:54+19:46"},
        {"created_after": 5},
        {"ids": [str(uuid.uuid4())], "channel": "webhook"},
        [],
        None,
        "all",
    ],
)
def test_a_bad_choice_of_many_is_refused_and_replays_nothing(
    as_machine: Machine, owner: User, make_delivery: Make, body: object
) -> None:
    mine = make_delivery(owner, status="failed")
    client = as_machine("deliveries:write")
    assert client.post(f"{PATH}replay/", body).status_code == 400
    mine.refresh_from_db()
    assert mine.status == "failed"


def test_what_is_waiting_can_be_cancelled(as_machine: Machine, owner: User, make_delivery: Make) -> None:
    mine = make_delivery(owner)
    answer = as_machine("deliveries:write").post(f"{PATH}{mine.pk}/cancel/")
    assert (answer.status_code, answer.json()["status"]) == (200, "cancelled")
    assert answer.json()["explanation"] == "Stopped by an operator before it was sent."


def test_what_ends_while_it_is_cancelled_is_not_called_stopped(
    as_machine: Machine, owner: User, make_delivery: Make
) -> None:
    mine, client = make_delivery(owner), as_machine("deliveries:write")
    seen: list[str] = []

    def end_first(execute: Any, sql: str, *rest: Any) -> Any:
        if "FOR UPDATE" in sql and "notifications_outgoing" in sql and not seen:
            seen.append(sql)
            end_all(status="sent")
        return execute(sql, *rest)

    with connection.execute_wrapper(end_first):
        answer = client.post(f"{PATH}{mine.pk}/cancel/")
    assert seen
    assert answer.status_code == 409
    mine.refresh_from_db()
    assert mine.status == "sent"


@pytest.mark.slow
@pytest.mark.parametrize("status", ["sent", "failed", "suppressed", "cancelled", "expired"])
def test_what_has_ended_can_not_be_cancelled(
    as_machine: Machine, owner: User, make_delivery: Make, status: str
) -> None:
    mine = make_delivery(owner, status=status)
    assert as_machine("deliveries:write").post(f"{PATH}{mine.pk}/cancel/").status_code == 409


def test_each_needs_its_scope(as_machine: Machine, owner: User, make_delivery: Make) -> None:
    mine = make_delivery(owner, status="failed")
    assert as_machine("deliveries:write").get(PATH).status_code == 403
    reader = as_machine("deliveries:read", "alerts:write")
    assert reader.post(f"{PATH}{mine.pk}/replay/").status_code == 403
    assert reader.post(f"{PATH}{mine.pk}/cancel/").status_code == 403
    assert reader.post(f"{PATH}replay/", {"ids": [str(mine.pk)]}).status_code == 403


def test_who_replayed_and_cancelled_is_noted(
    as_machine: Machine, as_user: LogIn, operator: User, owner: User, make_delivery: Make
) -> None:
    failed, waiting = make_delivery(owner, status="failed"), make_delivery(owner)
    machine = as_machine("deliveries:write")
    machine.post(f"{PATH}replay/", {"ids": [str(failed.pk)]})
    as_user(operator).post(f"{PATH}{waiting.pk}/cancel/")
    noted = DeliveryAction.objects.order_by("id").values_list("action", "via", "count", "deliveries")
    assert list(noted) == [("replay", "api", 1, [failed.pk]), ("cancel", "api", 1, [waiting.pk])]
    first, second = DeliveryAction.objects.order_by("id")
    assert first.by.startswith("API key ")
    assert second.by == operator.email
