"""Twilio: what its answers mean, and whose callbacks are its own. All pure."""

import uuid
from datetime import UTC, datetime

import pytest
from django.urls import reverse
from pytest_django import Settings

from notifications.channels.message import Receipt, Rejected, TooFast, Unavailable
from notifications.channels.phone.channel import VOICE_PATH
from notifications.channels.transport import twilio
from notifications.channels.transport.http1 import Answer

NOW = datetime(2026, 3, 20, 10, 31, tzinfo=UTC)
URL = "https://mycompany.com/myapp.php?foo=1&bar=2"
FIELDS = [
    ("Digits", "1234"),
    ("To", "+18005551212"),
    ("From", "+14158675309"),
    ("Caller", "+14158675309"),
    ("CallSid", "CA1234567890ABCDE"),
]
# The example of Twilio's documentation, for the auth token 12345.
SIGNATURE = "RSOYDt4T1cUTdK1PDd93/VVr8B8="


# --- Answers -------------------------------------------------------------------------------------


def test_what_was_created_is_sent() -> None:
    made = twilio.receipt(Answer(201, None, b'{"sid": "SM1", "status": "queued"}'), now=NOW)
    assert made == Receipt(201, "SM1")


@pytest.mark.parametrize("body", [b"", b'{"sid": "SM', b"[]", b'{"sid": 1}', b'{"sid": "+33612345678"}'])
def test_an_answer_that_was_cut_short_has_no_reference(body: bytes) -> None:
    assert twilio.receipt(Answer(201, None, body), now=NOW) == Receipt(201)


@pytest.mark.parametrize(
    ("status", "body", "error"),
    [
        (
            400,
            b'{"code": 21211, "message": "+336 is not a valid phone number", "status": 400}',
            "answered 400, error 21211: it is not a valid phone number",
        ),
        (400, b'{"code": 98765, "message": "+336"}', "answered 400, error 98765"),
        (400, b"<html>+336</html>", "answered 400"),
        (400, b'{"code": "+336"}', "answered 400"),
        (400, b'["code"]', "answered 400"),
        (400, b'{"code": true', "answered 400"),
        (404, b'{"code": 20404}', "answered 404, error 20404: there is no such account or resource"),
        (302, b"", "answered 302"),
    ],
)
def test_a_refusal_is_final_and_names_no_number(status: int, body: bytes, error: str) -> None:
    with pytest.raises(Rejected) as failure:
        twilio.receipt(Answer(status, None, body), now=NOW)
    assert str(failure.value) == error
    assert failure.value.status_code == status


@pytest.mark.parametrize("status", [401, 403])
def test_bad_credentials_are_final_and_say_what_to_check(status: int) -> None:
    with pytest.raises(Rejected, match=rf"^answered {status}, error 20003: .*check TWILIO_ACCOUNT_SID"):
        twilio.receipt(Answer(status, None, b'{"code": 20003, "message": "Authenticate"}'), now=NOW)


@pytest.mark.parametrize(
    ("status", "body"),
    [
        (429, b'{"code": 20429}'),
        (429, b""),
        (408, b""),
        (500, b'{"code": 20500}'),
        (503, b"<html>"),
        (400, b'{"code": 20429}'),
        (400, b'{"code": 21611}'),
    ],
)
def test_what_may_pass_is_tried_again_when_asked_to(status: int, body: bytes) -> None:
    with pytest.raises(Unavailable) as failure:
        twilio.receipt(Answer(status, "17", body), now=NOW)
    assert failure.value.retry_after == 17
    assert failure.value.status_code == status
    assert isinstance(failure.value, TooFast) is (status in (400, 429))


# --- Signatures ----------------------------------------------------------------------------------


def test_the_signature_is_the_one_of_twilios_example() -> None:
    assert twilio.signature("12345", URL, FIELDS) == SIGNATURE


def is_authentic(**changes: object) -> bool:
    given = {"given": SIGNATURE, "auth_token": "12345", "url": URL, "fields": FIELDS, **changes}
    return twilio.is_authentic(given.pop("given"), **given)  # type: ignore[arg-type]


def test_twilios_own_callbacks_are_authentic() -> None:
    assert is_authentic()
    assert is_authentic(fields=reversed(FIELDS))


@pytest.mark.parametrize(
    "change",
    [
        {"given": ""},
        {"given": "é"},
        {"given": SIGNATURE.lower()},
        {"auth_token": "12346"},
        {"url": "https://mycompany.com/myapp.php?foo=1&bar=3"},
        {"url": "http://mycompany.com/myapp.php?foo=1&bar=2"},
        {"fields": FIELDS[1:]},
        {"fields": [*FIELDS, ("More", "")]},
        {"fields": [("Digits", "1235"), *FIELDS[1:]]},
    ],
)
def test_whatever_was_changed_is_not_authentic(change: dict[str, object]) -> None:
    assert not is_authentic(**change)


def test_nothing_is_authentic_without_an_auth_token() -> None:
    assert not is_authentic(auth_token="", given=twilio.signature("", URL, FIELDS))


def test_a_port_that_one_side_leaves_out_does_no_harm() -> None:
    signed = {
        url: twilio.signature("12345", url, FIELDS)
        for url in ("https://example.com/a", "https://example.com:443/a")
    }
    assert len(set(signed.values())) == 2
    for url in signed:
        assert all(is_authentic(url=url, given=each) for each in signed.values())
    other = twilio.signature("12345", "https://example.com:8443/a", FIELDS)
    assert not is_authentic(url="https://example.com/a", given=other)


def test_fields_given_twice_are_all_signed() -> None:
    twice = [("A", "2"), ("A", "1")]
    given = twilio.signature("12345", URL, twice)
    assert is_authentic(fields=twice, given=given)
    assert not is_authentic(fields=[("A", "1")], given=given)


# --- Reports -------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("fields", "report"),
    [
        ({"MessageStatus": "delivered"}, (True, "")),
        ({"MessageStatus": "read"}, (True, "")),
        ({"CallStatus": "in-progress"}, (True, "", "answered")),
        ({"CallStatus": "completed"}, (True, "", "answered")),
        ({"CallStatus": "completed", "AnsweredBy": "human"}, (True, "", "answered")),
        ({"CallStatus": "completed", "AnsweredBy": "machine_start"}, (True, "", "voicemail")),
        ({"CallStatus": "completed", "AnsweredBy": "fax"}, (True, "", "voicemail")),
        (
            {"MessageStatus": "undelivered", "ErrorCode": "30003"},
            (False, "undelivered, error 30003: the handset can't be reached"),
        ),
        ({"MessageStatus": "failed", "ErrorCode": "31999"}, (False, "failed, error 31999")),
        ({"MessageStatus": "failed", "ErrorCode": ""}, (False, "failed")),
        ({"MessageStatus": "failed", "ErrorCode": "+33612345678"}, (False, "failed")),
        ({"CallStatus": "no-answer"}, (False, "no-answer")),
        ({"CallStatus": "busy"}, (False, "busy")),
        ({"CallStatus": "canceled"}, (False, "canceled")),
    ],
)
def test_a_final_state_is_reported(fields: dict[str, str], report: tuple[bool, str, str]) -> None:
    assert twilio.report_of(fields) == twilio.Report(*report)


@pytest.mark.parametrize("status", ["queued", "accepted", "sending", "sent", "ringing", "flying", ""])
def test_what_is_on_its_way_is_no_report(status: str) -> None:
    assert twilio.report_of({"MessageStatus": status}) is None
    assert twilio.report_of({}) is None


def test_reports_are_asked_for_at_the_path_that_takes_them(settings: Settings) -> None:
    settings.PUBLIC_URL = "https://tocsin.example.com/alerts"
    delivery_id = uuid.uuid4()
    path = reverse("twilio-status", args=[delivery_id])
    assert twilio.STATUS_PATH.format(delivery_id=delivery_id) == path
    assert VOICE_PATH.format(delivery_id=delivery_id) == reverse("voice", args=[delivery_id])
    assert twilio.status_callback(delivery_id, 3) == f"https://tocsin.example.com/alerts{path}?attempt=3"


@pytest.mark.parametrize(
    ("url", "asked"),
    [
        ("http://localhost:8000", False),
        ("http://tocsin:8000", False),
        ("http://tocsin.local", False),
        ("http://127.0.0.1:8000", False),
        ("http://192.168.1.2", False),
        ("http://[::1]:8000", False),
        ("https://8.8.8.8", True),
        ("https://tocsin.example.com", True),
    ],
)
def test_reports_are_asked_for_only_where_twilio_can_reach_us(
    settings: Settings, url: str, asked: bool
) -> None:
    settings.PUBLIC_URL = url
    assert (twilio.status_callback(uuid.uuid4(), 1) is not None) is asked
