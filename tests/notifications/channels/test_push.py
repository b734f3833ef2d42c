"""Push: exactly the request that FCM's HTTP v1 API documents, its refusals, and one access token for many."""

import asyncio
import json
from collections.abc import Iterator
from typing import Any

import pytest
from pytest_django import Settings

from notifications.channels import push, registry
from notifications.channels.message import Receipt, Rejected, TooFast, Unavailable
from notifications.channels.transport import google_tokens
from notifications.channels.transport.session import Session
from tests.notifications.channels.conftest import MessageBuilder
from tests.servers.fcm import FCM, PROJECT

CHANNEL = registry.get("push")
TOKEN = "d3vice:APA91b-Token_1"


@pytest.fixture
def fcm(settings: Settings) -> Iterator[FCM]:
    with FCM() as server:
        settings.FCM_BASE_URL, settings.FCM_TOKEN_URL = server.origin, ""
        settings.FCM_SERVICE_ACCOUNT = server.service_account
        yield server


# --- The request ---------------------------------------------------------------------------------


async def test_a_message_is_sent_as_fcm_documents_it(
    session: Session, fcm: FCM, message: MessageBuilder
) -> None:
    sent = message(address=TOKEN)
    assert await CHANNEL.send(sent, session) == Receipt(200, "0:1")
    exchange, request = fcm.requests
    assert exchange.path == "/token"
    assert request.path == f"/v1/projects/{PROJECT}/messages:send"
    assert request.headers["authorization"] == f"Bearer {fcm.granted[0]}"
    same = str(sent.delivery_id)
    assert fcm.messages == [
        {
            "token": TOKEN,
            "notification": {"title": "Theft at Auchan La Rochelle", "body": "Aisle 4, two persons."},
            "data": {"kind": "alert", "delivery_id": same, "url": "https://media.example.com/clip.mp4"},
            "android": {"priority": "HIGH", "notification": {"tag": same}},
            "apns": {"headers": {"apns-priority": "10", "apns-collapse-id": same}},
        }
    ]


@pytest.mark.slow
@pytest.mark.parametrize(("platform", "left_out"), [("ios", "android"), ("android", "apns"), ("", None)])
async def test_the_apps_own_data_is_sent_as_it_is_with_what_its_platform_needs(
    session: Session, fcm: FCM, message: MessageBuilder, platform: str, left_out: str | None
) -> None:
    data = {"status": "1", "warning_level": "4", "language": "fr"}
    sent = message(address=TOKEN, data={"push": data, "platform": platform}, severity="standard")
    await CHANNEL.send(sent, session)
    (got,) = fcm.messages
    assert got["data"] == data
    assert {"android", "apns"} - got.keys() == ({left_out} if left_out else set())


async def test_what_fcm_would_refuse_is_mended(session: Session, fcm: FCM, message: MessageBuilder) -> None:
    data: dict[str, Any] = {"push": {"from": "x", "gcm.a": "x", "google": "x", "n": 5, "deep": {"a": None}}}
    await CHANNEL.send(message(address=TOKEN, title="é" * 500, body="🔔" * 5000, data=data), session)
    assert fcm.messages[0]["data"] == {"n": "5", "deep": '{"a":null}'}


# --- Refusals ------------------------------------------------------------------------------------


@pytest.mark.slow
@pytest.mark.parametrize(
    ("status", "code", "error"),
    [
        (404, "UNREGISTERED", "answered 404, UNREGISTERED: the app is not installed there any more"),
        (400, "INVALID_ARGUMENT", "answered 400, INVALID_ARGUMENT: the token or the message is not valid"),
        (403, "SENDER_ID_MISMATCH", "answered 403, SENDER_ID_MISMATCH: the token belongs"),
        (401, "THIRD_PARTY_AUTH_ERROR", "answered 401, THIRD_PARTY_AUTH_ERROR: Apple's"),
        (403, "PERMISSION_DENIED", "answered 403; check FCM_SERVICE_ACCOUNT"),
    ],
)
async def test_a_refusal_is_final_and_says_why(
    session: Session, fcm: FCM, message: MessageBuilder, status: int, code: str, error: str
) -> None:
    fcm.refuse(status, code)
    with pytest.raises(Rejected) as failure:
        await CHANNEL.send(message(address=TOKEN), session)
    assert str(failure.value).startswith(error)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("status", "code", "headers", "wait_s"),
    [
        (429, "QUOTA_EXCEEDED", ("Retry-After: 7",), 7),
        (429, "QUOTA_EXCEEDED", (), 60),
        (503, "UNAVAILABLE", ("Retry-After: 9",), 9),
        (500, "INTERNAL", (), None),
    ],
)
async def test_what_may_pass_is_tried_again_when_fcm_says(
    session: Session,
    fcm: FCM,
    message: MessageBuilder,
    status: int,
    code: str,
    headers: tuple[str, ...],
    wait_s: float | None,
) -> None:
    fcm.refuse(status, code, *headers)
    with pytest.raises(Unavailable, match=f"answered {status}, {code}") as failure:
        await CHANNEL.send(message(address=TOKEN), session)
    assert failure.value.retry_after == wait_s
    assert isinstance(failure.value, TooFast) is (status == 429)


# --- Access tokens -------------------------------------------------------------------------------


async def test_many_at_once_share_one_access_token(
    session: Session, fcm: FCM, message: MessageBuilder
) -> None:
    await asyncio.gather(*[CHANNEL.send(message(address=TOKEN), session) for _ in range(50)])
    await CHANNEL.send(message(address=TOKEN), session)
    assert (len(fcm.messages), len(fcm.granted)) == (51, 1)


@pytest.mark.slow
@pytest.mark.parametrize(("lasts_s", "granted"), [(3599, 1), (int(google_tokens.USED_NO_MORE_S), 2)])
async def test_a_token_that_ends_soon_is_used_no_more(
    session: Session, fcm: FCM, message: MessageBuilder, lasts_s: int, granted: int
) -> None:
    fcm.lasts_s = lasts_s
    for _ in range(2):
        await CHANNEL.send(message(address=TOKEN), session)
    assert len(fcm.granted) == granted


async def test_a_token_is_renewed_before_it_ends_without_anybody_waiting(
    session: Session, fcm: FCM, message: MessageBuilder
) -> None:
    fcm.lasts_s = 100
    for _ in range(2):
        await CHANNEL.send(message(address=TOKEN), session)
    used = [each.headers["authorization"] for each in fcm.requests if each.path != "/token"]
    assert used == [f"Bearer {fcm.granted[0]}"] * 2
    renewed = (lambda: len(fcm.granted) == 2, 10, lambda: f"{len(fcm.granted)} granted")
    await asyncio.to_thread(fcm.wait_until, *renewed)


async def test_a_token_that_is_refused_is_renewed_once(
    session: Session, fcm: FCM, message: MessageBuilder
) -> None:
    await CHANNEL.send(message(address=TOKEN), session)
    fcm.expire()
    assert await CHANNEL.send(message(address=TOKEN), session) == Receipt(200, "0:2")
    assert len(fcm.granted) == 2


async def test_a_send_that_can_be_stopped_does_not_begin_a_second_time_by_itself(
    session: Session, fcm: FCM, message: MessageBuilder
) -> None:
    begun: list[None] = []
    sent = message(address=TOKEN, on_begin=lambda: begun.append(None))
    await CHANNEL.send(sent, session)
    fcm.expire()
    with pytest.raises(Unavailable, match="401"):
        await CHANNEL.send(sent, session)
    assert (len(begun), len(fcm.messages)) == (2, 1)
    assert await CHANNEL.send(sent, session) == Receipt(200, "0:2")


@pytest.mark.slow
async def test_who_gives_up_waiting_does_not_take_the_token_from_the_others(
    session: Session, fcm: FCM, message: MessageBuilder
) -> None:
    fcm.behave("slow:300", path="/token")
    impatient = asyncio.create_task(CHANNEL.send(message(address=TOKEN), session))
    patient = asyncio.create_task(CHANNEL.send(message(address=TOKEN), session))
    while not fcm.requests:
        await asyncio.sleep(0.005)
    impatient.cancel()
    with pytest.raises(asyncio.CancelledError):
        await impatient
    assert await patient == Receipt(200, "0:1")
    assert len(fcm.granted) == 1


@pytest.mark.slow
@pytest.mark.parametrize(
    ("behaviour", "failure"),
    [("status:503", Unavailable), ("status:400", Rejected), ("reset", Unavailable)],
)
async def test_without_an_access_token_the_failure_says_so(
    session: Session,
    fcm: FCM,
    message: MessageBuilder,
    behaviour: str,
    failure: type[Exception],
) -> None:
    fcm.behave(behaviour, path="/token")
    with pytest.raises(failure, match=r"^no access token"):
        await CHANNEL.send(message(address=TOKEN), session)
    assert not fcm.messages


@pytest.mark.parametrize("given", ["/nowhere.json", "{", "{}", '{"client_email": "a"}'])
async def test_a_key_file_that_is_none_is_a_final_failure_that_does_not_quote_it(
    session: Session, fcm: FCM, message: MessageBuilder, settings: Settings, given: str
) -> None:
    settings.FCM_SERVICE_ACCOUNT = given
    with pytest.raises(Rejected, match=r"^the service account's key file can't be read or is none$"):
        await CHANNEL.send(message(address=TOKEN), session)


async def test_the_key_file_can_be_a_path_and_a_bad_key_is_told(
    session: Session, fcm: FCM, message: MessageBuilder, settings: Settings, tmp_path: Any
) -> None:
    path = tmp_path / "key.json"
    path.write_text(fcm.service_account)
    settings.FCM_SERVICE_ACCOUNT = str(path)
    assert await CHANNEL.send(message(address=TOKEN), session) == Receipt(200, "0:1")
    broken = {**json.loads(fcm.service_account), "private_key": "no key", "client_email": "b@example.com"}
    settings.FCM_SERVICE_ACCOUNT = json.dumps(broken)
    with pytest.raises(Rejected, match="private key is none"):
        await CHANNEL.send(message(address=TOKEN), session)


def test_without_an_account_it_is_not_offered(settings: Settings) -> None:
    settings.FCM_SERVICE_ACCOUNT = ""
    assert not registry.is_offered("push")


def test_reserved_names_are_left_out_and_others_kept(message: MessageBuilder) -> None:
    sent = message(data={"push": {"fromage": "a", "googly": "b", "message_type": "c"}})
    assert push.data_of(sent) == {"fromage": "a", "googly": "b"}
