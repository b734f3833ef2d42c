"""Text messages: exactly the request that Twilio documents, a text that fits, and what its refusals mean."""

from typing import Any

import pytest
from django.core.exceptions import ValidationError
from pytest_django import Settings

from accounts.models import User
from notifications.channels import registry
from notifications.channels.message import Receipt, Rejected, Unavailable
from notifications.channels.sms import MAX_LENGTH, text_of
from notifications.channels.transport.session import Session
from notifications.models import ContactPoint
from notifications.services.contact_points import contact_point_create, contact_point_update
from tests.notifications.channels.conftest import MessageBuilder
from tests.servers.twilio import Twilio

CHANNEL = registry.get("sms")
NUMBER = "+33612345678"


# --- The request ---------------------------------------------------------------------------------


async def test_a_message_is_created_as_twilio_documents_it(
    session: Session, twilio: Twilio, message: MessageBuilder
) -> None:
    sent = message(channel="sms", address=NUMBER, attempt=2)
    assert await CHANNEL.send(sent, session) == Receipt(201, twilio.messages[-1].sid)
    (request,) = twilio.requests
    assert request.path == f"/2010-04-01/Accounts/{twilio.account_sid}/Messages.json"
    (created,) = twilio.messages
    assert created.fields == {
        "To": NUMBER,
        "From": "+33755555555",
        "Body": "Theft at Auchan La Rochelle\nAisle 4, two persons.\nhttps://media.example.com/clip.mp4",
        "StatusCallback": (
            f"https://tocsin.example.com/api/v1/providers/twilio/status/{sent.delivery_id}/?attempt=2"
        ),
    }


async def test_a_messaging_service_can_be_the_sender(
    session: Session, twilio: Twilio, message: MessageBuilder, settings: Settings
) -> None:
    settings.TWILIO_SMS_FROM = "MG" + "0" * 32
    await CHANNEL.send(message(address=NUMBER), session)
    assert twilio.messages[0].fields["MessagingServiceSid"] == "MG" + "0" * 32
    assert "From" not in twilio.messages[0].fields


async def test_where_twilio_cannot_reach_us_no_report_is_asked_for(
    session: Session, twilio: Twilio, message: MessageBuilder, settings: Settings
) -> None:
    settings.PUBLIC_URL = "http://localhost:8000"
    await CHANNEL.send(message(address=NUMBER), session)
    assert "StatusCallback" not in twilio.messages[0].fields


async def test_a_path_and_a_slash_in_the_base_url_are_kept_apart(
    session: Session, twilio: Twilio, message: MessageBuilder, settings: Settings
) -> None:
    settings.TWILIO_BASE_URL = f"{twilio.origin}/"
    assert await CHANNEL.send(message(address=NUMBER), session) == Receipt(201, twilio.messages[-1].sid)


async def test_the_connection_is_used_again(
    session: Session, twilio: Twilio, message: MessageBuilder
) -> None:
    for _ in range(3):
        await CHANNEL.send(message(address=NUMBER), session)
    assert (len(twilio.messages), twilio.connections) == (3, 1)


# --- Refusals ------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("change", "error"),
    [
        (
            {"TWILIO_AUTH_TOKEN": "wrong"},
            "answered 401, error 20003: the credentials are not accepted; check",
        ),
        ({"TWILIO_ACCOUNT_SID": "AC" + "f" * 32}, "answered 401, error 20003"),
        ({"TWILIO_SMS_FROM": "-"}, "answered 400, error 21212: the sender is not valid"),
        ({"TWILIO_SMS_FROM": ""}, "not set up"),
        ({"TWILIO_ACCOUNT_SID": ""}, "not set up"),
        ({"TWILIO_AUTH_TOKEN": ""}, "not set up"),
    ],
)
async def test_a_wrong_setting_is_a_final_failure_that_says_which(
    session: Session,
    twilio: Twilio,
    message: MessageBuilder,
    settings: Settings,
    change: dict[str, str],
    error: str,
) -> None:
    for name, value in change.items():
        setattr(settings, name, value)
    with pytest.raises(Rejected) as failure:
        await CHANNEL.send(message(address=NUMBER), session)
    assert str(failure.value).startswith(error)
    assert not twilio.messages


async def test_a_refused_number_is_final_and_told_by_its_code(
    session: Session, twilio: Twilio, message: MessageBuilder
) -> None:
    twilio.refuse(400, 21610, "Attempt to send to unsubscribed recipient {To}")
    with pytest.raises(Rejected, match=r"^answered 400, error 21610: the person has unsubscribed"):
        await CHANNEL.send(message(address=NUMBER), session)


async def test_too_many_requests_may_pass(session: Session, twilio: Twilio, message: MessageBuilder) -> None:
    twilio.refuse(429, 20429, "Too Many Requests", "Retry-After: 9")
    with pytest.raises(Unavailable, match="error 20429") as failure:
        await CHANNEL.send(message(address=NUMBER), session)
    assert failure.value.retry_after == 9
    twilio.accept()
    assert await CHANNEL.send(message(address=NUMBER), session) == Receipt(201, twilio.messages[-1].sid)


@pytest.mark.slow
@pytest.mark.parametrize("behaviour", ["huge", "trickle"])
async def test_an_answer_without_end_is_judged_by_its_status(
    session: Session, twilio: Twilio, message: MessageBuilder, settings: Settings, behaviour: str
) -> None:
    settings.CHANNEL_POLICIES = {"sms": {"timeout_s": 1.0}}
    twilio.behave(behaviour)
    assert await CHANNEL.send(message(address=NUMBER), session) == Receipt(200)


# --- The text ------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("fields", "text"),
    [
        ({"title": "Your code", "body": "123456", "data": {}}, "Your code\n123456"),
        ({"title": "Hello", "body": "", "data": {}}, "Hello"),
        ({"title": "Hello", "body": "Hello", "data": {"url": None}}, "Hello"),
        ({"title": "", "body": "123456\n", "data": {}}, "123456"),
        ({"title": "Look", "body": "at https://a.example/1", "data": {"url": "https://a.example/1"}},
         "Look\nat https://a.example/1"),
    ],
)  # fmt: skip
def test_the_text_says_everything_once(message: MessageBuilder, fields: dict[str, Any], text: str) -> None:
    assert text_of(message(**fields)) == text


@pytest.mark.parametrize(("letter", "times"), [("a", 2000), ("é", 1600), ("語", 2000), ("🔔", 1000)])
def test_a_long_text_is_cut_to_what_twilio_takes_and_keeps_its_link(
    message: MessageBuilder, letter: str, times: int
) -> None:
    text = text_of(message(title="Alarm", body=letter * times))
    units = len(text.encode("utf-16-le")) // 2
    assert MAX_LENGTH - 1 <= units <= MAX_LENGTH
    assert text.startswith(f"Alarm\n{letter * 10}")
    assert text.endswith("…\nhttps://media.example.com/clip.mp4")


def test_a_link_that_is_too_long_gives_way(message: MessageBuilder) -> None:
    url = "https://example.com/" + "x" * MAX_LENGTH
    assert text_of(message(title="Alarm", body="Fire.", data={"url": url})) == "Alarm\nFire."


async def test_the_longest_text_is_taken(session: Session, twilio: Twilio, message: MessageBuilder) -> None:
    sent = message(address=NUMBER, body="🔔" * 2000)
    assert await CHANNEL.send(sent, session) == Receipt(201, twilio.messages[-1].sid)
    assert twilio.messages[0].text == text_of(sent)


# --- Addresses, and whether it is offered -----------------------------------------------------------


@pytest.mark.parametrize(
    ("address", "normal"),
    [
        ("+33612345678", NUMBER),
        ("+33 6 12 34 56 78", NUMBER),
        ("+33 (0)6 12-34-56-78", NUMBER),
        ("+1 650-253-0000", "+16502530000"),
    ],
)
def test_numbers_are_kept_in_their_international_form(address: str, normal: str) -> None:
    assert CHANNEL.normalised_address(address) == normal


@pytest.mark.parametrize("address", ["0612345678", "+33", "+999123456789", "+3361234567890", "whatsapp:+33"])
def test_what_is_no_number_is_refused(address: str) -> None:
    with pytest.raises(ValidationError, match="international form"):
        CHANNEL.normalised_address(address)


def test_each_product_of_an_account_has_a_lane(twilio: Twilio) -> None:
    lane = f"{twilio.origin}/{twilio.account_sid.lower()}"
    assert CHANNEL.lane(NUMBER) == CHANNEL.lane("+16502530000") == f"{lane}/messages"


def test_it_is_offered_where_it_is_set_up(twilio: Twilio, owner: User) -> None:
    assert registry.is_offered("sms")
    point, created = contact_point_create(user=owner, channel="sms", address="+33 6 12 34 56 78")
    assert (point.address, created) == (NUMBER, True)


@pytest.mark.parametrize("missing", ["TWILIO_ACCOUNT_SID", "TWILIO_AUTH_TOKEN", "TWILIO_SMS_FROM"])
def test_it_is_not_offered_where_it_is_not_set_up(
    twilio: Twilio, owner: User, settings: Settings, missing: str
) -> None:
    setattr(settings, missing, "")
    assert not registry.is_offered("sms")
    with pytest.raises(ValidationError) as refusal:
        contact_point_create(user=owner, channel="sms", address=NUMBER)
    (message,) = refusal.value.message_dict["channel"]
    assert message.startswith("sms is not set up on this server. Choose one of: email, inbox")
    assert "sms" not in message.partition(":")[2]
    assert not ContactPoint.objects.exists()


def test_one_that_is_there_can_be_switched_off_though_it_is_not_set_up_any_more(
    twilio: Twilio, owner: User, settings: Settings
) -> None:
    point, _ = contact_point_create(user=owner, channel="sms", address=NUMBER)
    settings.TWILIO_ACCOUNT_SID = ""
    contact_point_update(contact_point=point, is_enabled=False)
    point.full_clean()
    assert not ContactPoint.objects.get().is_enabled


def test_what_is_no_channel_for_people_is_not_offered() -> None:
    assert not registry.is_offered("third_party")
    assert not registry.is_offered("pigeon")
