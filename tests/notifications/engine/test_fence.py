"""After a committed stop, no send begins: not usually, but ever."""

import asyncio
import random
import socket
import threading
import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from django.db import connection, transaction
from django.utils import timezone

from notifications.database import Database, connection_parameters
from notifications.engine.fence import Batch, TooLate
from notifications.engine.finalise import Finished, finalise
from notifications.engine.sender import Sender
from notifications.engine.stop import cancel
from notifications.models import Delivery, Outgoing
from tests.clock import Clock
from tests.notifications.engine.conftest import statuses
from tests.servers.third_party import ThirdParty

Make = Callable[..., list[Delivery]]


@pytest.mark.slow
def test_revocable_deliveries_are_sent_like_all_others(
    sender: Sender, make_deliveries: Make, third_party: ThirdParty
) -> None:
    made = make_deliveries(150, third_party.url, revocable=True)
    assert sender.drain(20)
    assert third_party.counts() == {str(each.pk): 1 for each in made}
    assert statuses() == {"sent": 150}
    assert all(each.attempts == 1 for each in Delivery.objects.all())


async def test_nothing_begins_nor_begins_anew_once_its_batch_is_closed() -> None:
    batch = Batch(2, write=lambda finished: None, clock=timezone.now, holds_lock=lambda: True)
    begun, waiting = batch.fences
    begun.begin()
    batch.close()
    for fence in (waiting, begun):  # the latter on another connection, as when the first turns out to be dead
        with pytest.raises(TooLate):
            fence.begin()
    assert waiting.begun_at is None


# From the begin of a send to the third party's noticing it, on a busy machine.
NOTICED_S = 0.5


@pytest.mark.slow
def test_no_send_begins_after_a_committed_stop(
    sender: Sender, make_deliveries: Make, third_party: ThirdParty
) -> None:
    later = timezone.now() + timedelta(hours=1)
    make_deliveries(240, third_party.url, revocable=True, due_at=later)
    work = set(Outgoing.objects.all())
    now = timezone.now()
    for each in work:
        each.due_at = now + timedelta(seconds=0.3 + random.random() * 3)
    Outgoing.objects.bulk_update(work, ["due_at"])
    stopped_at: dict[str, float] = {}
    lock = threading.Lock()

    def stop_some() -> None:
        while True:
            # One that is due about now, however slow the machine: some stops come just before, some after.
            now = timezone.now()
            with lock:
                if not work:
                    break
                outgoing = min(work, key=lambda each: abs(each.due_at - now))
                work.remove(outgoing)
            time.sleep(max(0, (outgoing.due_at - now).total_seconds() + random.uniform(-0.1, 0.1)))
            cancel(Delivery.objects.filter(pk=outgoing.delivery_id), reason="stop")
            stopped_at[str(outgoing.delivery_id)] = time.monotonic()
        connection.close()

    threads = [threading.Thread(target=stop_some) for _ in range(4)]
    for thread in threads:
        thread.start()
    while any(thread.is_alive() for thread in threads):
        sender.wake()
        time.sleep(0.005)  # the scheduler's part: it looks, again and again
    assert sender.drain(20)
    stopped = Delivery.objects.filter(status="cancelled").values_list("pk", flat=True)
    assert third_party.counts().keys().isdisjoint(map(str, stopped))
    late = [
        request
        for request in third_party.requests
        if request.received_at > stopped_at[request.delivery_id] + NOTICED_S
    ]
    assert late == []
    found = statuses()
    assert found["cancelled"] > 5, "the stops came too late to prove anything"
    assert found["sent"] > 5, "the stops came too early to prove anything"
    assert found["sent"] + found["cancelled"] == 240
    assert found["sent"] == len(third_party.requests)


@pytest.mark.slow
def test_a_destination_that_cannot_be_reached_keeps_a_stop_waiting_only_so_long(
    sender: Sender, clock: Clock, make_deliveries: Make
) -> None:
    # A listener whose backlog is full accepts no connection, so that no send can begin.
    with socket.socket() as deaf:
        deaf.bind(("127.0.0.1", 0))
        deaf.listen(0)
        plugs = []
        for _ in range(4):
            plug = socket.socket()
            plug.setblocking(False)
            plug.connect_ex(deaf.getsockname())
            plugs.append(plug)
        (delivery,) = make_deliveries(1, f"http://127.0.0.1:{deaf.getsockname()[1]}/", revocable=True)
        sender.wake()
        time.sleep(0.3)  # the send is trying to connect now
        started = time.monotonic()
        cancel(Delivery.objects.filter(pk=delivery.pk), reason="stop")
        assert time.monotonic() - started < 4
        assert sender.drain(20)
        for plug in plugs:
            plug.close()
    delivery.refresh_from_db()
    assert delivery.status == "cancelled"


LOCKED = """
SELECT pid FROM pg_stat_activity
 WHERE state = 'idle in transaction' AND datname = current_database() AND pid <> pg_backend_pid()
"""


@pytest.mark.slow
def test_no_send_begins_under_a_lock_that_is_lost(
    sender: Sender, make_deliveries: Make, third_party: ThirdParty, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A failover, a pooler or an operator ends the session: then a stop no longer waits."""
    name_is_known = threading.Event()
    look_up = socket.getaddrinfo

    def slow(host: Any, *args: Any, **options: Any) -> Any:
        assert name_is_known.wait(20)
        return look_up("127.0.0.1", *args, **options)

    monkeypatch.setattr(socket, "getaddrinfo", slow)
    assert sender.drain(20)
    (stopped,) = make_deliveries(1, third_party.url.replace("127.0.0.1", "hooks.example.com"), revocable=True)
    sender.wake()
    with connection.cursor() as cursor:
        cursor.execute(LOCKED, [])
        while not (found := cursor.fetchall()):
            time.sleep(0.01)
            cursor.execute(LOCKED, [])
        ((session,),) = found
        cursor.execute("SELECT pg_terminate_backend(%s, 5000)", [session])
    assert cancel(Delivery.objects.filter(pk=stopped.pk), reason="stop") == 1
    name_is_known.set()
    assert sender.drain(20)
    assert third_party.requests == []
    stopped.refresh_from_db()
    assert (stopped.status, stopped.reason) == ("cancelled", "stop")


WAITS = "SELECT count(*) FROM pg_locks WHERE NOT granted"


@pytest.mark.parametrize("revocable", [False, True], ids=["ordinary", "revocable"])
def test_a_stop_and_the_outcomes_of_what_it_stops_never_wait_for_each_other(
    make_deliveries: Make, revocable: bool
) -> None:
    now = timezone.now()
    made = make_deliveries(
        2, "https://a.example.com/", status="sending", attempts=1, lease_until=now, revocable=revocable
    )
    first, second = sorted(made, key=lambda each: each.pk)

    async def write() -> None:
        database = Database(connection_parameters())
        await finalise(database, [sent(second), sent(first)])
        await database.close()

    writing = threading.Thread(target=asyncio.run, args=(write(),))
    with transaction.atomic():
        of_stop = Outgoing.objects.select_for_update()
        of_stop.get(pk=first.pk)
        writing.start()
        while not waiting():
            time.sleep(0.005)
        Outgoing.objects.select_for_update(nowait=True).get(pk=second.pk)
    writing.join()
    assert statuses() == {"sent": 2}


def waiting() -> int:
    with connection.cursor() as cursor:
        cursor.execute(WAITS)
        return int(cursor.fetchone()[0])


def sent(delivery: Delivery) -> Finished:
    return Finished(
        id=delivery.pk,
        channel="webhook",
        number=1,
        lateness_s=0.1,
        status="sent",
        reason="",
        due_at=None,
        failures=0,
        started_at=datetime.now(UTC),
        duration_ms=1.5,
        outcome="sent",
        status_code=200,
        error="",
    )


@pytest.mark.slow
def test_a_batch_that_is_more_than_a_slow_destination_can_take_is_begun_in_parts(
    sender: Sender, make_deliveries: Make, third_party: ThirdParty
) -> None:
    """What was locked and not taken up in time stays pending, and is begun by a batch of its own."""
    third_party.behave("slow:60")
    made = make_deliveries(150, third_party.url, revocable=True)
    assert sender.drain(60)
    assert third_party.counts() == {str(each.pk): 1 for each in made}
    assert statuses() == {"sent": 150}
    assert set(Delivery.objects.values_list("attempts", flat=True)) == {1}
