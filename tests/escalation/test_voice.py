"""Calls of escalations: what they say, the key that acknowledges, and that what rings in vain is hung up."""

import uuid
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import django_rq
import pytest
from django.test import Client
from django.utils import timezone
from pytest_django import Settings
from pytest_django.live_server_helper import LiveServer
from redis import Redis

from accounts.models import User
from accounts.services.users import user_update
from config import clock
from escalation import jobs
from escalation.models import EscalationProcess, HangUp
from escalation.services import hang_ups
from escalation.voice import receivers, twiml
from notifications.channels import registry
from notifications.engine.planned import deliver_to
from notifications.explanations import explain
from notifications.messages.compose import notification_of
from notifications.models import AttemptRow, Delivery, Outgoing
from tests.escalation.conftest import OTHER_PHONE, PHONE, Bells
from tests.factories import ContactPointFactory
from tests.servers.twilio import Created, Twilio
from tests.servers.twiml import parse

LOCKED = "Your account is locked, so you can't acknowledge this. Goodbye."


def call_of(bells: Bells, process_id: str = "shop") -> Created:
    """Start a process with one call, and let it ring."""
    assert bells.start(process_id, bells.call(0), bells.call(60, OTHER_PHONE)).status_code in (200, 201)
    bells.forward(1)
    return bells.twilio.calls[-1]


def delivery_of(call: Created) -> Delivery:
    return Delivery.objects.get(attempt_set__reference=call.sid)


# --- What is said, and the key ----------------------------------------------------------------------


@pytest.mark.slow
def test_pressing_1_acknowledges_and_nobody_else_is_called(bells: Bells, live_server: LiveServer) -> None:
    call = call_of(bells)
    asked = bells.twilio.pick_up(call, at=live_server.url, answered_by="human")
    assert asked.text.count("shop needs attention") == asked.text.count("Press 1 to acknowledge.") == 2
    assert asked.languages == {"en-GB"}
    assert delivery_of(call).reason == "answered"
    told = bells.twilio.press(call, "1", at=live_server.url)
    assert told.text.startswith("Thank you. It is acknowledged.")
    assert told.hangs_up
    process = EscalationProcess.objects.get()
    assert (process.state, process.ended_via, process.ended_by) == ("acknowledged", "phone", PHONE)
    bells.forward(120)
    assert bells.calls == [PHONE]
    assert not HangUp.objects.exists(), "the call that acknowledged it ends by itself"


@pytest.mark.slow
def test_another_key_acknowledges_nothing_and_asks_again(bells: Bells, live_server: LiveServer) -> None:
    call = call_of(bells)
    bells.twilio.pick_up(call, at=live_server.url)
    for key in ("2", "#", ""):
        again = bells.twilio.press(call, key, at=live_server.url)
        assert again.text.startswith("That key does nothing here.")
    assert bells.state("shop") == "active"
    assert "acknowledged" in bells.twilio.press(call, "1", at=live_server.url).text


@pytest.mark.slow
def test_a_voicemail_is_told_and_acknowledges_nothing(bells: Bells, live_server: LiveServer) -> None:
    call = call_of(bells)
    told = bells.twilio.pick_up(call, at=live_server.url, answered_by="machine_start")
    assert told.said[0] == "shop needs attention"
    assert (told.action, told.hangs_up) == ("", True)
    bells.twilio.report(call, "completed", at=live_server.url, AnsweredBy="machine_start")
    assert explain(delivery_of(call)) == "Told by phone; a voicemail or a fax answered the call."
    bells.twilio.pick_up(call, at=live_server.url)
    with pytest.raises(ValueError, match="404"):
        bells.twilio.press(call, "1", at=live_server.url, answered_by="machine_end_beep")
    bells.forward(60)
    assert bells.calls == [PHONE, OTHER_PHONE]


@pytest.mark.slow
def test_who_answers_after_the_stop_is_told_that_it_is_over(bells: Bells, live_server: LiveServer) -> None:
    call = call_of(bells)
    bells.twilio.pick_up(call, at=live_server.url)
    bells.stop("shop")
    over = "It has already been dealt with. Goodbye."
    assert bells.twilio.press(call, "1", at=live_server.url).text == over
    assert bells.twilio.pick_up(call, at=live_server.url).text == over
    assert bells.state("shop") == "stopped"


@pytest.mark.slow
def test_the_last_call_of_all_can_be_acknowledged_too(bells: Bells, live_server: LiveServer) -> None:
    bells.start("shop", bells.call(0))
    bells.forward(1)
    assert bells.state("shop") == "unanswered"
    call = bells.twilio.calls[0]
    assert bells.twilio.pick_up(call, at=live_server.url).action
    assert "Thank you" in bells.twilio.press(call, "1", at=live_server.url).text
    assert bells.state("shop") == "acknowledged"


@pytest.mark.slow
def test_a_person_is_told_in_their_language_whatever_the_process_is_called(
    bells: Bells, live_server: LiveServer, owner: User
) -> None:
    User.objects.filter(pk=owner.pk).update(language="fr")
    ContactPointFactory(user=owner, channel="phone", address=OTHER_PHONE)
    wanted = {"channel": "user", "at": timezone.now().timestamp(), "user-id": str(owner.pk)}
    bells.start('<Say>"A" & B</Say>', wanted)
    bells.forward(1)
    call = bells.twilio.calls[0]
    asked = bells.twilio.pick_up(call, at=live_server.url)
    assert asked.said[0] == '<Say>"A" & B</Say> demande votre attention'
    assert asked.said[2] == "Appuyez sur 1 pour acquitter."
    assert asked.languages == {"fr-FR"}
    assert "Merci" in bells.twilio.press(call, "1", at=live_server.url).text
    assert EscalationProcess.objects.get().ended_by == str(owner)


@pytest.mark.slow
@pytest.mark.parametrize(
    "key", ["", "1", "2"], ids=["while it rings", "before pressing 1", "before pressing 2"]
)
def test_who_is_locked_out_hears_so_and_acknowledges_nothing(
    bells: Bells, live_server: LiveServer, owner: User, key: str
) -> None:
    ContactPointFactory(user=owner, channel="phone", address=PHONE)
    wanted = {"channel": "user", "at": timezone.now().timestamp(), "user-id": str(owner.pk)}
    bells.start("shop", wanted, bells.call(60, OTHER_PHONE))
    bells.forward(1)
    call = bells.twilio.calls[0]
    if key:
        assert bells.twilio.pick_up(call, at=live_server.url).action
    user_update(user=owner, is_active=False)
    if key:
        told = bells.twilio.press(call, key, at=live_server.url)
    else:
        told = bells.twilio.pick_up(call, at=live_server.url)
    assert (told.text, told.action, told.hangs_up) == (LOCKED, "", True)
    assert bells.state("shop") == "active"
    bells.forward(60)
    assert bells.calls == [PHONE, OTHER_PHONE]


@pytest.mark.slow
def test_a_call_about_something_else_says_it_and_waits_for_no_key(
    bells: Bells, live_server: LiveServer, owner: User, settings: Settings
) -> None:
    settings.TWILIO_TWIML_URL = ""
    notification = notification_of(
        kind="test", data={}, source_type="contact_point", source_id="1", dedup_key="t"
    )
    deliver_to(notification=notification, user=owner, channel="phone", address=OTHER_PHONE)
    bells.forward(1)
    told = bells.twilio.pick_up(bells.twilio.calls[0], at=live_server.url)
    assert told.said[0] == notification.title
    assert (told.action, told.hangs_up) == ("", True)


@pytest.mark.slow
def test_only_twilio_gets_and_does_anything(bells: Bells, operator: User, client: Client) -> None:
    call = call_of(bells)
    path = f"/voice/{delivery_of(call).pk}/"
    client.force_login(operator)
    stranger = Twilio(auth_token="0" * 32)
    for made in (
        stranger.signed(f"https://tocsin.example.com{path}key/", {"Digits": "1"}),
        bells.twilio.signed(f"https://tocsin.example.com{path}key/", {"Digits": "2"}),
        bells.twilio.signed(f"https://tocsin.example.com/voice/{uuid.uuid4()}/key/", {"Digits": "1"}),
    ):
        signed = {"HTTP_X_TWILIO_SIGNATURE": made.signature}
        assert client.post(f"{path}key/", {"Digits": "1"}, **signed).status_code == 403  # type: ignore[arg-type]
        assert client.get(path, **signed).status_code == 403  # type: ignore[arg-type]
    assert client.get(path).status_code == client.post(path).status_code == 403
    missing = f"/voice/{uuid.uuid4()}/"
    made = bells.twilio.signed(f"https://tocsin.example.com{missing}", {})
    assert client.get(missing, headers={"X-Twilio-Signature": made.signature}).status_code == 404
    assert bells.state("shop") == "active"


def test_what_xml_cannot_hold_and_nobody_listens_to_is_left_out() -> None:
    told = parse(twiml.telling(["a\x00\x08b\n\nc \ud800" + "x" * 9000, "\x01"], language="xx"))
    assert told.said == (("a b c " + "x" * 9000)[: twiml.MAX_SAID],)
    assert told.languages == {""}


# --- Hanging up -------------------------------------------------------------------------------------


def ring(bells: Bells, *numbers: str) -> list[Created]:
    later = bells.email(3600)
    bells.start("shop", *[bells.call(0, number) for number in numbers], later)
    bells.forward(1)
    return bells.twilio.calls


@pytest.mark.slow
def test_a_stop_hangs_up_what_rings_and_what_talks(
    bells: Bells, live_server: LiveServer, redis: Redis
) -> None:
    ringing, answered, done, busy = ring(bells, PHONE, OTHER_PHONE, PHONE, OTHER_PHONE)
    bells.twilio.report(ringing, "ringing", at=live_server.url)
    bells.twilio.pick_up(answered, at=live_server.url)
    bells.twilio.report(busy, "busy", at=live_server.url)
    bells.twilio.pick_up(done, at=live_server.url, answered_by="human")
    bells.twilio.statuses[done.sid] = "completed"  # its report is on its way
    bells.stop("shop")
    assert [job.func_name for job in django_rq.get_queue().jobs].count("escalation.jobs.hang_ups") == 1
    jobs.hang_ups()
    assert sorted(bells.twilio.hung_up) == sorted([ringing.sid, answered.sid])
    assert not HangUp.objects.exists()
    # Twilio reports the end of a call that was hung up as one that nobody answered: that is no failure.
    bells.twilio.report(ringing, "no-answer", at=live_server.url)
    states = {(each.status, each.reason) for each in map(delivery_of, (answered, done))}
    assert states == {("sent", "answered")}
    assert (delivery_of(ringing).status, delivery_of(ringing).reason) == ("sent", "hung_up")
    assert (delivery_of(busy).status, delivery_of(busy).reason) == ("failed", "undelivered")
    assert explain(delivery_of(ringing)).startswith("Told by phone; the call was hung up")


@pytest.mark.slow
def test_a_key_press_hangs_up_the_other_calls(bells: Bells, live_server: LiveServer) -> None:
    mine, other = ring(bells, PHONE, OTHER_PHONE)
    bells.twilio.pick_up(mine, at=live_server.url)
    bells.twilio.press(mine, "1", at=live_server.url)
    assert hang_ups.run(timezone.now()) == 1
    assert bells.twilio.hung_up == [other.sid]


@pytest.mark.slow
def test_a_call_that_is_being_made_at_the_stop_is_hung_up_once_it_is_known(bells: Bells) -> None:
    bells.twilio.behave("slow:700")
    bells.start("shop", bells.call(0), bells.email(3600))
    bells.twilio.wait_for(1, 30)
    bells.stop("shop")
    asked_at = HangUp.objects.get().next_at
    ended = hang_ups.run(asked_at)  # most likely none: Twilio has not answered yet
    bells.twilio.behave("ok")
    assert bells.sender.drain(30)
    ended += hang_ups.run(asked_at + timedelta(seconds=1))
    assert ended == 1
    assert bells.twilio.hung_up == [bells.twilio.calls[0].sid]


@pytest.mark.slow
def test_a_failure_that_may_pass_is_tried_again_and_a_lost_job_is_made_good(
    bells: Bells, redis: Redis
) -> None:
    (call,) = ring(bells, PHONE)
    bells.stop("shop")
    redis.flushdb()  # the job is lost
    now = timezone.now() + timedelta(seconds=1)
    receivers.look(now)
    assert [job.func_name for job in django_rq.get_queue().jobs] == ["escalation.jobs.hang_ups"]
    bells.twilio.behave("fail:2")
    waited_s = []
    for _ in range(2):
        assert hang_ups.run(now) == 0
        waited_s.append((HangUp.objects.get().next_at - now).total_seconds())
        now = HangUp.objects.get().next_at
    assert waited_s == [1, 2]
    assert hang_ups.run(now) == 1
    assert bells.twilio.hung_up == [call.sid]


@pytest.mark.slow
def test_what_was_taken_by_a_job_that_died_is_taken_again(bells: Bells) -> None:
    ring(bells, PHONE)
    bells.stop("shop")
    now = timezone.now()
    assert len(hang_ups._taken(now)) == 1
    assert hang_ups.run(now) == 0
    assert hang_ups.run(now + timedelta(seconds=7)) == 1


def made_by_a_worker_that_was_killed(bells: Bells) -> tuple[Created, Delivery]:
    """A call whose id nobody here knows: Twilio has made it, and its worker died before it could say so."""
    (call,) = ring(bells, PHONE)
    delivery = delivery_of(call)
    AttemptRow.objects.filter(delivery=delivery).delete()
    Delivery.objects.filter(pk=delivery.pk).update(status="pending", attempts=0, sent_at=None)
    Outgoing.objects.create(
        delivery=delivery,
        lane=registry.get("phone").lane(PHONE),
        due_at=delivery.due_at,
        expires_at=delivery.expires_at,
        revocable=True,
        attempts=1,
        lease_until=bells.clock() + timedelta(seconds=60),
    )
    return call, delivery


@pytest.mark.slow
@pytest.mark.parametrize("is_known_lost", [False, True])
def test_a_call_whose_worker_was_killed_is_hung_up_once_a_report_names_it(
    bells: Bells, live_server: LiveServer, is_known_lost: bool
) -> None:
    call, delivery = made_by_a_worker_that_was_killed(bells)
    bells.stop("shop")
    if is_known_lost:
        bells.forward(120)
        delivery.refresh_from_db()
        assert (delivery.status, delivery.reason) == ("cancelled", "revoked_lost")
        assert "may have been sent" in explain(delivery)
        hang_ups.run(clock.now() + timedelta(minutes=3))
    assert bells.twilio.report(call, "ringing", at=live_server.url) == 204
    assert hang_ups.run(clock.now() + timedelta(seconds=1)) == 1
    assert bells.twilio.hung_up == [call.sid]


@pytest.mark.slow
def test_a_report_corrects_what_was_taken_for_stopped(bells: Bells, live_server: LiveServer) -> None:
    call, delivery = made_by_a_worker_that_was_killed(bells)
    bells.stop("shop")
    bells.forward(120)
    assert bells.twilio.report(call, "completed", at=live_server.url) == 204
    delivery.refresh_from_db()
    assert (delivery.status, delivery.reason) == ("sent", "answered")
    assert delivery.sent_at is not None
    assert delivery.attempt_set.get().outcome == "sent"


@pytest.mark.slow
def test_the_report_of_a_call_that_goes_on_hangs_up_nothing(bells: Bells, live_server: LiveServer) -> None:
    call = call_of(bells)
    assert bells.twilio.report(call, "ringing", at=live_server.url) == 204
    assert not HangUp.objects.exists()


@pytest.mark.slow
@pytest.mark.parametrize(
    ("trouble", "later"),
    [
        (lambda twilio: twilio.refuse(401, 20003, "Authenticate"), timedelta()),
        (lambda twilio: twilio.behave("status:503"), timedelta(minutes=11)),
    ],
)
def test_what_can_not_be_hung_up_is_given_up_and_said(
    bells: Bells,
    caplog: pytest.LogCaptureFixture,
    trouble: Callable[[Twilio], Any],
    later: timedelta,
) -> None:
    ring(bells, PHONE)
    bells.stop("shop")
    trouble(bells.twilio)
    assert hang_ups.run(timezone.now() + later) == 0
    assert "hang_up_failed" in caplog.text
    assert PHONE not in caplog.text
    assert not HangUp.objects.exists()
    assert Delivery.objects.get(channel="phone").reason == ""


@pytest.mark.slow
def test_what_ends_by_itself_hangs_up_nothing(bells: Bells) -> None:
    bells.start("shop", bells.call(0))
    bells.forward(1)
    assert bells.state("shop") == "unanswered"
    assert not HangUp.objects.exists()
