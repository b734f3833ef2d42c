"""Answers with their bodies, for providers that say there what is wrong."""

from typing import Any

import pytest
from pytest_django import Settings

from notifications.channels.message import Unavailable
from notifications.channels.transport.http1 import Answer
from notifications.channels.transport.session import Session
from tests.servers.third_party import ThirdParty


async def ask(session: Session, url: str, **options: Any) -> Answer:
    given = {"body": b"", "headers": {}, "timeout_s": 5.0, "trusted": True, "keep_body": True, **options}
    return await session.answer_to(url, **given)


@pytest.mark.parametrize(
    ("behaviour", "answer"),
    [
        ("ok", (200, None, b"{}")),
        ("status:404", (404, None, b"{}")),
        ("status:204", (204, None, b"")),
        ("retry_after:7", (429, "7", b"{}")),
        ("body:60000", (200, None, b"x" * 60_000)),
    ],
)
async def test_an_answer_comes_with_its_body_whatever_its_status(
    session: Session, third_party: ThirdParty, behaviour: str, answer: tuple[int, str | None, bytes]
) -> None:
    third_party.behave(behaviour)
    found = await ask(session, third_party.url)
    assert (found.status, found.retry_after, found.body) == answer
    assert found.is_whole


async def test_a_file_comes_with_its_headers_and_whether_it_is_whole(
    session: Session, third_party: ThirdParty
) -> None:
    async def get(limit: int) -> Answer:
        given = {"If-None-Match": '"one"'}
        return await session.get(
            third_party.url, headers=given, timeout_s=5.0, trusted=True, body_max_bytes=limit
        )

    third_party.behave("body:60000")
    whole, cut = await get(60_000), await get(59_999)
    assert (whole.body, whole.is_whole, cut.is_whole) == (b"x" * 60_000, True, False)
    assert whole.headers["content-length"] == "60000"
    asked = third_party.requests[0]
    assert (asked.method, asked.body, asked.headers["if-none-match"]) == ("GET", b"", '"one"')
    assert "content-length" not in asked.headers


async def test_the_body_is_kept_only_where_it_is_asked_for(session: Session, third_party: ThirdParty) -> None:
    for keep_body in (True, False, True):
        answer = await ask(session, third_party.url, keep_body=keep_body)
        assert answer.body == (b"{}" if keep_body else b"")
    assert third_party.connections == 1


async def test_no_more_is_kept_than_may_be_read(
    session: Session, third_party: ThirdParty, settings: Settings
) -> None:
    settings.RESPONSE_MAX_BYTES = 100_000
    third_party.behave("huge")
    answer = await ask(session, third_party.url)
    assert (answer.status, answer.is_whole) == (200, False)
    assert 0 < len(answer.body) <= 100_000


@pytest.mark.slow
async def test_a_body_that_does_not_end_in_time_ends_there(session: Session, third_party: ThirdParty) -> None:
    third_party.behave("trickle")
    answer = await ask(session, third_party.url, timeout_s=1.0)
    assert (answer.status, set(answer.body), answer.is_whole) == (200, {ord("x")}, False)


@pytest.mark.slow
async def test_after_a_body_that_was_cut_the_next_request_has_a_fresh_connection(
    session: Session, third_party: ThirdParty
) -> None:
    third_party.behave("trickle")
    await ask(session, third_party.url, timeout_s=1.0)
    third_party.behave("ok")
    assert (await ask(session, third_party.url)).body == b"{}"
    assert third_party.connections == 2


@pytest.mark.slow
async def test_without_an_answer_there_is_none(session: Session, third_party: ThirdParty) -> None:
    third_party.behave("reset")
    with pytest.raises(Unavailable):
        await ask(session, third_party.url)
    third_party.behave("hang")
    with pytest.raises(Unavailable, match="timed out"):
        await ask(session, third_party.url, timeout_s=0.2)


async def test_an_answer_that_was_lost_is_not_taken_for_the_one_before(
    session: Session, third_party: ThirdParty
) -> None:
    for keep_body in (True, False):
        third_party.behave("ok")
        assert (await ask(session, third_party.url)).status == 200
        third_party.behave("reset")
        before = third_party.connections
        with pytest.raises(Unavailable):
            await ask(session, third_party.url, keep_body=keep_body)
        assert third_party.connections == before  # it was the same connection
