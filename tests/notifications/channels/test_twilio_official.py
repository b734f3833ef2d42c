"""Twilio's own package against ours: each signs what the other accepts, and it reads back what we sent."""

import logging
from urllib.parse import parse_qsl

import pytest
import requests
from pytest_django import Settings
from twilio.http import HttpClient
from twilio.http.response import Response
from twilio.request_validator import RequestValidator
from twilio.rest import Client

from notifications.channels import registry
from notifications.channels.transport import twilio as ours
from notifications.channels.transport.session import Session
from tests.notifications.channels.conftest import MessageBuilder
from tests.servers.twilio import AUTH_TOKEN, Created, Twilio

URL = "https://tocsin.example.com/api/v1/providers/twilio/status/1/?attempt=1"
FIELDS = {"CallSid": "CA1", "CallStatus": "completed", "To": "+33612345678", "Caller": "é & =+", "Empty": ""}
NUMBER = "+33612345678"


class ToServer(HttpClient):
    """The package's transport, with another origin in the place of Twilio's."""

    def __init__(self, origin: str) -> None:
        super().__init__(logging.getLogger(__name__), is_async=False)
        self._origin = origin

    def request(  # type: ignore[no-untyped-def]
        self,
        method,
        url,
        params=None,
        data=None,
        headers=None,
        auth=None,
        timeout=None,
        allow_redirects=False,
    ) -> Response:
        there = url.replace("https://api.twilio.com", self._origin)
        answer = requests.request(
            method, there, params=params, data=data, headers=headers, auth=auth, timeout=30
        )
        return Response(answer.status_code, answer.text)


@pytest.mark.parametrize("url", [URL, URL.replace(".com/", ".com:443/"), "https://a.example/voice/1/?a=%20b"])
def test_we_accept_what_the_validator_computes_and_nothing_else(url: str) -> None:
    validator = RequestValidator(AUTH_TOKEN)
    for fields in (FIELDS, {}):
        given = validator.compute_signature(url, fields)
        known = {"auth_token": AUTH_TOKEN, "url": url}
        assert ours.is_authentic(given, fields=fields.items(), **known)  # type: ignore[arg-type]
        assert ours.signature(AUTH_TOKEN, url, fields.items()) == given
        assert not ours.is_authentic(given, fields=[*fields.items(), ("a", "b")], **known)  # type: ignore[arg-type]


def test_the_validator_accepts_what_our_local_server_signs(settings: Settings) -> None:
    server, validator = Twilio(), RequestValidator(AUTH_TOKEN)
    created = Created("CA" + "0" * 32, {"To": NUMBER, "StatusCallback": URL})
    callback = server.callback(created, "completed", CallDuration="5")
    fields = dict(parse_qsl(callback.body, keep_blank_values=True))
    assert validator.validate(callback.url, fields, callback.signature)
    assert not validator.validate(callback.url, {**fields, "CallDuration": "6"}, callback.signature)


async def test_its_client_reads_back_what_we_sent(
    session: Session, twilio: Twilio, message: MessageBuilder
) -> None:
    call = await registry.get("phone").send(message(address=NUMBER), session)
    text = await registry.get("sms").send(message(address=NUMBER), session)
    client = Client(twilio.account_sid, twilio.auth_token, http_client=ToServer(twilio.origin))
    (read,) = client.calls.list()
    assert (read.sid, read.to, read._from, read.status) == (call.reference, NUMBER, "+33755555555", "queued")
    told = client.messages(text.reference).fetch()
    assert (told.to, told.body.partition("\n")[0]) == (NUMBER, "Theft at Auchan La Rochelle")
    assert await ours.hang_up(call.reference, session=session, timeout_s=5) is True
    assert client.calls(call.reference).fetch().status == "completed"
    assert await ours.hang_up(call.reference, session=session, timeout_s=5) is False


async def test_its_client_hangs_up_as_we_do(
    session: Session, twilio: Twilio, message: MessageBuilder
) -> None:
    call = await registry.get("phone").send(message(address=NUMBER), session)
    client = Client(twilio.account_sid, twilio.auth_token, http_client=ToServer(twilio.origin))
    client.calls(call.reference).update(status="completed")
    other = await registry.get("phone").send(message(address=NUMBER), session)
    await ours.hang_up(other.reference, session=session, timeout_s=5)
    theirs, mine = (each for each in twilio.requests if f"/{each.path.rpartition('/')[2][:2]}" == "/CA")
    assert theirs.body == mine.body == b"Status=completed"
    assert theirs.path.replace(call.reference, other.reference) == mine.path
