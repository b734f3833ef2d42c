"""What tests of the engine, of events and of channels share."""

from collections.abc import Iterator

import pytest
from pytest_django import Settings

from tests.clock import Clock
from tests.servers.twilio import Twilio


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def twilio(settings: Settings) -> Iterator[Twilio]:
    """Twilio, set up for text messages and phone calls; reports of it are asked for."""
    with Twilio() as server:
        settings.TWILIO_BASE_URL = server.origin
        settings.TWILIO_ACCOUNT_SID = server.account_sid
        settings.TWILIO_AUTH_TOKEN = server.auth_token
        settings.TWILIO_SMS_FROM = settings.TWILIO_CALL_FROM = "+33755555555"
        settings.TWILIO_TWIML_URL = "https://twiml.example.com/say.xml"
        settings.PUBLIC_URL = "https://tocsin.example.com"
        yield server
