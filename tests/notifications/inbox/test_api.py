"""SPEC 3.5: a person's own inbox over REST."""

import uuid
from collections.abc import Callable
from typing import Any
from urllib.parse import quote

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.utils import timezone
from rest_framework.test import APIClient

from accounts.models import User
from notifications.inbox import look, selectors, services
from notifications.models import Delivery, Inbox, InboxItem
from tests.factories import ContactPointFactory, NotificationFactory, SentToInboxFactory
from tests.notifications.inbox.conftest import MakeItem

LogIn = Callable[[User], APIClient]
PATH = "/api/v1/inbox/"


def get(client: APIClient, path: str = PATH) -> Any:
    response = client.get(path)
    assert response.status_code == 200, response.content
    return response.json()


def numbers(client: APIClient, path: str = PATH) -> list[int]:
    return [each["number"] for each in get(client, path)["results"]]


def unread(client: APIClient) -> int:
    return get(client, f"{PATH}unread/")["unread"]


def filled(make_item: MakeItem, user: User, count: int, *, read: tuple[int, ...] = ()) -> list[InboxItem]:
    return [
        make_item(user, read_at=timezone.now() if number in read else None) for number in range(1, count + 1)
    ]


# --- The list -----------------------------------------------------------------------------------------------


def test_unread_ones_come_first_then_the_newest(as_user: LogIn, owner: User, make_item: MakeItem) -> None:
    filled(make_item, owner, 6, read=(2, 5, 6))
    assert numbers(as_user(owner)) == [4, 3, 1, 6, 5, 2]


def test_an_item_says_what_was_told(as_user: LogIn, owner: User, make_item: MakeItem) -> None:
    told = {"kind": "stage.accepted", "title": "Accepted", "body": "Well done.", "data": {"stage": "S1"}}
    made = make_item(owner, told=told)
    (item,) = get(as_user(owner))["results"]
    assert item == {
        "id": str(made.pk),
        "number": 1,
        "kind": "stage.accepted",
        "title": "Accepted",
        "body": "Well done.",
        "data": {"stage": "S1"},
        "severity": "standard",
        "created_at": made.created_at.isoformat().replace("+00:00", "Z"),
        "read_at": None,
    }
    assert get(as_user(owner), f"{PATH}{made.pk}/") == item


def test_an_item_is_in_the_language_that_its_person_had(
    as_user: LogIn, owner: User, make_item: MakeItem
) -> None:
    texts = {"fr": {"": ["Accepté", "Bravo."], "inbox": ["Accepté !", "Bravo !"]}}
    told = {"title": "Accepted", "body": "Well done.", "texts": texts}
    for language in ("fr", "en", "de"):
        make_item(owner, language=language, told=told)
    assert [(each["title"], each["body"]) for each in get(as_user(owner))["results"]] == [
        ("Accepted", "Well done."),
        ("Accepted", "Well done."),
        ("Accepté !", "Bravo !"),
    ]


def test_only_what_was_sent_to_the_inbox_is_in_it(as_user: LogIn, owner: User, make_item: MakeItem) -> None:
    make_item(owner)
    SentToInboxFactory(user=owner, status="suppressed", reason="level", sent_at=None)
    make_item(owner, dismissed_at=timezone.now())
    now = timezone.now()
    point = ContactPointFactory(user=owner)
    Delivery.objects.create(
        notification=NotificationFactory(),
        user=owner,
        contact_point=point,
        channel="webhook",
        status="sent",
        due_at=now,
        expires_at=now,
    )
    assert numbers(as_user(owner)) == [1]
    assert unread(as_user(owner)) == 1


def test_the_list_can_be_narrowed_down(as_user: LogIn, owner: User, make_item: MakeItem) -> None:
    make_item(owner, told={"kind": "alert"}, read_at=timezone.now())
    make_item(owner, told={"kind": "welcome"})
    make_item(owner, told={"kind": "alert"})
    client = as_user(owner)
    assert numbers(client, f"{PATH}?unread=true") == [3, 2]
    assert numbers(client, f"{PATH}?unread=false") == [1]
    assert numbers(client, f"{PATH}?kind=alert") == [3, 1]
    assert numbers(client, f"{PATH}?kind=alert&unread=true") == [3]
    assert numbers(client, f"{PATH}?kind=aler") == []


@pytest.mark.slow
@pytest.mark.parametrize(
    "query",
    [
        "unread=yes", "unread=", "unread=True", "kind=", "kind=%00", "kind=" + "x" * 65, "red=true",
        "page_size=0", "page_size=201", "cursor=", "cursor=%00", "cursor=x", "cursor=MS4wLjEuMA==.",
        "cursor=MS4wLjEuMg", "cursor=MS4yLjEuMA", "cursor=MS4wLjEuMC4w", "cursor=" + quote("²¹"),
        "cursor=OTk5OTk5OTk5OTk5OTk5OTk5OTkuMC4xLjA", "cursor=MS4wLjkyMjMzNzIwMzY4NTQ3NzU4MDguMA",
    ],
)  # fmt: skip
def test_a_bad_query_is_refused(as_user: LogIn, owner: User, query: str) -> None:
    refused = as_user(owner).get(f"{PATH}?{query}")
    assert refused.status_code == 400
    assert list(refused.json()) == [query.partition("=")[0]]


# --- Pages --------------------------------------------------------------------------------------------------


def walk(
    client: APIClient, query: str = "page_size=2", between: Callable[[int], None] = lambda page: None
) -> list[int]:
    """Follow the next links to the end; returns the numbers in order."""
    path, seen, page = f"{PATH}?{query}", [], 0
    while path:
        answer = get(client, path)
        seen += [each["number"] for each in answer["results"]]
        page += 1
        between(page)
        path = answer["next"]
    return seen


@pytest.mark.slow
@pytest.mark.parametrize("read", [(), (1, 4, 7), (1, 2, 3, 4, 5, 6, 7)])
@pytest.mark.parametrize("size", [1, 2, 3, 7, 8])
def test_pages_show_everything_once(
    as_user: LogIn, owner: User, make_item: MakeItem, size: int, read: tuple[int, ...]
) -> None:
    filled(make_item, owner, 7, read=read)
    expected = [n for n in range(7, 0, -1) if n not in read] + [n for n in range(7, 0, -1) if n in read]
    assert walk(as_user(owner), f"page_size={size}") == expected


@pytest.mark.slow
@pytest.mark.parametrize("size", [1, 2, 3, 7])
def test_pages_lead_back_too(as_user: LogIn, owner: User, make_item: MakeItem, size: int) -> None:
    filled(make_item, owner, 7, read=(1, 4, 7))
    client, path, pages = as_user(owner), f"{PATH}?page_size={size}", []
    while path:
        answer = get(client, path)
        pages.append([each["number"] for each in answer["results"]])
        last, path = answer, answer["next"]
    back, path = [pages[-1]], last["previous"]
    while path:
        answer = get(client, path)
        back.append([each["number"] for each in answer["results"]])
        assert answer["next"] is not None
        path = answer["previous"]
    assert back == pages[::-1]


def test_what_arrives_between_pages_moves_nothing(as_user: LogIn, owner: User, make_item: MakeItem) -> None:
    filled(make_item, owner, 7, read=(1, 4, 7))
    seen = walk(as_user(owner), between=lambda page: make_item(owner))
    assert seen == [6, 5, 3, 2, 7, 4, 1]


def test_what_was_shown_and_then_read_is_not_shown_again(
    as_user: LogIn, owner: User, make_item: MakeItem
) -> None:
    made = filled(make_item, owner, 7, read=(1, 4, 7))
    client = as_user(owner)

    def read_what_was_shown(page: int) -> None:
        for number in {1: (6, 5), 2: (3, 2)}.get(page, ()):
            assert client.patch(f"{PATH}{made[number - 1].pk}/", {"read": True}).status_code == 200

    assert walk(client, between=read_what_was_shown) == [6, 5, 3, 2, 7, 4, 1]


@pytest.mark.slow
@pytest.mark.parametrize("moment", [1, 2, 3])
def test_what_is_read_before_it_was_shown_is_shown_all_the_same(
    as_user: LogIn, owner: User, make_item: MakeItem, moment: int
) -> None:
    filled(make_item, owner, 9, read=(1, 4, 7))
    client = as_user(owner)

    def read_everything(page: int) -> None:
        if page == moment:
            client.post(f"{PATH}read/", {"up_to": 9})

    assert walk(client, between=read_everything) == [9, 8, 6, 5, 3, 2, 7, 4, 1]


def test_deleted_ones_leave_no_hole(as_user: LogIn, owner: User, make_item: MakeItem) -> None:
    made = filled(make_item, owner, 7)
    client = as_user(owner)

    def delete_the_last_shown(page: int) -> None:
        client.delete(f"{PATH}{made[7 - 2 * page].pk}/")

    assert walk(client, between=delete_the_last_shown) == [7, 6, 5, 4, 3, 2, 1]


def test_an_empty_inbox_has_one_empty_page(as_user: LogIn, owner: User) -> None:
    assert get(as_user(owner)) == {"next": None, "previous": None, "results": []}


def test_the_way_back_from_an_emptied_end(as_user: LogIn, owner: User, make_item: MakeItem) -> None:
    made = filled(make_item, owner, 3)
    client = as_user(owner)
    following = get(client, f"{PATH}?page_size=2")["next"]
    client.delete(f"{PATH}{made[0].pk}/")
    end = get(client, following)
    assert (end["results"], end["next"]) == ([], None)
    assert numbers(client, end["previous"]) == [3, 2]


# --- Reading and deleting -----------------------------------------------------------------------------------


def test_one_is_marked_read_and_unread(as_user: LogIn, owner: User, make_item: MakeItem) -> None:
    item, _ = make_item(owner), make_item(owner)
    client, path = as_user(owner), f"{PATH}{item.pk}/"
    first = client.patch(path, {"read": True}).json()
    assert first["read_at"]
    assert unread(client) == 1
    assert client.patch(path, {"read": True}).json()["read_at"] == first["read_at"], "the first time counts"
    assert client.patch(path, {"read": False}).json()["read_at"] is None
    assert client.patch(path, {"read": False}).status_code == 200
    assert unread(client) == 2


@pytest.mark.slow
@pytest.mark.parametrize("body", [{}, {"read": "true"}, {"read": 1}, {"read": None}, [], "read"])
def test_a_bad_mark_changes_nothing(as_user: LogIn, owner: User, make_item: MakeItem, body: Any) -> None:
    item, client = make_item(owner), as_user(owner)
    assert client.patch(f"{PATH}{item.pk}/", body).status_code == 400
    assert unread(client) == 1


def test_all_are_marked_read_but_what_came_since(as_user: LogIn, owner: User, make_item: MakeItem) -> None:
    filled(make_item, owner, 4, read=(2,))
    client = as_user(owner)
    make_item(owner)
    answer = client.post(f"{PATH}read/", {"up_to": 4})
    assert (answer.status_code, answer.json()) == (200, {"marked": 3, "unread": 1})
    assert numbers(client, f"{PATH}?unread=true") == [5]
    assert client.post(f"{PATH}read/", {"up_to": 4.0}).json() == {"marked": 0, "unread": 1}


@pytest.mark.slow
@pytest.mark.parametrize("up_to", [None, "4", True, -1, 1.5, 2**63, 1e300, [4]])
def test_a_bad_number_marks_nothing(as_user: LogIn, owner: User, make_item: MakeItem, up_to: Any) -> None:
    make_item(owner)
    client = as_user(owner)
    refused = client.post(f"{PATH}read/", {"up_to": up_to})
    assert (refused.status_code, list(refused.json())) == (400, ["up_to"])
    assert client.post(f"{PATH}read/", {}).status_code == 400
    assert unread(client) == 1


def test_a_deleted_item_is_gone_but_stays_on_record(
    as_user: LogIn, owner: User, operator: User, make_item: MakeItem
) -> None:
    item, client = make_item(owner), as_user(owner)
    assert client.delete(f"{PATH}{item.pk}/").status_code == 204
    assert numbers(client) == []
    assert unread(client) == 0
    for method in (client.get, client.patch, client.delete):
        assert method(f"{PATH}{item.pk}/").status_code == 404
    recorded = as_user(operator).get(f"/api/v1/deliveries/{item.pk}/").json()
    assert (recorded["status"], recorded["channel"]) == ("sent", "inbox")


def test_all_read_ones_are_deleted_together(as_user: LogIn, owner: User, make_item: MakeItem) -> None:
    filled(make_item, owner, 4, read=(1, 3))
    client = as_user(owner)
    answer = client.delete(f"{PATH}read/")
    assert (answer.status_code, answer.json()) == (200, {"deleted": 2})
    assert numbers(client) == [4, 2]
    assert Delivery.objects.count() == 4


# --- Who may ------------------------------------------------------------------------------------------------


def test_nobody_else_sees_or_changes_it(
    as_user: LogIn, owner: User, teammate: User, operator: User, make_item: MakeItem
) -> None:
    item = make_item(owner)
    for other in (teammate, operator):  # not even staff
        client = as_user(other)
        assert numbers(client) == []
        assert unread(client) == 0
        assert client.get(f"{PATH}{item.pk}/").status_code == 404
        assert client.patch(f"{PATH}{item.pk}/", {"read": True}).status_code == 404
        assert client.delete(f"{PATH}{item.pk}/").status_code == 404
        assert client.post(f"{PATH}read/", {"up_to": 1}).json()["marked"] == 0
        make_item(other, read_at=timezone.now())
        assert client.delete(f"{PATH}read/").json() == {"deleted": 1}
    item.refresh_from_db()
    assert (item.read_at, item.dismissed_at) == (None, None)
    assert as_user(owner).get(f"{PATH}{uuid.uuid4()}/").status_code == 404


def test_machines_and_the_anonymous_have_no_inbox(
    as_machine: Callable[..., APIClient], anonymous: APIClient, owner: User, make_item: MakeItem
) -> None:
    item = make_item(owner)
    for path, method in [
        (PATH, "get"), (f"{PATH}unread/", "get"), (f"{PATH}read/", "post"), (f"{PATH}read/", "delete"),
        (f"{PATH}{item.pk}/", "get"), (f"{PATH}{item.pk}/", "patch"), (f"{PATH}{item.pk}/", "delete"),
        (f"{PATH}stream/", "get"),
    ]:  # fmt: skip
        assert getattr(as_machine("deliveries:read"), method)(path).status_code == 403, path
        assert getattr(anonymous, method)(path).status_code == 401, path


# --- What it costs ------------------------------------------------------------------------------------------


def test_listing_takes_the_same_number_of_queries_for_any_number(
    as_user: LogIn, owner: User, make_item: MakeItem, django_assert_num_queries: Any
) -> None:
    client = as_user(owner)
    filled(make_item, owner, 12, read=(1, 2, 3))
    with django_assert_num_queries(3):  # the session, the person, and the page
        following = get(client, f"{PATH}?page_size=5")["next"]
    with django_assert_num_queries(3):
        get(client, following)
    with django_assert_num_queries(3):
        unread(client)


@pytest.fixture
def full(transactional_db: None, owner: User, stranger: User) -> User:
    """Somebody with hundreds of items, read and unread; as many are somebody else's."""
    told, now = NotificationFactory(), timezone.now()
    for user in (owner, stranger):
        made = [
            SentToInboxFactory.build(notification=told, user=user, contact_point_id=uuid.uuid4())
            for _ in range(1500)
        ]
        Delivery.objects.bulk_create(made)
        InboxItem.objects.bulk_create(
            InboxItem(delivery=each, user=user, notification=told, number=n, read_at=now if n % 2 else None)
            for n, each in enumerate(made, start=1)
        )
        Inbox.objects.create(user=user, last_number=1500)
    with connection.cursor() as cursor:
        cursor.execute("VACUUM ANALYZE notifications_inboxitem")
        cursor.execute("ANALYZE")
    return owner


@pytest.mark.slow
def test_list_count_and_news_read_the_inbox_by_its_indexes(full: User) -> None:
    client = APIClient()
    client.force_login(full)
    pages = [get(client), get(client, get(client)["next"])]
    assert all(len(page["results"]) == 50 for page in pages)
    with CaptureQueriesContext(connection) as queries:
        get(client, pages[0]["next"])
        list(selectors.newer_than(1400, user=full, most=10))
        unread(client)
    plans = [plan(query["sql"]) for query in queries.captured_queries if "inboxitem" in query["sql"]]
    assert len(plans) == 3
    assert all(
        "inboxitem_unread" in each and "Seq Scan on notifications_inboxitem" not in each for each in plans
    )
    assert all("inboxitem_read" in each for each in plans[:2])
    assert "Index Only Scan using inboxitem_unread" in plans[2]


@pytest.mark.slow
@pytest.mark.parametrize("statement", [look._NEWS, look._STATE], ids=["news", "state"])
def test_streams_count_what_is_unread_by_the_index_alone(full: User, statement: str) -> None:
    parameters = {"people": [full.pk], "after": [1500], "page": look.PAGE}
    with connection.cursor() as cursor:
        assert "Index Only Scan using inboxitem_unread" in plan(cursor.mogrify(statement, parameters))


@pytest.mark.slow
def test_many_are_marked_and_deleted_in_slices(
    full: User, monkeypatch: pytest.MonkeyPatch, django_assert_num_queries: Any
) -> None:
    monkeypatch.setattr(services, "SLICE", 300)
    with django_assert_num_queries(3):
        assert services.items_mark_read(user=full, up_to=1400) == 700
    assert list(selectors.unread_of(full).order_by("number").values_list("number", flat=True)) == list(
        range(1402, 1501, 2)
    )
    with django_assert_num_queries(5):
        assert services.items_delete_read(user=full) == 1450
    assert selectors.inbox_of(full).count() == 50
    assert InboxItem.objects.exclude(user=full).filter(dismissed_at=None).count() == 1500


def plan(sql: str) -> str:
    with connection.cursor() as cursor:
        cursor.execute(f"EXPLAIN {sql}")
        return "\n".join(row[0] for row in cursor.fetchall())
