"""What somebody has typed reaches others as text of a message: no header, no markup, no field of its own."""

import re
from collections.abc import AsyncIterator, Iterator
from email import message_from_bytes
from urllib.parse import parse_qs
from xml.etree import ElementTree

import pytest
from pytest_django.fixtures import Settings

from escalation.voice import twiml
from notifications.channels import registry
from notifications.channels.transport.session import Session
from tests.hostile import ALL, Hostile
from tests.notifications.channels.conftest import message
from tests.notifications.channels.destinations import (
    Destination,
    HttpDestination,
    MailDestination,
    destination_for,
)

__all__ = ["message"]
#: What can stand in a notification: all but what PostgreSQL can't hold.
TOLD = [each for each in ALL if each.kind != "surrogate" and "\0" not in each.text]
CHANNELS = ("email", "webhook", "third_party", "sms", "phone", "telegram", "pubnub", "push")
#: All the headers that a mail of ours may have.
MAIL = {
    "from", "to", "subject", "date", "message-id", "auto-submitted", "list-unsubscribe",
    "list-unsubscribe-post", "content-type", "content-transfer-encoding", "mime-version",
}  # fmt: skip
#: All the fields of a form that Twilio is posted.
FORM = {
    "To", "From", "Body", "MessagingServiceSid", "StatusCallback", "StatusCallbackEvent", "Url", "Method",
    "MachineDetection",
}  # fmt: skip


@pytest.fixture
async def session() -> AsyncIterator[Session]:
    async with Session() as opened:
        yield opened


@pytest.fixture
def destination(channel: str, settings: Settings) -> Iterator[Destination]:
    with destination_for(channel)(settings) as opened:
        yield opened


def title_of(given: Hostile) -> str:
    """A title is never nothing but spaces: those that are made of texts are cleaned."""
    return f"{given.text[:190]} {given.mark}"


@pytest.mark.parametrize("channel", CHANNELS)
async def test_it_is_the_text_and_nothing_else(
    channel: str, destination: Destination, session: Session, message: object
) -> None:
    given = TOLD[CHANNELS.index(channel) :: len(CHANNELS)] if channel != "email" else TOLD[::4]
    for each in given:
        sent = message(  # type: ignore[operator]
            channel=channel,
            address=destination.address,
            title=title_of(each),
            body=each.text,
            data={"url": each.text, "label": each.text, "alert_uuid": each.text, each.text: each.text},
        )
        await registry.get(channel).send(sent, session)
        server = destination._server  # type: ignore[attr-defined]
        if isinstance(destination, MailDestination):
            assert server.mails[-1].recipients == [destination.address]
            assert_is_one_mail(server.mails[-1].content, each)
        else:
            request = server.requests[-1]
            assert each.mark not in request.path
            assert not any(each.mark in name + value for name, value in request.headers.items())
            assert_is_one_body(request, each, isinstance(destination, HttpDestination))
    assert destination.received() == len(given)


def assert_is_one_mail(content: bytes, given: Hostile) -> None:
    head, _, _ = content.partition(b"\r\n\r\n")
    names = [
        line.partition(b":")[0].decode().lower() for line in head.split(b"\r\n") if line[:1] not in b" \t"
    ]
    assert set(names) <= MAIL, (given.id, names)
    assert len(names) == len(set(names)), (given.id, names)
    assert not re.search(b"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\xff]|\r(?!\n)|(?<!\r)\n", head), given.id
    assert all(len(line) <= 998 for line in content.split(b"\r\n")), given.id  # RFC 5322, 2.1.1
    mail = message_from_bytes(content)
    assert [part.get_content_type() for part in mail.walk()] == ["text/plain"], given.id
    assert not mail.defects


def assert_is_one_body(request: object, given: Hostile, is_ours: bool) -> None:
    kind = request.headers["content-type"]  # type: ignore[attr-defined]
    if kind.startswith("application/x-www-form-urlencoded"):
        fields = parse_qs(request.body.decode(), strict_parsing=True)  # type: ignore[attr-defined]
        assert set(fields) <= FORM, (given.id, set(fields))
        return
    assert kind.startswith("application/json")
    body = request.json  # type: ignore[attr-defined]
    assert "parse_mode" not in body  # to Telegram: what is sent is text, and no markup
    if is_ours and "data" in body:
        assert body["data"]["title"] == title_of(given), given.id


def test_a_call_says_it_and_does_nothing_that_it_says() -> None:
    for given in TOLD:
        for said in (
            twiml.asking([given.text, given.text], language="en", action="/key/"),
            twiml.telling([given.text], language="fr"),
        ):
            response = ElementTree.fromstring(said)
            assert {each.tag for each in response.iter()} <= {"Response", "Gather", "Say", "Pause", "Hangup"}
            assert all(set(each.attrib) <= {"language"} for each in response.iter("Say")), given.id
