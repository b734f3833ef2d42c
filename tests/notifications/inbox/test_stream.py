"""SPEC 3.5: the inbox live, over the real server: nothing missed, nothing twice, and only one's own."""

import random
import re
import socket
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from datetime import timedelta
from typing import Any

import psutil
import pytest
from django.contrib.sessions.models import Session
from django.db import connection, transaction
from django.utils import timezone
from rest_framework.test import APIClient
from rest_framework_simplejwt.settings import api_settings
from rest_framework_simplejwt.tokens import AccessToken

from accounts.api.tokens import Refresh
from accounts.models import User
from notifications.inbox import hub, hubs, live, services
from notifications.inbox.look import PAGE
from notifications.models import Delivery, Inbox, InboxItem
from tests.factories import UserFactory
from tests.notifications.inbox.conftest import MakeItem, bearer, cookie
from tests.notifications.inbox.listening import Listening

Listen = Callable[..., Listening]
LogIn = Callable[[User], APIClient]


# --- What comes ---------------------------------------------------------------------------------------------


@pytest.mark.slow
def test_it_begins_with_where_it_is_and_how_many_are_unread(
    listen: Listen, owner: User, make_item: MakeItem
) -> None:
    make_item(owner)
    make_item(owner, read_at=timezone.now())
    stream = listen(owner).wait_until_open()
    assert stream.status == 200
    assert stream.headers["Content-Type"] == "text/event-stream"
    assert "no-store" in stream.headers["Cache-Control"]
    assert stream.retry_ms[0] > 0
    assert (stream.unread, stream.numbers, stream.last_event_id) == ([1], [], "2")


@pytest.mark.slow
def test_an_item_comes_as_rest_shows_it(
    listen: Listen, as_user: LogIn, owner: User, make_item: MakeItem
) -> None:
    stream = listen(owner).wait_until_open()
    texts = {"fr": {"": ["Accepté", "Deux\nlignes"]}}
    data = {"stage": "S1", "grades": [1, 2.5, None], "name": "Zoë \u2028"}
    made = make_item(owner, language="fr", told={"texts": texts, "data": data, "severity": "critical"})
    stream.wait_for_unread(1)
    assert stream.notices == [as_user(owner).get(f"/api/v1/inbox/{made.pk}/").json()]
    assert stream.notices[0]["body"] == "Deux\nlignes"
    assert stream.last_event_id == "1"


def test_the_count_follows_what_other_tabs_do(listen: Listen, owner: User, make_item: MakeItem) -> None:
    one, two = make_item(owner), make_item(owner)
    stream = listen(owner)
    stream.wait_for_unread(2)
    services.item_mark(item=one, read=True)
    stream.wait_for_unread(1)
    services.item_mark(item=one, read=False)
    stream.wait_for_unread(2)
    services.item_delete(item=two)
    stream.wait_for_unread(1)
    services.items_mark_read(user=owner, up_to=1)
    stream.wait_for_unread(0)
    assert stream.numbers == []


@pytest.mark.slow
def test_every_tab_is_told(listen: Listen, owner: User, make_item: MakeItem) -> None:
    streams = [listen(owner).wait_until_open() for _ in range(3)]
    make_item(owner)
    for stream in streams:
        stream.wait_for_number(1)


@pytest.mark.slow
def test_nobody_hears_of_what_is_another_person_s(
    listen: Listen, owner: User, teammate: User, operator: User, make_item: MakeItem
) -> None:
    others = [listen(user, Last_Event_ID="0").wait_until_open() for user in (teammate, operator)]
    stream = listen(owner).wait_until_open()
    make_item(owner, told={"title": "A secret"})
    stream.wait_for_number(1)
    for other, user in zip(others, (teammate, operator), strict=True):
        make_item(user, told={"title": "Their own"})
        other.wait_for_unread(1)
        assert [each["title"] for each in other.notices] == ["Their own"]
        assert other.unread == [0, 1]


# --- Coming back --------------------------------------------------------------------------------------------


@pytest.mark.slow
def test_whoever_comes_back_gets_what_came_meanwhile(
    listen: Listen, owner: User, make_item: MakeItem
) -> None:
    stream = listen(owner).wait_until_open()
    make_item(owner)
    stream.wait_for_number(1)
    stream.drop()
    make_item(owner)
    make_item(owner, read_at=timezone.now())
    make_item(owner, dismissed_at=timezone.now())
    make_item(owner)
    back = listen(owner, Last_Event_ID=stream.last_event_id)
    back.wait_for_number(5)
    assert back.numbers == [2, 3, 5]
    assert back.unread == [3]


@pytest.mark.slow
def test_a_drop_before_the_first_item_loses_nothing(listen: Listen, owner: User, make_item: MakeItem) -> None:
    stream = listen(owner).wait_until_open()
    stream.drop()
    make_item(owner)
    back = listen(owner, Last_Event_ID=stream.last_event_id)
    back.wait_for_number(1)


@pytest.mark.slow
def test_a_page_with_a_list_begins_where_that_ends(listen: Listen, owner: User, make_item: MakeItem) -> None:
    for _ in range(3):
        make_item(owner)
    stream = listen(owner, query="?last_event_id=1")
    stream.wait_for_number(3)
    assert stream.numbers == [2, 3]
    # The address stays the same when a browser comes back; what it says then goes before it.
    back = listen(owner, query="?last_event_id=1", Last_Event_ID="2")
    back.wait_for_number(3)
    assert back.numbers == [3]


@pytest.mark.slow
@pytest.mark.parametrize("count", [PAGE - 1, PAGE, PAGE + 1, 3 * PAGE])
def test_however_much_was_missed_it_comes_in_order(
    listen: Listen, owner: User, make_item: MakeItem, count: int
) -> None:
    for number in range(count):
        make_item(owner, announced=False, read_at=timezone.now() if number % 3 == 0 else None)
    stream = listen(owner, Last_Event_ID="0")
    stream.wait_for_number(count)
    assert stream.numbers == list(range(1, count + 1))


def test_a_number_that_was_never_reached_does_not_silence_the_stream(
    listen: Listen, owner: User, make_item: MakeItem
) -> None:
    make_item(owner)
    stream = listen(owner, Last_Event_ID="50").wait_until_open()
    assert stream.last_event_id == "1"
    make_item(owner)
    stream.wait_for_number(2)


@pytest.mark.slow
def test_a_number_that_is_given_again_after_a_crash_is_told_again(
    listen: Listen, owner: User, make_item: MakeItem
) -> None:
    make_item(owner)
    stream = listen(owner).wait_until_open()
    undone = make_item(owner)
    stream.wait_for_unread(2)
    with transaction.atomic():
        Delivery.objects.filter(pk=undone.pk).delete()
        Inbox.objects.update(last_number=1)
    live.announce([owner.pk])
    stream.wait_for_unread(1)
    make_item(owner)
    stream.wait_for_unread(2)
    assert stream.numbers == [2, 2]


@pytest.mark.slow
@pytest.mark.parametrize("given", ["x", "-1", "1.5", "9223372036854775808", "00000000000000000000001", "²"])
def test_a_bad_number_is_refused(as_user: LogIn, owner: User, given: str) -> None:
    client, path = as_user(owner), "/api/v1/inbox/stream/"
    by_query = client.get(path, {"last_event_id": given})
    assert (by_query.status_code, list(by_query.json())) == (400, ["last_event_id"])
    by_header = client.get(path, headers={"Last-Event-ID": given})
    assert (by_header.status_code, list(by_header.json())) == (400, ["Last-Event-ID"])


@pytest.mark.slow
@pytest.mark.usefixtures("quick")
def test_nothing_is_missed_and_nothing_comes_twice(listen: Listen, owner: User, make_item: MakeItem) -> None:
    """Items come fast; a third is not announced, a third late; the client drops again and again."""
    count, chance = 150, random.Random(3)

    def write() -> None:
        try:
            for _ in range(count):
                make_item(owner, announced=chance.random() < 1 / 3)
                if chance.random() < 1 / 2:
                    live.announce([owner.pk])
        finally:
            connection.close()

    writer = threading.Thread(target=write)
    first = listen(owner).wait_until_open()
    seen, last_event_id = [], first.last_event_id
    first.drop()
    writer.start()
    while count not in seen:
        stream = listen(owner, Last_Event_ID=last_event_id)
        enough = min(chance.randint(1, 40), count - len(seen))
        stream.wait_for_items(enough)
        stream.drop()
        seen += stream.numbers
        last_event_id = stream.last_event_id
    writer.join()
    assert seen == list(range(1, count + 1))


# --- When announcements fail --------------------------------------------------------------------------------


@pytest.mark.slow
@pytest.mark.usefixtures("quick")
def test_what_was_never_announced_comes_with_the_next_heartbeat(
    listen: Listen, owner: User, make_item: MakeItem
) -> None:
    stream = listen(owner).wait_until_open()
    item = make_item(owner, announced=False)
    stream.wait_for_number(1)
    InboxItem.objects.filter(pk=item.pk).update(read_at=timezone.now())
    stream.wait_for_unread(0)
    make_item(owner, announced=False, read_at=timezone.now())  # which leaves the count as it is
    stream.wait_for_number(2)


@pytest.mark.slow
def test_announcements_in_any_order_and_number_change_nothing(
    listen: Listen, owner: User, make_item: MakeItem
) -> None:
    stream = listen(owner).wait_until_open()
    for _ in range(5):
        make_item(owner, announced=False)
    for _ in range(20):
        live.announce([owner.pk])
    stream.wait_for_number(5)
    make_item(owner)
    stream.wait_for_number(6)
    assert stream.numbers == [1, 2, 3, 4, 5, 6]


@pytest.mark.slow
def test_an_announcement_to_everyone_reaches_everyone(
    listen: Listen, owner: User, teammate: User, make_item: MakeItem
) -> None:
    streams = {user: listen(user).wait_until_open() for user in (owner, teammate)}
    for user in streams:
        make_item(user, announced=False)
    live.announce([owner.pk, teammate.pk, *(UserFactory.build().pk for _ in range(live.MOST_PEOPLE))])
    for stream in streams.values():
        stream.wait_for_number(1)


@pytest.mark.slow
def test_what_was_announced_while_nobody_listened_comes_when_redis_is_back(
    listen: Listen, settings: Any, monkeypatch: pytest.MonkeyPatch, owner: User, make_item: MakeItem
) -> None:
    monkeypatch.setattr(hub, "UNANNOUNCED_S", 3600)
    address, settings.REDIS_URL = settings.REDIS_URL, "redis://127.0.0.1:1/0"
    stream = listen(owner).wait_until_open()
    make_item(owner, announced=False)
    settings.REDIS_URL = address
    stream.wait_for_number(1)


@pytest.mark.slow
@pytest.mark.parametrize("times", [1, 2])
def test_without_redis_it_looks_by_itself(
    listen: Listen, settings: Any, owner: User, make_item: MakeItem, times: int
) -> None:
    settings.REDIS_URL = "redis://127.0.0.1:1/0"
    stream = listen(owner).wait_until_open()
    for number in range(1, times + 1):
        make_item(owner, announced=False)
        stream.wait_for_number(number)


@pytest.mark.slow
def test_after_a_failure_of_the_database_everyone_is_looked_after_anew(
    listen: Listen, owner: User, teammate: User, make_item: MakeItem
) -> None:
    make_item(teammate)
    stream, other = listen(owner).wait_until_open(), listen(teammate).wait_until_open()
    Delivery.objects.all().delete()  # as a crash can do, of which nobody is told
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
            " WHERE datname = current_database() AND pid <> pg_backend_pid()"
        )
    make_item(owner)
    stream.wait_for_number(1)
    other.wait_for_unread(0)


# --- Who may listen, and for how long -----------------------------------------------------------------------


@pytest.mark.slow
def test_a_session_is_enough_in_the_browser(
    listen: Listen, as_user: LogIn, owner: User, make_item: MakeItem
) -> None:
    stream = listen(**cookie(as_user(owner))).wait_until_open()
    make_item(owner)
    stream.wait_for_number(1)


@pytest.mark.slow
def test_without_credentials_there_is_no_stream(listen: Listen) -> None:
    assert listen().status == 401
    assert listen(Authorization="Bearer x").status == 401


@pytest.mark.slow
@pytest.mark.usefixtures("quick")
def test_logging_out_ends_it(listen: Listen, as_user: LogIn, owner: User, make_item: MakeItem) -> None:
    client = as_user(owner)
    stream, other = listen(**cookie(client)).wait_until_open(), listen(owner).wait_until_open()
    client.logout()
    stream.wait_until_ended()
    assert stream.is_whole
    make_item(owner)
    other.wait_for_number(1)  # by a token of its own
    assert stream.numbers == []


@pytest.mark.slow
@pytest.mark.parametrize("how", ["session", "token", "admin", "locked out", "password", "deleted"])
def test_it_ends_at_once_and_not_with_the_next_heartbeat(
    listen: Listen, as_user: LogIn, anonymous: APIClient, stranger: User, operator: User, how: str
) -> None:
    by_token = {"email": stranger.email, "password": "correct horse battery"}
    tokens = anonymous.post("/api/v1/auth/login/", by_token).json()
    bearing = {"Authorization": f"Bearer {tokens['access_token']}"}
    client = as_user(stranger)
    stream = listen(**bearing if how == "token" else cookie(client)).wait_until_open()
    other = listen(operator).wait_until_open()
    match how:
        case "session":
            client.post("/api/v1/auth/logout/")
        case "token":
            anonymous.post("/api/v1/auth/logout/", {"refresh_token": tokens["refresh_token"]})
        case "admin":
            client.logout()
        case "locked out":
            as_user(operator).patch(f"/api/v1/users/{stranger.pk}/", {"is_active": False})
        case "password":
            new = {"current_password": "correct horse battery", "new_password": "staple full of hay"}
            APIClient(headers=bearing).post("/api/v1/auth/password/change/", new)
        case "deleted":
            as_user(operator).delete(f"/api/v1/users/{stranger.pk}/")
    stream.wait_until_ended()
    assert stream.is_whole
    assert not other.has_ended


@pytest.mark.slow
@pytest.mark.parametrize("how", ["session", "token", "locked out", "password"])
def test_nothing_is_told_any_more_though_nobody_announced_the_end(
    listen: Listen, as_user: LogIn, stranger: User, make_item: MakeItem, how: str
) -> None:
    """Such as by a statement of the operator's own, or while Redis is away."""
    token = Refresh.for_user(stranger).access_token
    stream = (
        listen(Authorization=f"Bearer {token}") if how == "token" else listen(**cookie(as_user(stranger)))
    )
    stream.wait_until_open()
    with connection.cursor() as cursor:
        match how:
            case "session":
                cursor.execute("DELETE FROM django_session")
            case "token":
                cursor.execute(
                    "INSERT INTO accounts_endedlogin VALUES (%s, now(), %s)", [token["log_in"], stranger.pk]
                )
            case "locked out":
                cursor.execute("UPDATE accounts_user SET is_active = false")
                cursor.execute("UPDATE accounts_user SET is_active = true")
            case "password":
                cursor.execute("UPDATE accounts_user SET password = '!'")
    make_item(stranger)
    stream.wait_until_ended()
    assert stream.numbers == []


@pytest.mark.slow
@pytest.mark.usefixtures("quick")
def test_an_expired_session_ends_it(listen: Listen, as_user: LogIn, owner: User) -> None:
    stream = listen(**cookie(as_user(owner))).wait_until_open()
    Session.objects.update(expire_date=timezone.now() - timedelta(seconds=1))
    stream.wait_until_ended()


@pytest.mark.slow
def test_an_expired_token_ends_it(listen: Listen, owner: User, teammate: User) -> None:
    token = AccessToken.for_user(owner)
    token.set_exp(lifetime=timedelta(seconds=4) - api_settings.LEEWAY)
    stream = listen(Authorization=f"Bearer {token}").wait_until_open()
    lasting = listen(owner).wait_until_open()
    stream.wait_until_ended()
    assert time.time() >= token["exp"] + api_settings.LEEWAY.total_seconds()
    assert stream.is_whole
    assert not lasting.has_ended


@pytest.mark.slow
@pytest.mark.usefixtures("quick")
@pytest.mark.parametrize("change", ["locked out", "deleted", "password"])
def test_whoever_may_no_longer_log_in_no_longer_listens(
    listen: Listen, as_user: LogIn, owner: User, stranger: User, change: str
) -> None:
    streams = [listen(owner).wait_until_open(), listen(**cookie(as_user(owner))).wait_until_open()]
    other = listen(stranger).wait_until_open()
    if change == "locked out":
        User.objects.filter(pk=owner.pk).update(is_active=False)
    elif change == "deleted":
        owner.memberships.all().delete()
        User.objects.get(pk=owner.pk).delete()
    else:
        owner.set_password("another battery staple")
        owner.save()
    for stream in streams:
        stream.wait_until_ended()
    assert not other.has_ended


# --- Many of them -------------------------------------------------------------------------------------------


@pytest.mark.slow
@pytest.mark.usefixtures("quick")
def test_a_silent_stream_beats(listen: Listen, owner: User) -> None:
    stream = listen(owner)
    stream.wait_for(lambda: stream.comments >= 3)


@pytest.mark.slow
def test_streams_hold_neither_threads_nor_connections(
    listen: Listen, settings: Any, as_user: LogIn, owner: User
) -> None:
    many = settings.STREAMS_PER_PERSON = 3 * settings.WEB_THREADS
    for _ in range(many):
        listen(owner).wait_until_open()
    with connection.cursor() as cursor:
        cursor.execute("SELECT count(*) FROM pg_stat_activity WHERE datname = current_database()")
        (count,) = cursor.fetchone()
    # The test's own, the hub's, and what requests of this moment may hold.
    assert count <= 2 + settings.WEB_THREADS
    assert hubs.count() == many
    assert listen(owner).wait_until_open().status == 200


@pytest.mark.slow
def test_one_stream_too_many_of_a_person_ends_their_oldest(
    listen: Listen, settings: Any, owner: User, stranger: User
) -> None:
    settings.STREAMS_PER_PERSON = 3
    other = listen(stranger).wait_until_open()
    streams = [listen(owner).wait_until_open() for _ in range(5)]
    for stream in streams[:2]:
        stream.wait_until_ended()
        assert stream.is_whole
        assert stream.retry_ms[-1] >= 30_000, "it would come back at once, and end the next"
    assert not any(stream.has_ended for stream in [other, *streams[2:]])


@pytest.mark.slow
def test_a_full_process_refuses_more(listen: Listen, settings: Any, owner: User, teammate: User) -> None:
    settings.STREAMS_MAX = 2
    kept = [listen(owner).wait_until_open() for _ in range(2)]
    refused = listen(teammate)
    assert refused.status == 503
    assert int(refused.headers["Retry-After"]) > 0
    kept[0].drop()
    kept[1].wait_for(lambda: hubs.count() == 1)
    assert listen(teammate).wait_until_open().status == 200


@pytest.mark.slow
def test_one_address_does_not_take_all_streams(
    listen: Listen, settings: Any, owner: User, teammate: User
) -> None:
    settings.STREAMS_PER_ADDRESS, settings.BEHIND_TLS_PROXY = 2, True
    kept = [listen(owner, X_Forwarded_For="192.0.2.1").wait_until_open() for _ in range(2)]
    refused = listen(teammate, X_Forwarded_For="192.0.2.1")
    assert refused.status == 429
    assert int(refused.headers["Retry-After"]) > 0
    assert listen(teammate, X_Forwarded_For="192.0.2.2").wait_until_open().status == 200
    kept[0].drop()
    kept[1].wait_for(lambda: hubs.count_from("192.0.2.1") == 1)
    assert listen(teammate, X_Forwarded_For="192.0.2.1").wait_until_open().status == 200


@pytest.mark.slow
def test_who_only_asks_for_the_head_gets_no_stream(port: int, owner: User) -> None:
    with Listening(port, bearer(owner), method="HEAD") as stream:
        assert stream.status == 200
        assert stream.headers["Content-Type"] == "text/event-stream"
        assert hubs.count() == 0


def test_without_an_event_loop_the_stream_says_what_it_can_and_ends(
    as_user: LogIn, owner: User, make_item: MakeItem
) -> None:
    for _ in range(3):
        make_item(owner)
    text = as_user(owner).get("/api/v1/inbox/stream/", headers={"Last-Event-ID": "1"}).content.decode()
    blocks = text.split("\n\n")
    assert blocks[0].startswith("retry: ")
    assert blocks[1] == 'id: 1\nevent: unread\ndata: {"unread":3}'
    assert [block.partition("\n")[0] for block in blocks[2:4]] == ["id: 2", "id: 3"]


# --- Slow readers -------------------------------------------------------------------------------------------


class Stuck:
    """A client that asks for a stream and reads nothing of it until told."""

    def __init__(self, port: int, user: User) -> None:
        self.socket = socket.socket()
        self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 65_536)
        self.socket.settimeout(60)
        self.socket.connect(("127.0.0.1", port))
        head = "".join(f"{name}: {value}\r\n" for name, value in bearer(user).items())
        self.socket.sendall(f"GET /api/v1/inbox/stream/ HTTP/1.1\r\nHost: localhost\r\n{head}\r\n".encode())

    def is_held(self) -> bool:
        """Whether the server, which is in this process, still has its end of the connection."""
        mine = self.socket.getsockname()
        return any(each.raddr == mine for each in psutil.Process().net_connections("tcp"))

    def read_all(self) -> bytes:
        """Read until the connection is cut, which it must be."""
        read = b""
        with suppress(ConnectionResetError):
            while some := self.socket.recv(65_536):
                read += some
        self.socket.close()
        return read


LARGE, SOME = "x" * 300_000, 60


@pytest.mark.slow
def test_a_client_that_does_not_read_is_cut_off_without_harm(
    listen: Listen, port: int, settings: Any, owner: User, stranger: User, make_item: MakeItem
) -> None:
    settings.STREAM_STALL_S = 1.0
    stuck = Stuck(port, owner)
    stream, other = listen(owner).wait_until_open(), listen(stranger).wait_until_open()
    stream.wait_for(lambda: hubs.count() == 3)
    for _ in range(SOME):
        make_item(owner, told={"body": LARGE})
        make_item(stranger)
    stream.wait_for_number(SOME)
    other.wait_for_number(SOME)
    stream.wait_for(lambda: hubs.count() == 2)
    stream.wait_for(lambda: not stuck.is_held())  # which does not wait for it to read
    read = stuck.read_all()
    assert len(read) < SOME * len(LARGE)
    last = max(re.findall(rb"^id: (\d+)$", read, re.MULTILINE)[:-1], default=b"0", key=int).decode()
    back = listen(owner, Last_Event_ID=last)
    back.wait_for_number(SOME)
    assert back.numbers == list(range(int(last) + 1, SOME + 1))
    assert stream.numbers == other.numbers == list(range(1, SOME + 1))


@pytest.mark.slow
def test_a_client_that_reads_late_gets_everything(
    listen: Listen, port: int, settings: Any, owner: User, make_item: MakeItem
) -> None:
    settings.STREAM_STALL_S = 3600
    stuck = Stuck(port, owner)
    stream = listen(owner).wait_until_open()
    stream.wait_for(lambda: hubs.count() == 2)
    for _ in range(SOME):
        make_item(owner, told={"body": LARGE})
    stream.wait_for_number(SOME)
    read = bytearray()
    while b"id: %d\n" % SOME not in read[-2 * len(LARGE) :]:
        some = stuck.socket.recv(65_536)
        assert some, "it was cut off"
        read += some
    stuck.socket.close()
    assert [int(n) for n in re.findall(rb"^id: (\d+)$", read, re.MULTILINE)] == list(range(SOME + 1))
