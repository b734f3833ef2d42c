"""Phone calls: exactly the request that Twilio documents."""

import pytest
from pytest_django import Settings

from notifications.channels import registry
from notifications.channels.base import Receipt, Rejected
from notifications.channels.session import Session
from tests.notifications.channels.conftest import MessageBuilder
from tests.servers.twilio import Twilio

CHANNEL = registry.get("phone")
NUMBER = "+33612345678"


async def test_a_call_is_created_as_twilio_documents_it(
    session: Session, twilio: Twilio, message: MessageBuilder
) -> None:
    sent = message(channel="phone", address=NUMBER)
    assert await CHANNEL.send(sent, session) == Receipt(201)
    assert twilio.requests[0].path == f"/2010-04-01/Accounts/{twilio.account_sid}/Calls.json"
    (call,) = twilio.calls
    assert call.fields == {
        "To": NUMBER,
        "From": "+33755555555",
        "Url": "https://twiml.example.com/say.xml",
        "Method": "GET",
        "StatusCallback": (
            f"https://tocsin.example.com/api/v1/providers/twilio/status/{sent.delivery_id}/?attempt=1"
        ),
    }


@pytest.mark.parametrize(
    ("missing", "error"),
    [
        ("TWILIO_CALL_FROM", "no caller id"),
        ("TWILIO_TWIML_URL", "not set up"),
        ("TWILIO_ACCOUNT_SID", "not set up"),
        ("TWILIO_AUTH_TOKEN", "not set up"),
    ],
)
async def test_a_missing_setting_is_a_final_failure_that_says_which(
    session: Session, twilio: Twilio, message: MessageBuilder, settings: Settings, missing: str, error: str
) -> None:
    setattr(settings, missing, "")
    assert not registry.is_offered("phone")
    with pytest.raises(Rejected, match=error):
        await CHANNEL.send(message(address=NUMBER), session)
    assert not twilio.requests


async def test_a_call_that_is_stopped_at_the_last_instant_is_not_made(
    session: Session, twilio: Twilio, message: MessageBuilder
) -> None:
    class Stopped(Exception):
        pass

    def stop() -> None:
        raise Stopped

    with pytest.raises(Stopped):
        await CHANNEL.send(message(address=NUMBER, on_begin=stop), session)
    assert await CHANNEL.send(message(address=NUMBER), session) == Receipt(201)
    assert len(twilio.requests) == 1


def test_calls_can_be_stopped_and_have_a_lane_of_their_own(twilio: Twilio) -> None:
    assert CHANNEL.revocable
    assert CHANNEL.lane(NUMBER) == f"{twilio.origin}/{twilio.account_sid.lower()}/calls"
