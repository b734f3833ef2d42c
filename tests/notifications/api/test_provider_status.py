"""Twilio's reports: taken if signed, and each counted once."""

import time
import uuid
from collections.abc import Callable
from typing import Any

import pytest
from pytest_django import Settings
from redis import Redis
from rest_framework.response import Response
from rest_framework.test import APIClient

from accounts.models import User
from notifications import metrics
from notifications.audit import audit
from notifications.channels.transport.twilio import status_callback
from notifications.explanations import explain
from notifications.models import Attempt, Delivery
from tests.factories import ContactPointFactory
from tests.openapi import SCHEMA
from tests.servers.twilio import Callback, Created, Twilio

MakeDelivery = Callable[..., Delivery]
MakeAttempt = Callable[..., Attempt]
FORM = "application/x-www-form-urlencoded"
ARRIVED = {"status": "delivered"}
LOST = {"status": "undelivered", "ErrorCode": "30003"}


@pytest.fixture(autouse=True)
def _nothing_counted(redis: Redis) -> None:
    metrics.flush()
    redis.flushdb()


@pytest.fixture
def delivery(twilio: Twilio, owner: User, make_delivery: MakeDelivery, make_attempt: MakeAttempt) -> Delivery:
    """A text message that Twilio took at the second attempt."""
    point = ContactPointFactory(user=owner, channel="sms", address="+33612345678")
    made = make_delivery(owner, contact_point=point, status="sent", attempts=2)
    make_attempt(made, number=1)
    make_attempt(made, number=2, outcome="sent", status_code=201)
    return made


def created(delivery: Delivery, *, attempt: int | None = None) -> Created:
    """The message at Twilio's."""
    url = status_callback(delivery.pk, attempt or delivery.attempts)
    return Created("SM" + "0" * 32, {"To": delivery.address, "From": "+33755555555", "StatusCallback": url})


def post(callback: Callback, **changes: Any) -> Response:
    """Post as Twilio does; a proxy has brought it to another host and scheme."""
    given = {"body": callback.body, "content_type": FORM, "signature": callback.signature, **changes}
    headers = {"X-Twilio-Signature": given["signature"]} if given["signature"] is not None else {}
    return APIClient().post(
        given.get("path", callback.path), given["body"], content_type=given["content_type"], headers=headers
    )


def report(twilio: Twilio, delivery: Delivery, *, attempt: int | None = None, **report: str) -> int:
    return post(twilio.callback(created(delivery, attempt=attempt), **report)).status_code


def state(delivery: Delivery) -> tuple[str, str]:
    delivery.refresh_from_db()
    return delivery.state, delivery.reason


def counted(total: int) -> dict[str, float]:
    """What was counted, once it is so much: another thread may be on its way to Redis with it."""
    deadline = time.monotonic() + 30
    while True:
        metrics.flush()
        counts = {key[2]: n for key, n in metrics.totals().items() if key[:2] == ("provider_reports", "sms")}
        if sum(counts.values()) >= total or time.monotonic() > deadline:
            return counts
        time.sleep(0.01)


# --- What it does --------------------------------------------------------------------------------


def test_what_arrived_stays_sent_and_says_so(twilio: Twilio, delivery: Delivery) -> None:
    assert report(twilio, delivery, **ARRIVED) == 204
    assert state(delivery) == ("sent", "delivered")
    assert explain(delivery) == "Told by sms, on attempt 2; the provider confirms it."
    assert counted(1) == {"delivered": 1}


def test_what_did_not_arrive_has_failed_and_can_be_replayed(
    twilio: Twilio, delivery: Delivery, as_user: Callable[[User], APIClient], operator: User
) -> None:
    assert report(twilio, delivery, **LOST) == 204
    assert state(delivery) == ("failed", "undelivered")
    assert counted(1) == {"undelivered": 1}
    first, last = delivery.attempt_set.all()
    assert (first.error, last.outcome) == ("", "sent")
    assert last.error == "taken, then reported as undelivered, error 30003: the handset can't be reached"
    assert as_user(operator).post(f"/api/v1/deliveries/{delivery.pk}/replay/").status_code == 200
    assert state(delivery) == ("pending", "")


def test_what_did_not_arrive_is_logged_without_the_number(
    twilio: Twilio, delivery: Delivery, capsys: pytest.CaptureFixture[str], caplog: pytest.LogCaptureFixture
) -> None:
    report(twilio, delivery, **LOST)
    shown = caplog.text + "".join(capsys.readouterr())
    assert "delivery_failed" in shown
    assert "30003" in shown
    assert str(delivery.pk) in shown
    assert "612345678" not in shown


def test_a_call_that_nobody_answered_did_not_arrive(
    twilio: Twilio, owner: User, make_delivery: MakeDelivery, make_attempt: MakeAttempt
) -> None:
    point = ContactPointFactory(user=owner, channel="phone", address="+33612345678")
    made = make_delivery(owner, contact_point=point, status="sent", attempts=1)
    make_attempt(made, outcome="sent")
    call = Created("CA" + "0" * 32, {"To": made.address, "StatusCallback": status_callback(made.pk, 1)})
    assert post(twilio.callback(call, "no-answer", CallDuration="0")).status_code == 204
    assert state(made) == ("failed", "undelivered")
    assert made.attempt_set.get().error == "taken, then reported as no-answer"


def test_a_call_that_was_answered_says_so_and_that_a_machine_did(
    twilio: Twilio, owner: User, make_delivery: MakeDelivery
) -> None:
    point = ContactPointFactory(user=owner, channel="phone", address="+33612345678")
    made = make_delivery(owner, contact_point=point, status="sent", attempts=1)
    call = Created("CA" + "0" * 32, {"To": made.address, "StatusCallback": status_callback(made.pk, 1)})
    reports: list[tuple[str, dict[str, str], str]] = [
        ("ringing", {}, ""),
        ("in-progress", {}, "answered"),
        ("completed", {"AnsweredBy": "machine_start"}, "voicemail"),
        ("completed", {"AnsweredBy": "human"}, "voicemail"),
        ("no-answer", {}, "voicemail"),
    ]
    for status, more, reason in reports:
        assert post(twilio.callback(call, status, **more)).status_code == 204
        assert state(made) == ("sent", reason)
    assert explain(made) == "Told by phone; a voicemail or a fax answered the call."


@pytest.mark.parametrize("status", ["queued", "sending", "sent", "flying"])
def test_what_is_on_its_way_changes_nothing(twilio: Twilio, delivery: Delivery, status: str) -> None:
    assert report(twilio, delivery, status=status) == 204
    assert state(delivery) == ("sent", "")
    assert counted(0) == {}


@pytest.mark.slow
@pytest.mark.parametrize(
    ("reports", "end"),
    [
        ([ARRIVED, ARRIVED], ("sent", "delivered")),
        ([LOST, LOST], ("failed", "undelivered")),
        ([ARRIVED, {"status": "sent"}], ("sent", "delivered")),
        ([ARRIVED, LOST], ("sent", "delivered")),
        ([LOST, ARRIVED], ("failed", "undelivered")),
    ],
)
def test_the_first_final_report_counts_and_counts_once(
    twilio: Twilio, delivery: Delivery, reports: list[dict[str, str]], end: tuple[str, str]
) -> None:
    for each in reports:
        assert report(twilio, delivery, **each) == 204
    assert state(delivery) == end
    assert sum(counted(1).values()) == 1


@pytest.mark.parametrize("each", [ARRIVED, LOST])
def test_a_late_report_on_an_earlier_attempt_changes_nothing(
    twilio: Twilio, delivery: Delivery, each: dict[str, str]
) -> None:
    assert report(twilio, delivery, attempt=1, **each) == 204
    assert state(delivery) == ("sent", "")
    assert counted(0) == {}


@pytest.mark.slow
@pytest.mark.parametrize(
    ("before", "each", "after"),
    [
        # Twilio was quicker than the sender is to write down that it was taken.
        ({"status": "sending", "reason": "retry"}, LOST, ("failed", "undelivered")),
        ({"status": "sending", "reason": ""}, ARRIVED, ("sending", "")),
        # Its answer was lost: it will be tried again anyway.
        ({"status": "pending", "reason": "retry"}, LOST, ("pending", "retry")),
        ({"status": "pending", "reason": "retry"}, ARRIVED, ("pending", "retry")),
        ({"status": "cancelled", "reason": "revoked"}, LOST, ("cancelled", "revoked")),
        ({"status": "failed", "reason": "exhausted"}, LOST, ("failed", "exhausted")),
        ({"status": "failed", "reason": "exhausted"}, ARRIVED, ("failed", "exhausted")),
    ],
)
def test_a_report_changes_only_what_was_taken(
    twilio: Twilio,
    owner: User,
    make_delivery: MakeDelivery,
    before: dict[str, str],
    each: dict[str, str],
    after: tuple[str, str],
) -> None:
    point = ContactPointFactory(user=owner, channel="sms", address="+33612345678")
    made = make_delivery(owner, contact_point=point, attempts=1, **before)
    assert report(twilio, made, attempt=1, **each) == 204
    assert state(made) == after


@pytest.mark.parametrize("each", [ARRIVED, LOST])
def test_the_audit_understands_it(twilio: Twilio, delivery: Delivery, each: dict[str, str]) -> None:
    def kinds() -> set[str]:
        return set(audit(now=delivery.due_at, settled=True).totals)

    before = kinds()
    report(twilio, delivery, **each)
    assert kinds() == before
    assert "failed_without_reason" not in before
    assert "sent_without_attempt" not in before


def test_an_undelivered_one_that_was_never_taken_is_a_gap(
    twilio: Twilio, owner: User, make_delivery: MakeDelivery
) -> None:
    make_delivery(owner, status="failed", reason="undelivered", attempts=0)
    assert "failed_without_reason" in audit(now=Delivery.objects.get().due_at).totals


# --- Who may -------------------------------------------------------------------------------------


@pytest.mark.slow
@pytest.mark.parametrize(
    "change",
    [
        {"signature": None},
        {"signature": ""},
        {"signature": "nonsense"},
        {"signature": "é"},
        {"body": "MessageStatus=delivered"},
        {"body": ""},
        {"body": "", "content_type": "application/json"},
    ],
)
def test_what_is_not_signed_gets_403_and_changes_nothing(
    twilio: Twilio, delivery: Delivery, change: dict[str, Any]
) -> None:
    callback = twilio.callback(created(delivery), **LOST)
    assert post(callback, **change).status_code == 403
    assert state(delivery) == ("sent", "")


def test_a_signature_holds_for_its_own_delivery_and_attempt_only(twilio: Twilio, delivery: Delivery) -> None:
    mine = twilio.callback(created(delivery), **LOST)
    other = twilio.callback(created(delivery, attempt=1), **LOST)
    assert post(mine, path=other.path).status_code == 403
    assert post(mine, path=mine.path.replace(str(delivery.pk), str(uuid.uuid4()))).status_code == 403
    assert post(mine, path=mine.path + "&more=1").status_code == 403


def test_another_account_is_a_stranger(twilio: Twilio, delivery: Delivery) -> None:
    other = Twilio(auth_token="0" * 32)
    assert post(other.callback(created(delivery), **LOST)).status_code == 403


@pytest.mark.parametrize("staff", [True, False])
def test_people_are_strangers_here(
    twilio: Twilio,
    delivery: Delivery,
    as_user: Callable[[User], APIClient],
    operator: User,
    owner: User,
    staff: bool,
) -> None:
    client = as_user(operator if staff else owner)
    path = twilio.callback(created(delivery), **LOST).path
    for method in ("get", "post", "put", "patch", "delete"):
        assert getattr(client, method)(path).status_code == 403


def test_without_an_account_nobody_is_believed(
    twilio: Twilio, delivery: Delivery, settings: Settings
) -> None:
    settings.TWILIO_AUTH_TOKEN = twilio.auth_token = ""
    assert post(twilio.callback(created(delivery), **LOST)).status_code == 403


def test_an_unknown_delivery_is_404_to_twilio_and_403_to_others(twilio: Twilio, delivery: Delivery) -> None:
    delivery.pk = uuid.uuid4()
    callback = twilio.callback(created(delivery), **LOST)
    assert post(callback).status_code == 404
    assert post(callback, signature="nonsense").status_code == 403


# --- Bad input -----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "query",
    ["", "?attempt=", "?attempt=x", "?attempt=0", "?attempt=-1", "?attempt=99999", "?attempt=%C2%B2"],
)
def test_a_report_on_no_attempt_is_refused(twilio: Twilio, delivery: Delivery, query: str) -> None:
    url = created(delivery).status_callback.partition("?")[0] + query
    refused = post(twilio.signed(url, {"MessageStatus": "undelivered"}))
    assert refused.status_code == 400
    assert list(refused.json()) == ["attempt"]
    assert state(delivery) == ("sent", "")


@pytest.mark.parametrize(
    "content_type", ["application/json", "text/plain", "multipart/form-data; boundary=x"]
)
def test_another_form_than_twilios_is_refused(twilio: Twilio, delivery: Delivery, content_type: str) -> None:
    callback = twilio.callback(created(delivery), **LOST)
    assert post(callback, content_type=content_type).status_code == 415


@pytest.mark.parametrize("body", ["%00=%00", "&&==&", "MessageStatus=%FF%FE", "a" * 5000])
def test_a_body_that_makes_no_sense_does_no_harm(twilio: Twilio, delivery: Delivery, body: str) -> None:
    callback = twilio.callback(created(delivery), **LOST)
    assert post(callback, body=body).status_code == 403


def test_fields_that_are_not_known_yet_are_no_hindrance(twilio: Twilio, delivery: Delivery) -> None:
    assert report(twilio, delivery, **LOST, RawDlrDoneDate="2603201031", Neu="é ü +1") == 204
    assert state(delivery) == ("failed", "undelivered")


def test_it_is_not_in_the_schema() -> None:
    paths = SCHEMA["paths"]
    assert "/api/v1/deliveries/" in paths
    assert not [path for path in paths if "provider" in path]
