"""Items that are put aside for a while: gone at once, and back on top, unread, when their time has come."""

from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any

import pytest
from django.db import connection
from django.utils import timezone
from rest_framework.test import APIClient

from accounts.models import User
from notifications import jobs
from notifications.inbox import selectors, services, snoozing
from notifications.models import Inbox, InboxItem
from tests import planner
from tests.notifications.inbox.conftest import MakeItem
from tests.notifications.inbox.listening import Listening

LogIn = Callable[[User], APIClient]
PATH = "/api/v1/inbox/"


def in_h(hours: float) -> datetime:
    return timezone.now() + timedelta(hours=hours)


def snooze(client: APIClient, item: InboxItem, until: datetime) -> Any:
    return client.post(f"{PATH}{item.pk}/snooze/", {"until": until.isoformat()})


def ids(client: APIClient, query: str = "") -> list[str]:
    return [each["id"] for each in client.get(f"{PATH}{query}").json()["results"]]


def unread(client: APIClient) -> int:
    return client.get(f"{PATH}unread/").json()["unread"]


def test_what_is_snoozed_leaves_the_inbox_and_comes_back_on_top_unread(
    as_user: LogIn, owner: User, make_item: MakeItem
) -> None:
    first, second, third = (make_item(owner) for _ in range(3))
    client, until = as_user(owner), in_h(1)
    client.patch(f"{PATH}{first.pk}/", {"read": True})
    answer = snooze(client, first, until)
    assert (answer.status_code, answer.json()["id"], answer.json()["number"]) == (200, str(first.pk), 1)
    assert datetime.fromisoformat(answer.json()["snoozed_until"]) == until
    snooze(client, second, in_h(2))
    assert (ids(client), unread(client)) == ([str(third.pk)], 1)
    assert client.get(f"{PATH}{first.pk}/").status_code == 404
    snoozing.items_wake(until - timedelta(seconds=1))
    assert ids(client) == [str(third.pk)]
    snoozing.items_wake(until)
    assert (ids(client), unread(client)) == ([str(first.pk), str(third.pk)], 2)
    back = client.get(f"{PATH}{first.pk}/").json()
    assert (back["number"], back["read_at"]) == (4, None)
    assert Inbox.objects.get(user=owner).last_number == 4


def test_the_sweep_brings_back_what_is_due_once(as_user: LogIn, owner: User, make_item: MakeItem) -> None:
    item = make_item(owner)
    snooze(as_user(owner), item, in_h(1))
    jobs.sweep()
    assert ids(as_user(owner)) == []
    InboxItem.objects.update(snoozed_until=in_h(-1))
    jobs.sweep()
    jobs.sweep()
    assert ids(as_user(owner)) == [str(item.pk)]
    item.refresh_from_db()
    assert item.number == 2


def test_those_of_one_time_come_back_in_the_order_of_their_times(
    as_user: LogIn, owner: User, teammate: User, make_item: MakeItem
) -> None:
    made, others = [make_item(owner) for _ in range(3)], make_item(teammate)
    client = as_user(owner)
    for item, hours in zip(made, (2, 3, 1), strict=True):
        snooze(client, item, in_h(hours))
    snooze(as_user(teammate), others, in_h(1))
    snoozing.items_wake(in_h(4))
    assert ids(client) == [str(made[index].pk) for index in (1, 0, 2)]
    numbers = InboxItem.objects.filter(user=owner).order_by("number").values_list("number", flat=True)
    assert [*numbers] == [4, 5, 6]
    others.refresh_from_db()
    assert others.number == 2


def test_a_stream_gets_what_comes_back_as_new(
    listen: Callable[..., Listening], owner: User, make_item: MakeItem
) -> None:
    item, _ = make_item(owner), make_item(owner)
    stream = listen(owner)
    stream.wait_for_unread(2)
    snoozing.item_snooze(user=owner, item=item, until=in_h(1))
    stream.wait_for_unread(1)
    snoozing.items_wake(in_h(2))
    stream.wait_for_unread(2)
    assert [(each["id"], each["number"]) for each in stream.notices] == [(str(item.pk), 3)]
    # Whoever was away at that time gets it too.
    late = listen(owner, Last_Event_ID="2")
    late.wait_for_unread(2)
    assert late.numbers == [3]


def test_what_is_snoozed_is_listed_by_when_it_comes_back_and_can_be_put_off_or_woken(
    as_user: LogIn, owner: User, make_item: MakeItem
) -> None:
    one, two, three = (make_item(owner) for _ in range(3))
    client = as_user(owner)
    for item, hours in ((one, 3), (two, 1), (three, 2)):
        snooze(client, item, in_h(hours))
    assert ids(client, "snoozed/") == [str(each.pk) for each in (two, three, one)]
    assert ids(client, "snoozed/?page_size=2") == [str(two.pk), str(three.pk)]
    snooze(client, two, in_h(24))
    assert ids(client, "snoozed/") == [str(each.pk) for each in (three, one, two)]
    woken = client.post(f"{PATH}{one.pk}/wake/")
    assert (woken.status_code, woken.json()["number"], ids(client)) == (200, 4, [str(one.pk)])
    assert client.post(f"{PATH}{one.pk}/wake/").json() == woken.json(), "it is back already"
    assert ids(client, "snoozed/") == [str(three.pk), str(two.pk)]
    one.refresh_from_db()
    assert one.snoozed_until <= timezone.now()


@pytest.mark.parametrize("until", [in_h(-1), in_h(90 * 24 + 1), None, 7, "tomorrow"])
def test_it_takes_a_time_within_ninety_days(
    as_user: LogIn, owner: User, make_item: MakeItem, until: Any
) -> None:
    item, client = make_item(owner), as_user(owner)
    given = until.isoformat() if isinstance(until, datetime) else until
    refused = client.post(f"{PATH}{item.pk}/snooze/", {"until": given})
    assert (refused.status_code, list(refused.json())) == (400, ["until"])
    assert client.post(f"{PATH}{item.pk}/snooze/", {}).status_code == 400
    assert ids(client) == [str(item.pk)]


def test_so_many_are_snoozed_at_a_time(
    as_user: LogIn, owner: User, teammate: User, make_item: MakeItem, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(snoozing, "MOST_SNOOZED", 2)
    made, client = [make_item(owner) for _ in range(3)], as_user(owner)
    assert [snooze(client, each, in_h(1)).status_code for each in made] == [200, 200, 409]
    assert ids(client) == [str(made[2].pk)]
    assert snooze(client, made[0], in_h(2)).status_code == 200, "it is among them"
    assert snooze(as_user(teammate), make_item(teammate), in_h(1)).status_code == 200


def test_what_came_back_and_is_deleted_stays_deleted(
    as_user: LogIn, owner: User, make_item: MakeItem
) -> None:
    one, two, three = (make_item(owner) for _ in range(3))
    client = as_user(owner)
    for item in (one, two, three):
        snooze(client, item, in_h(1))
    snoozing.items_wake(in_h(2))
    client.delete(f"{PATH}{one.pk}/")
    client.patch(f"{PATH}{two.pk}/", {"read": True})
    client.delete(f"{PATH}read/")
    snoozing.items_wake(in_h(3))
    assert (ids(client), ids(client, "snoozed/")) == ([str(three.pk)], [])
    assert snooze(client, one, in_h(1)).status_code == 404
    assert client.post(f"{PATH}{one.pk}/wake/").status_code == 404


def test_marking_and_deleting_all_leaves_what_is_snoozed(
    as_user: LogIn, owner: User, make_item: MakeItem
) -> None:
    item, client = make_item(owner), as_user(owner)
    client.patch(f"{PATH}{item.pk}/", {"read": True})
    snooze(client, item, in_h(1))
    assert client.post(f"{PATH}read/", {"up_to": 9}).json() == {"marked": 0, "unread": 0}
    assert client.delete(f"{PATH}read/").json() == {"deleted": 0}
    snoozing.items_wake(in_h(2))
    assert client.post(f"{PATH}read/", {"up_to": 1}).json()["marked"] == 0, "it came since"
    assert ids(client, "?unread=true") == [str(item.pk)]


def test_it_can_be_taken_back_for_a_while_as_it_was(owner: User, make_item: MakeItem) -> None:
    item = make_item(owner, read_at=timezone.now())
    snoozing.item_snooze(user=owner, item=item, until=in_h(1))
    assert services.item_restore(item=item)
    item.refresh_from_db()
    assert (item.number, item.read_at is None, item.snoozed_until) == (1, False, None)
    snoozing.items_wake(in_h(2))
    item.refresh_from_db()
    assert item.number == 1


def test_what_is_left_of_somebody_who_is_gone_is_in_nobodys_way(
    owner: User, teammate: User, make_item: MakeItem
) -> None:
    gone, item = make_item(owner), make_item(teammate)
    for each, person in ((gone, owner), (item, teammate)):
        snoozing.item_snooze(user=person, item=each, until=in_h(1))
    with connection.cursor() as cursor:
        cursor.execute(
            "UPDATE notifications_inboxitem SET user_id = uuidv7() WHERE delivery_id = %s", [gone.pk]
        )
    snoozing.items_wake(in_h(2))
    item.refresh_from_db()
    assert (item.number, item.dismissed_at) == (2, None)


@pytest.mark.slow
def test_what_is_snoozed_is_found_by_its_index(owner: User, make_item: MakeItem) -> None:
    planner.prefer_indexes()
    assert "inboxitem_snoozed_by" in selectors.snoozed_of(owner).explain()
