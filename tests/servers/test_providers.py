"""The local providers refuse what the real ones would: other tests rely on it."""

import json
import urllib.error
import urllib.request
from typing import Any

import pytest

from tests.servers.fcm import FCM, PROJECT
from tests.servers.pubnub import PUBLISH_KEY, SUBSCRIBE_KEY, PubNub
from tests.servers.telegram import BOT_TOKEN, Telegram
from tests.servers.twiml import parse


def post(url: str, content: Any, **headers: str) -> tuple[int, Any]:
    body = content if isinstance(content, bytes) else json.dumps(content).encode()
    request = urllib.request.Request(url, body, {"Content-Type": "application/json", **headers})
    try:
        with urllib.request.urlopen(request, timeout=30) as response:
            return response.status, json.loads(response.read())
    except urllib.error.HTTPError as error:
        with error:
            return error.code, json.loads(error.read())


def test_telegram_takes_messages_and_refuses_what_is_not_documented() -> None:
    with Telegram() as server:
        send = f"{server.origin}/bot{BOT_TOKEN}/sendMessage"
        assert post(send, {"chat_id": 5, "text": "a"})[1]["result"]["message_id"] == 1
        for wrong in (
            {"chat_id": 5},
            {"chat_id": "5", "text": "a"},
            {"chat_id": 5, "text": "a" * 4097},
            b"x",
        ):
            status, said = post(send, wrong)
            assert (status, said["ok"], said["error_code"]) == (400, False, 400)
        assert post(send, {"chat_id": 5, "text": "a", "body": "?"})[0] == 400
        assert post(send.replace(BOT_TOKEN, "1:a"), {"chat_id": 5, "text": "a"})[0] == 401
        assert len(server.messages) == 1


def test_pubnub_takes_messages_and_refuses_what_is_not_documented() -> None:
    with PubNub() as server:
        keys = f"{PUBLISH_KEY}/{SUBSCRIBE_KEY}"
        publish = f"{server.origin}/publish/{keys}/0/a/0?store=0&uuid=u"
        assert post(publish, {"a": 1})[1][:2] == [1, "Sent"]
        for wrong in (
            publish.replace("/a/", "/a%2Cb/"),
            publish.replace("store=0&", ""),
            publish.replace("&uuid=u", ""),
            publish.replace(PUBLISH_KEY, "x"),
        ):
            assert post(wrong, {"a": 1})[0] == 400
        assert post(publish, b"x")[0] == 400
        assert post(publish, "x" * 40_000)[0] == 413
        assert len(server.published) == 1


def test_fcm_takes_nothing_without_its_token_and_refuses_what_is_not_documented() -> None:
    with FCM() as server:
        send = f"{server.origin}/v1/projects/{PROJECT}/messages:send"
        message = {"token": "a", "data": {"b": "c"}}
        assert post(send, {"message": message}, Authorization="Bearer x")[0] == 401
        form = {"Content-Type": "application/x-www-form-urlencoded"}
        for wrong in (b"", b"grant_type=password", b"grant_type=urn%3Aietf%3Aparams%3Aoauth%3Agrant-type"):
            assert post(f"{server.origin}/token", wrong, **form)[0] == 400
        server._valid.add("good")
        log_in = {"Authorization": "Bearer good"}
        assert post(send, {"message": message}, **log_in)[0] == 200
        for change in (
            {"token": ""},
            {"data": {"b": 1}},
            {"data": {"from": "b"}},
            {"data": {"b": "c" * 5000}},
            {"body": "d"},
            {"android": {"priority": "high"}},
        ):
            status, said = post(send, {"message": {**message, **change}}, **log_in)
            assert (status, said["error"]["details"][0]["errorCode"]) == (400, "INVALID_ARGUMENT")
        assert server.messages == [message]


@pytest.mark.parametrize(
    "document",
    [
        "<Say>a</Say>",
        "<Response><Say></Say></Response>",
        "<Response><Shout>a</Shout></Response>",
        '<Response><Say loud="1">a</Say></Response>',
        "<Response><Gather><Hangup/></Gather></Response>",
        f"<Response><Say>{'a' * 4097}</Say></Response>",
        "<Response>",
    ],
)
def test_instructions_that_twilio_would_not_follow_are_refused(document: str) -> None:
    with pytest.raises((ValueError, SyntaxError)):
        parse(document)
