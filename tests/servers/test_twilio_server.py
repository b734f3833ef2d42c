"""The local Twilio refuses what the real one would: other tests rely on it."""

import base64
import json
import urllib.error
import urllib.request
from collections.abc import Iterator
from typing import Any
from urllib.parse import urlencode

import pytest

from tests.servers.twilio import ACCOUNT_SID, AUTH_TOKEN, Created, Twilio

MESSAGE = {"To": "+33612345678", "From": "+33755555555", "Body": "Fire."}
CALL = {"To": "+33612345678", "From": "+33755555555", "Url": "https://a.example/", "Method": "GET"}
LOG_IN = f"{ACCOUNT_SID}:{AUTH_TOKEN}"


@pytest.fixture
def server() -> Iterator[Twilio]:
    with Twilio() as running:
        yield running


def call(
    server: Twilio, resource: str, fields: Any, *, log_in: str = LOG_IN, account: str = ACCOUNT_SID
) -> tuple[int, dict[str, Any]]:
    request = urllib.request.Request(
        f"{server.origin}/2010-04-01/Accounts/{account}/{resource}.json",
        urlencode(fields).encode(),
        {"Authorization": f"Basic {base64.b64encode(log_in.encode()).decode()}"},
    )
    try:
        with urllib.request.urlopen(request, timeout=30) as response:
            return response.status, json.loads(response.read())
    except urllib.error.HTTPError as error:
        with error:
            return error.code, json.loads(error.read())


def test_it_creates_messages_and_calls(server: Twilio) -> None:
    status, created = call(server, "Messages", MESSAGE)
    assert (status, created["status"], created["to"]) == (201, "queued", MESSAGE["To"])
    assert server.messages == [Created(created["sid"], MESSAGE)]
    status, created = call(server, "Calls", CALL)
    assert (status, created["sid"][:2]) == (201, "CA")
    assert server.calls == [Created(created["sid"], CALL)]


@pytest.mark.parametrize(
    ("resource", "change", "code"),
    [
        ("Messages", {"To": ""}, 21604),
        ("Messages", {"To": "0612345678"}, 21211),
        ("Messages", {"From": ""}, 21603),
        ("Messages", {"From": "+0"}, 21212),
        ("Messages", {"From": "", "MessagingServiceSid": "MG1"}, 21701),
        ("Messages", {"Body": ""}, 21602),
        ("Messages", {"Body": "x" * 1601}, 21617),
        ("Messages", {"Body": "🔔" * 801}, 21617),
        ("Messages", {"StatusCallback": "http://localhost:8000/"}, 21609),
        ("Messages", {"StatusCallback": "https://my_host.example.com/"}, 21609),
        ("Messages", {"Text": "?"}, 20001),
        ("Calls", {"From": "Tocsin"}, 21212),
        ("Calls", {"Url": "a.example"}, 21205),
        ("Calls", {"Method": "PUT"}, 21403),
        ("Calls", {"Body": "?"}, 20001),
    ],
)
def test_it_refuses_what_is_not_documented(
    server: Twilio, resource: str, change: dict[str, str], code: int
) -> None:
    fields = {**(MESSAGE if resource == "Messages" else CALL), **change}
    status, fault = call(server, resource, fields)
    assert (status, fault["status"], fault["code"]) == (400, 400, code)
    assert not server.messages
    assert not server.calls


@pytest.mark.parametrize(
    ("change", "answer"),
    [
        ({"log_in": f"{ACCOUNT_SID}:"}, (401, 20003)),
        ({"log_in": "x"}, (401, 20003)),
        ({"account": "AC" + "f" * 32}, (404, 20404)),
        ({"account": "AC1"}, (404, 20404)),
    ],
)
def test_it_knows_one_account_only(server: Twilio, change: dict[str, str], answer: tuple[int, int]) -> None:
    status, fault = call(server, "Messages", MESSAGE, **change)
    assert (status, fault["code"]) == answer


def test_it_refuses_and_fails_as_told(server: Twilio) -> None:
    server.refuse(400, 21610, "{To} has unsubscribed")
    status, fault = call(server, "Messages", MESSAGE)
    assert (status, fault["code"], fault["message"]) == (400, 21610, "+33612345678 has unsubscribed")
    server.accept()
    server.behave("fail:1")
    assert call(server, "Messages", MESSAGE)[0] == 503
    assert call(server, "Messages", MESSAGE)[0] == 201


@pytest.mark.slow
def test_it_signs_as_in_twilios_example() -> None:
    number = "+14158675309"
    fields = {"CallSid": "CA1234567890ABCDE", "Caller": number, "Digits": "1234", "From": number}
    callback = Twilio(auth_token="12345").signed(
        "https://mycompany.com/myapp.php?foo=1&bar=2", {**fields, "To": "+18005551212"}
    )
    assert callback.signature == "RSOYDt4T1cUTdK1PDd93/VVr8B8="
