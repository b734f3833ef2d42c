"""The rules that the original stated, each as its specification: start, fast-forward, expect."""

import threading
import time
from collections.abc import Callable
from datetime import timedelta

import pytest
from django.db import connection
from django.utils import timezone
from pytest_django import Settings

from escalation.models import EscalationProcess
from escalation.services import process_start, process_stop
from notifications.engine.recipients import Recipient
from notifications.engine.sender import Sender
from notifications.models import CallerId, Delivery
from tests.escalation.conftest import OTHER_PHONE, PHONE, Bells, StoppedClock, statuses
from tests.servers.third_party import ThirdParty


@pytest.mark.slow
def test_it_rings_when_due_and_not_before(bells: Bells) -> None:
    assert (
        bells.start("order", bells.text(120), bells.call(240), bells.call(360, OTHER_PHONE)).status_code
        == 201
    )
    bells.forward(60)
    assert (bells.texts, bells.calls) == ([], [])
    bells.forward(61)
    assert (bells.texts, bells.calls) == ([PHONE], [])
    bells.forward(120)
    assert (bells.texts, bells.calls) == ([PHONE], [PHONE])
    bells.forward(120)
    assert (bells.texts, bells.calls) == ([PHONE], [PHONE, OTHER_PHONE])


def test_due_means_now_is_at_or_past_it(
    run_sender: Callable[..., Sender], stopped_clock: StoppedClock, hooks: ThirdParty
) -> None:
    sender = run_sender(stopped_clock)
    at = stopped_clock.now + timedelta(seconds=10)
    process_start(
        process_id="order", notifications=[Recipient("webhook", at, hooks.url)], now=stopped_clock.now
    )
    stopped_clock.forward(9.999999)
    assert sender.drain(20)
    assert not hooks.requests
    stopped_clock.forward(0.000001)
    assert sender.drain(20)
    assert len(hooks.requests) == 1


def test_what_is_past_is_due_at_once(bells: Bells) -> None:
    bells.start("order", bells.call(-86_400 * 365))
    bells.forward(0)
    assert bells.calls == [PHONE]


def test_a_start_for_an_active_process_is_ignored(bells: Bells) -> None:
    first = bells.start("order", bells.call(60))
    again = bells.start("order", bells.call(0, OTHER_PHONE))
    assert (again.status_code, again.data["result"]) == (200, "ignored")
    assert "already active" in again.data["detail"]
    assert again.data["process"]["id"] == first.data["process"]["id"]
    bells.forward(61)
    assert bells.calls == [PHONE]


def test_a_stop_for_no_process_is_ignored(bells: Bells) -> None:
    answer = bells.stop("order")
    assert (answer.status_code, answer.data["result"], answer.data["process"]) == (200, "ignored", None)
    assert "No process" in answer.data["detail"]


def test_after_a_stop_nothing_rings(bells: Bells) -> None:
    bells.start("order", bells.call(60), bells.text(60), bells.email(120))
    answer = bells.stop("order")
    assert (answer.status_code, answer.data["result"]) == (200, "stopped")
    bells.forward(3600)
    assert (bells.calls, bells.texts, bells.mails) == ([], [], [])
    assert statuses("order") == ["cancelled"] * 3


@pytest.mark.slow
def test_a_process_with_nothing_left_to_send_has_ended(bells: Bells) -> None:
    bells.start("order", bells.call(60))
    bells.forward(30)
    assert bells.state("order") == "active"
    bells.forward(31)
    assert bells.state("order") == "unanswered"
    assert bells.stop("order").data["result"] == "ignored"


@pytest.mark.slow
def test_after_its_end_an_id_may_be_started_again(bells: Bells) -> None:
    bells.start("order", bells.call(60))
    bells.stop("order")
    assert bells.start("order", bells.call(60, OTHER_PHONE)).status_code == 201
    bells.forward(61)
    assert bells.calls == [OTHER_PHONE]


@pytest.mark.slow
def test_one_that_is_not_yet_marked_as_finished_counts_as_ended(bells: Bells) -> None:
    bells.start("order", bells.call(0))
    assert bells.sender.drain(20)
    assert bells.state("order") == "active"
    assert bells.start("order", bells.call(0, OTHER_PHONE)).status_code == 201
    assert bells.sender.drain(20)
    assert bells.calls == [PHONE, OTHER_PHONE]
    assert bells.stop("order").data["result"] == "ignored"


@pytest.mark.slow
def test_a_call_that_is_answered_does_not_end_it(bells: Bells) -> None:
    bells.start("order", bells.call(0), bells.call(120, OTHER_PHONE))
    bells.forward(0)
    (call,) = bells.twilio.calls
    callback = bells.twilio.callback(call, "completed", CallDuration="12")
    answer = bells.client.post(
        callback.path,
        callback.body,
        content_type="application/x-www-form-urlencoded",
        HTTP_X_TWILIO_SIGNATURE=callback.signature,
    )
    assert answer.status_code < 300
    assert bells.state("order") == "active"
    bells.forward(121)
    assert bells.calls == [PHONE, OTHER_PHONE]


@pytest.mark.slow
def test_due_ones_go_out_in_the_order_of_their_time(
    run_sender: Callable[..., Sender], stopped_clock: StoppedClock, hooks: ThirdParty, settings: Settings
) -> None:
    # One at a time: of those that go out together, the destination may see any first.
    settings.CHANNEL_POLICIES = {"webhook": {"concurrency": 1}}
    now = stopped_clock.now
    items = [
        Recipient("webhook", now - timedelta(seconds=number * 7 % 10), f"{hooks.origin}/{number * 7 % 10}")
        for number in range(10)
    ]
    process_start(process_id="order", notifications=items, now=now)
    assert run_sender(stopped_clock).drain(20)
    assert [request.path for request in hooks.requests] == [f"/{number}" for number in range(9, -1, -1)]


def test_a_channel_that_hangs_holds_up_no_other(bells: Bells) -> None:
    bells.twilio.behave("hang")
    bells.start("order", *[bells.call(-9) for _ in range(20)], bells.email(-1), bells.hook(0))
    bells.sender.wake()
    bells.hooks.wait_for(1, timeout=20)
    deadline = time.monotonic() + 20
    while not bells.mails and time.monotonic() < deadline:
        time.sleep(0.01)
    assert bells.mails == ["me@example.org"]
    assert bells.stop("order").data["result"] == "stopped"
    bells.twilio.cut_connections()


@pytest.mark.slow
def test_a_call_shows_the_number_of_the_longest_prefix(bells: Bells) -> None:
    CallerId.objects.create(prefix="+38", number="+38518888888")
    CallerId.objects.create(prefix="+385", number="+38519999999")
    CallerId.objects.create(prefix="default", number="+12569065677")
    bells.start("order", bells.call(0), bells.call(0, OTHER_PHONE))
    bells.forward(0)
    shown = {call.to: call.fields["From"] for call in bells.twilio.calls}
    assert shown == {PHONE: "+38519999999", OTHER_PHONE: "+12569065677"}


def test_one_bad_notification_makes_the_start_invalid(bells: Bells) -> None:
    answer = bells.start(
        "order", bells.call(0), {"channel": "phone", "at": "soon", "phone-number": PHONE}, {}
    )
    assert answer.status_code == 400
    assert [error[:4] for error in answer.data["notifications"]] == ["1: a", "2: c"]
    assert not EscalationProcess.objects.exists()
    bells.forward(1)
    assert bells.calls == []


def test_two_starts_at_the_same_instant_make_one_process(transactional_db: None) -> None:
    now = timezone.now()
    barrier, made = threading.Barrier(4), []

    def start(number: int) -> None:
        item = Recipient("webhook", now + timedelta(hours=1), f"https://hooks.example.com/{number}")
        barrier.wait()
        made.append(process_start(process_id="order", notifications=[item], now=now))
        connection.close()

    threads = [threading.Thread(target=start, args=(number,)) for number in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(each.created for each in made) == [False, False, False, True]
    assert len({each.process.pk for each in made}) == 1
    assert Delivery.objects.count() == 1


def test_a_failed_send_is_tried_again_until_the_stop(bells: Bells) -> None:
    bells.hooks.behave("status:503")
    bells.start("order", bells.hook(0))
    bells.forward(0)
    assert len(bells.hooked) == 1
    assert bells.state("order") == "active", "there is something left to send: the retry"
    process_stop(process_id="order", now=timezone.now())
    bells.forward(60)
    assert len(bells.hooked) == 1
    assert statuses("order") == ["cancelled"]
