"""Phone calls: exactly the request that Twilio documents, and the caller id that goes with the number."""

import pytest
from pytest_django import Settings

from notifications.channels import registry
from notifications.channels.message import Receipt, Rejected
from notifications.channels.phone import caller_ids
from notifications.channels.transport.session import Session
from tests.notifications.channels.conftest import MessageBuilder
from tests.servers.twilio import Twilio

CHANNEL = registry.get("phone")
NUMBER = "+33612345678"


async def test_a_call_is_created_as_twilio_documents_it(
    session: Session, twilio: Twilio, message: MessageBuilder
) -> None:
    sent = message(channel="phone", address=NUMBER)
    receipt = await CHANNEL.send(sent, session)
    assert twilio.requests[0].path == f"/2010-04-01/Accounts/{twilio.account_sid}/Calls.json"
    (call,) = twilio.calls
    assert receipt == Receipt(201, call.sid)
    assert call.fields == {
        "To": NUMBER,
        "From": "+33755555555",
        "Url": "https://twiml.example.com/say.xml",
        "Method": "GET",
        "StatusCallback": (
            f"https://tocsin.example.com/api/v1/providers/twilio/status/{sent.delivery_id}/?attempt=1"
        ),
        "StatusCallbackEvent": "initiated ringing answered completed",
    }


async def test_an_escalation_is_said_by_the_product_where_twilio_can_reach_it(
    session: Session, twilio: Twilio, message: MessageBuilder, settings: Settings
) -> None:
    sent = message(address=NUMBER, kind="escalation")
    await CHANNEL.send(sent, session)
    settings.TWILIO_MACHINE_DETECTION = False
    await CHANNEL.send(sent, session)
    settings.PUBLIC_URL = "http://localhost:8000"
    await CHANNEL.send(sent, session)
    here, unlistened, elsewhere = (call.fields for call in twilio.calls)
    assert here["Url"] == f"https://tocsin.example.com/voice/{sent.delivery_id}/"
    assert here["MachineDetection"] == "Enable"
    assert unlistened["Url"] == here["Url"]
    assert "MachineDetection" not in unlistened
    assert elsewhere == {
        "To": NUMBER,
        "From": "+33755555555",
        "Url": "https://twiml.example.com/say.xml",
        "Method": "GET",
    }


async def test_without_twiml_of_ones_own_the_product_says_every_call(
    session: Session, twilio: Twilio, message: MessageBuilder, settings: Settings
) -> None:
    settings.TWILIO_TWIML_URL = ""
    assert registry.is_offered("phone")
    sent = message(address=NUMBER)
    await CHANNEL.send(sent, session)
    assert twilio.calls[0].fields["Url"] == f"https://tocsin.example.com/voice/{sent.delivery_id}/"
    settings.PUBLIC_URL = "http://localhost:8000"
    assert not registry.is_offered("phone")
    with pytest.raises(Rejected, match="not set up"):
        await CHANNEL.send(sent, session)


# --- Caller ids ----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("number", "caller_id"),
    [
        ("+38512345678", "+3851111111"),
        ("+3859123456", "+3852222222"),
        ("+38", "+12569065677"),
        ("+61412345678", "+6117065677"),
        ("+33612345678", "+12569065677"),
    ],
)
def test_the_longest_prefix_counts_else_the_default(number: str, caller_id: str) -> None:
    given = {
        "+385": "+3851111111",
        "+3859": "+3852222222",
        "+61": "+6117065677",
        "default": "+12569065677",
    }
    assert caller_ids.chosen(number, given) == caller_id


def test_where_the_registry_has_none_the_setting_counts(settings: Settings) -> None:
    settings.TWILIO_CALL_FROM = "+33755555555"
    caller_ids.use([("+385", "+3851111111")])
    assert caller_ids.caller_id("+38512345678") == "+3851111111"
    assert caller_ids.caller_id("+33612345678") == "+33755555555"


async def test_the_registry_goes_before_the_setting(
    session: Session, twilio: Twilio, message: MessageBuilder
) -> None:
    caller_ids.use([("default", "+12569065677"), ("+33", "+33100000000")])
    await CHANNEL.send(message(address=NUMBER), session)
    await CHANNEL.send(message(address="+38512345678"), session)
    assert [call.fields["From"] for call in twilio.calls] == ["+33100000000", "+12569065677"]


async def test_without_any_caller_id_the_failure_is_final_and_clear(
    session: Session, twilio: Twilio, message: MessageBuilder, settings: Settings
) -> None:
    settings.TWILIO_CALL_FROM = ""
    caller_ids.use([("+385", "+3851111111")])
    with pytest.raises(Rejected, match=r"^no caller id"):
        await CHANNEL.send(message(address=NUMBER), session)
    assert not twilio.requests


# --- The rest ------------------------------------------------------------------------------------


@pytest.mark.parametrize("missing", ["TWILIO_ACCOUNT_SID", "TWILIO_AUTH_TOKEN"])
async def test_without_an_account_the_failure_is_final_and_says_so(
    session: Session, twilio: Twilio, message: MessageBuilder, settings: Settings, missing: str
) -> None:
    setattr(settings, missing, "")
    assert not registry.is_offered("phone")
    with pytest.raises(Rejected, match="not set up"):
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
    await CHANNEL.send(message(address=NUMBER), session)
    assert len(twilio.requests) == len(twilio.calls) == 1


def test_the_originals_own_numbers_are_taken() -> None:
    assert CHANNEL.normalised_address("+3851111111") == "+3851111111"


def test_calls_can_be_stopped_and_have_a_lane_of_their_own(twilio: Twilio) -> None:
    assert CHANNEL.revocable
    assert CHANNEL.lane(NUMBER) == f"{twilio.origin}/{twilio.account_sid.lower()}/calls"
