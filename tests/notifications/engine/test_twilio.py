"""Text messages and calls through the sender, to a real server; and what comes back of them."""

import threading
from collections.abc import Callable
from datetime import timedelta

import pytest
from django.db import connection
from pytest_django.live_server_helper import LiveServer

from notifications.channels.phone import caller_ids
from notifications.channels.transport import twilio as rules
from notifications.engine.sender import Sender
from notifications.engine.stop import cancel
from notifications.models import CallerId, Delivery
from notifications.services.provider_reports import delivery_report_record
from tests.clock import Clock
from tests.notifications.engine.conftest import statuses
from tests.servers.twilio import Twilio

Make = Callable[..., list[Delivery]]
NUMBER = "+33612345678"
LOST = rules.Report(arrived=False, detail="undelivered")


def test_text_messages_are_sent_once_each(sender: Sender, make_deliveries: Make, twilio: Twilio) -> None:
    made = make_deliveries(30, NUMBER, channel="sms")
    assert sender.drain(60)
    assert statuses() == {"sent": 30}
    told = {message.status_callback for message in twilio.messages}
    assert told == {rules.status_callback(each.pk, 1) for each in made}
    assert len(twilio.messages) == 30


@pytest.mark.slow
def test_a_limit_is_waited_out_and_a_refusal_is_final(
    sender: Sender, make_deliveries: Make, twilio: Twilio, clock: Clock
) -> None:
    twilio.refuse(429, 20429, "Too Many Requests", "Retry-After: 600")
    (waiting,) = make_deliveries(1, NUMBER, channel="sms")
    assert sender.drain(60)
    waiting.refresh_from_db()
    assert (waiting.status, waiting.reason) == ("pending", "too_fast")
    twilio.refuse(400, 21610)
    clock.forward(601)
    sender.stop()
    another = Sender(clock=clock)  # this one has held the lane for ten minutes
    another.start()
    assert another.drain(60)
    another.stop()
    waiting.refresh_from_db()
    assert (waiting.status, waiting.reason, waiting.attempts) == ("failed", "rejected", 2)
    first, last = waiting.attempt_set.all()
    assert (first.status_code, first.error) == (429, "answered 429, error 20429: too many requests")
    assert (last.status_code, last.error.partition(":")[0]) == (400, "answered 400, error 21610")
    assert not twilio.messages


def test_a_report_that_is_quicker_than_the_sender_is_not_lost(
    sender: Sender, make_deliveries: Make, twilio: Twilio
) -> None:
    """Twilio calls back before the sender has had, or written down, the answer to its request."""
    reported = threading.Event()
    taken = twilio.record

    def report_first(path: str, headers: list[tuple[bytes, bytes]], body: bytes):  # type: ignore[no-untyped-def]
        reply = taken(path, headers, body)
        worker = threading.Thread(target=report)
        worker.start()
        worker.join()
        return reply

    def report() -> None:
        delivery = Delivery.objects.get()
        assert delivery.state == "sending"
        assert delivery_report_record(delivery=delivery, attempt=1, report=LOST)
        connection.close()
        reported.set()

    twilio.record = report_first  # type: ignore[method-assign]
    make_deliveries(1, NUMBER, channel="sms")
    assert sender.drain(60)
    assert reported.is_set()
    delivery = Delivery.objects.get()
    assert (delivery.state, delivery.reason, delivery.attempts) == ("failed", "undelivered", 1)
    assert [each.outcome for each in delivery.attempt_set.all()] == ["sent"]


def test_a_call_is_made_unless_it_was_stopped_before(
    sender: Sender, make_deliveries: Make, twilio: Twilio, clock: Clock
) -> None:
    later = clock() + timedelta(hours=1)
    kept, stopped = make_deliveries(2, NUMBER, channel="phone", revocable=True, due_at=later)
    cancel(Delivery.objects.filter(pk=stopped.pk), reason="stop")
    clock.forward(3601)
    assert sender.drain(60)
    assert [call.status_callback for call in twilio.calls] == [rules.status_callback(kept.pk, 1)]
    assert statuses() == {"sent": 1, "cancelled": 1}


def test_a_report_comes_back_over_http(
    sender: Sender, make_deliveries: Make, twilio: Twilio, live_server: LiveServer
) -> None:
    arrived, lost = make_deliveries(2, NUMBER, channel="sms")
    assert sender.drain(60)
    messages = {message.status_callback: message for message in twilio.messages}
    for delivery, status in ((arrived, "delivered"), (lost, "undelivered")):
        message = messages[rules.status_callback(delivery.pk, 1) or ""]
        assert twilio.report(message, status, at=live_server.url) == 204
        assert Twilio(auth_token="0" * 32).report(message, status, at=live_server.url) == 403
    arrived.refresh_from_db()
    lost.refresh_from_db()
    assert (arrived.status, arrived.reason) == ("sent", "delivered")
    assert (lost.status, lost.reason) == ("failed", "undelivered")


@pytest.mark.slow
def test_the_caller_id_is_the_registrys_as_it_is_now_and_the_calls_own_id_is_kept(
    sender: Sender, make_deliveries: Make, twilio: Twilio
) -> None:
    entry = CallerId.objects.create(prefix="+336", number="+33100000000")
    for number in ("+33100000000", "+33111111111"):
        CallerId.objects.filter(pk=entry.pk).update(number=number)
        (made,) = make_deliveries(1, NUMBER, channel="phone", revocable=number.endswith("1"))
        assert sender.drain(60)
        call = twilio.calls[-1]
        assert call.fields["From"] == number
        assert made.attempt_set.get().reference == call.sid
    caller_ids.use([])
