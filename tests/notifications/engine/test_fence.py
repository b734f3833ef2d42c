"""After a committed stop, no send begins: not usually, but ever."""

import random
import socket
import threading
import time
from collections.abc import Callable
from datetime import timedelta

from django.db import connection
from django.utils import timezone

from notifications.engine.replay import cancel
from notifications.engine.sender import Sender
from notifications.models import Delivery
from tests.clock import Clock
from tests.notifications.engine.conftest import statuses
from tests.servers.third_party import ThirdParty

Make = Callable[..., list[Delivery]]


def test_revocable_deliveries_are_sent_like_all_others(
    sender: Sender, make_deliveries: Make, third_party: ThirdParty
) -> None:
    made = make_deliveries(150, third_party.url, revocable=True)
    assert sender.drain(20)
    assert third_party.counts() == {str(each.pk): 1 for each in made}
    assert statuses() == {"sent": 150}
    assert all(each.attempts == 1 for each in Delivery.objects.all())


# From the begin of a send to the third party's noticing it, on a busy machine.
NOTICED_S = 0.1


def test_no_send_begins_after_a_committed_stop(
    sender: Sender, make_deliveries: Make, third_party: ThirdParty
) -> None:
    now = timezone.now()
    made = make_deliveries(240, third_party.url, revocable=True)
    for delivery in made:
        delivery.due_at = now + timedelta(seconds=0.3 + random.random() * 3)
    Delivery.objects.bulk_update(made, ["due_at"])
    stopped_at: dict[str, float] = {}
    lock = threading.Lock()
    work = list(made)
    random.shuffle(work)

    def stop_some() -> None:
        while True:
            with lock:
                if not work:
                    break
                delivery = work.pop()
            cancel(Delivery.objects.filter(pk=delivery.pk), reason="stop")
            stopped_at[str(delivery.pk)] = time.monotonic()
            time.sleep(random.random() * 0.05)  # spreads the stops around the due times
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
