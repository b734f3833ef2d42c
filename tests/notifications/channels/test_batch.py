"""Several deliveries in one request: both formats, their signature, and what an answer says of each."""

import json
import uuid
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

import pytest
from pytest_django.fixtures import Settings

from notifications.channels import registry
from notifications.channels.message import Message, Receipt, Rejected, TooFast, Unavailable
from notifications.channels.transport import batch, signing
from notifications.channels.transport.batch import Batching
from notifications.channels.transport.session import Session
from tests.notifications.channels.conftest import ALERT, MessageBuilder
from tests.servers.behaviour import Reply, answer
from tests.servers.third_party import Request, ThirdParty

WEBHOOK, THIRD_PARTY = registry.get("webhook"), registry.get("third_party")
CLOUDEVENTS, NDJSON = Batching(10, 0, "cloudevents"), Batching(10, 0, "ndjson")
Build = Callable[[int], list[Message]]


@pytest.fixture
def messages(message: MessageBuilder, third_party: ThirdParty) -> Build:
    """So many of one contact point, in different deliveries."""
    contact_point = uuid.uuid4()

    def build(count: int) -> list[Message]:
        return [
            message(address=third_party.url, delivery_id=uuid.uuid4(), contact_point_id=contact_point)
            for _ in range(count)
        ]

    return build


def answering(status: int, body: bytes) -> Callable[[Request], Reply]:
    return lambda request: Reply(answer(status, body=body))


async def test_cloudevents(
    session: Session, third_party: ThirdParty, messages: Build, settings: Settings
) -> None:
    settings.PUBLIC_URL = "https://tocsin.example.com"
    sent = messages(3)
    assert await WEBHOOK.send_batch(sent, session, CLOUDEVENTS) == [Receipt(200)] * 3
    (request,) = third_party.requests
    assert request.headers["content-type"] == "application/cloudevents-batch+json"
    await WEBHOOK.send(sent[1], session)
    alone = third_party.requests[1].json
    assert request.json[1] == {
        "specversion": "1.0",
        "source": "https://tocsin.example.com",
        "id": str(sent[1].delivery_id),
        "type": alone["type"],
        "time": alone["timestamp"],
        "datacontenttype": "application/json",
        "data": alone["data"],
    }
    assert [each["id"] for each in request.json] == [str(each.delivery_id) for each in sent]


async def test_ndjson(session: Session, third_party: ThirdParty, messages: Build) -> None:
    sent = messages(3)
    assert await WEBHOOK.send_batch(sent, session, NDJSON) == [Receipt(200)] * 3
    (request,) = third_party.requests
    assert request.headers["content-type"] == "application/x-ndjson"
    lines = request.body.splitlines()
    assert [json.loads(line)["id"] for line in lines] == [str(each.delivery_id) for each in sent]
    await WEBHOOK.send(sent[1], session)
    assert json.loads(lines[1]) == {"id": str(sent[1].delivery_id), **third_party.requests[1].json}


@pytest.mark.parametrize("batching", [CLOUDEVENTS, NDJSON])
async def test_the_third_party_gets_what_it_gets_of_each(
    session: Session, third_party: ThirdParty, messages: Build, batching: Batching
) -> None:
    sent = messages(2)
    assert await THIRD_PARTY.send_batch(sent, session, batching) == [Receipt(200)] * 2
    fields = {name: ALERT[name] for name in ("url", "alert_uuid", "location", "label")}
    assert third_party.requests[0].told == [
        (str(each.delivery_id), {"target_user_uuid": str(each.user_uuid), **fields}) for each in sent
    ]


async def test_it_is_signed_as_a_single_one_is(
    session: Session, third_party: ThirdParty, messages: Build
) -> None:
    sent = messages(3)
    await WEBHOOK.send_batch(sent, session, NDJSON)
    (request,) = third_party.requests
    contact_point = sent[0].contact_point_id
    assert contact_point is not None
    at = datetime.fromtimestamp(int(request.headers["webhook-timestamp"]), UTC)
    assert signing.verify([signing.secret_for(contact_point, 1)], request.headers, request.body, now=at)
    assert not signing.verify([signing.secret_for(contact_point, 2)], request.headers, request.body, now=at)


async def test_the_same_deliveries_make_the_same_id_and_others_another(
    session: Session, third_party: ThirdParty, messages: Build
) -> None:
    sent = messages(3)
    for these in (sent, sent, sent[:2]):
        await WEBHOOK.send_batch(these, session, CLOUDEVENTS)
    first, again, fewer = (request.delivery_id for request in third_party.requests)
    assert first == again != fewer


@pytest.mark.parametrize("status", [200, 202, 207])
async def test_an_answer_may_judge_each(
    session: Session, third_party: ThirdParty, messages: Build, status: int
) -> None:
    sent = messages(6)
    results = [
        {"id": str(each.delivery_id).upper(), "status": verdict}
        for each, verdict in zip(sent[1:], (201, 422, 503, 429, "fine"), strict=True)
    ]
    results.append({"id": "another's", "status": 500})
    third_party.behave(answering(status, json.dumps({"results": results}).encode()))
    unnamed, told, refused, failed, too_fast, odd = await WEBHOOK.send_batch(sent, session, CLOUDEVENTS)
    assert (unnamed, told) == (Receipt(status), Receipt(201))
    assert isinstance(refused, Rejected)
    assert (refused.status_code, str(refused)) == (422, "answered 422")
    assert type(failed) is Unavailable
    assert isinstance(too_fast, TooFast)
    assert type(odd) is Unavailable


@pytest.mark.parametrize("body", [b"", b"ok", b"[]", b'{"ok": true}', b'{"half', b"<p>\xff"])
async def test_whatever_else_is_in_an_answer_of_2xx_tells_all(
    session: Session, third_party: ThirdParty, messages: Build, body: bytes
) -> None:
    third_party.behave(answering(200, body))
    assert await WEBHOOK.send_batch(messages(2), session, NDJSON) == [Receipt(200)] * 2


@pytest.mark.parametrize(
    ("status", "body"),
    [
        (207, b""),
        (207, b"{}"),
        (207, b'{"results": {}}'),
        (200, b'{"results": [{"id": "half'),
        (200, b'{"results": [1]}'),
        (200, b'{"results": [{"id": 1, "status": 200}]}'),
        (200, b'{"results": "all"}'),
    ],
)
async def test_results_that_cannot_be_read_may_be_failures(
    session: Session, third_party: ThirdParty, messages: Build, status: int, body: bytes
) -> None:
    third_party.behave(answering(status, body))
    with pytest.raises(Unavailable, match="results can't be read"):
        await WEBHOOK.send_batch(messages(2), session, NDJSON)


@pytest.mark.parametrize(
    ("status", "failure"), [(400, Rejected), (302, Rejected), (429, TooFast), (500, Unavailable)]
)
async def test_any_other_answer_is_of_all(
    session: Session, third_party: ThirdParty, messages: Build, status: int, failure: type[Exception]
) -> None:
    ids = {"results": [{"id": str(uuid.uuid4()), "status": 200}]}
    third_party.behave(answering(status, json.dumps(ids).encode()))
    with pytest.raises(failure):
        await THIRD_PARTY.send_batch(messages(2), session, NDJSON)


async def test_a_thousand_results_are_read(
    session: Session, third_party: ThirdParty, messages: Build, settings: Settings
) -> None:
    settings.RESPONSE_MAX_BYTES = 1000
    sent = messages(batch.MOST)
    results: list[Any] = [{"id": str(each.delivery_id), "status": 200, "error": "x" * 20} for each in sent]
    results[-1]["status"] = 410
    third_party.behave(answering(200, json.dumps({"results": results}).encode()))
    *told, refused = await WEBHOOK.send_batch(sent, session, CLOUDEVENTS)
    assert told == [Receipt(200)] * (batch.MOST - 1)
    assert isinstance(refused, Rejected)
