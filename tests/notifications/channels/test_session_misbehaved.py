"""Servers that say too much on a connection, or end it at the wrong moment: no send gets another's answer."""

import asyncio
from typing import Any

import pytest

from notifications.channels.message import Receipt, Rejected, Unavailable
from notifications.channels.transport.session import Session
from tests.notifications.channels.conftest import post
from tests.servers.behaviour import answer
from tests.servers.third_party import ThirdParty

OTHERS = {f"/{status}": status for status in (201, 202, 203, 204, 206)}


async def until_closed(third_party: ThirdParty) -> None:
    """Wait until the product has closed every connection; not blocking, since it has to."""
    async with asyncio.timeout(2):
        while third_party.open_connections:
            await asyncio.sleep(0.01)


# --- more answers than requests ---


@pytest.mark.parametrize("keep_body", [False, True])
async def test_answers_too_many_are_no_other_requests(
    session: Session, third_party: ThirdParty, keep_body: bool
) -> None:
    for path, status in OTHERS.items():
        third_party.behave(f"status:{status}", path=path)
    third_party.behave("surplus:6")
    options: dict[str, Any] = {"body": b"", "headers": {}, "timeout_s": 2.0, "trusted": True}
    for _ in range(3):
        assert await post(session, third_party.url) == Receipt(200)
        asked = (
            session.answer_to(third_party.origin + path, keep_body=keep_body, **options) for path in OTHERS
        )
        assert [each.status for each in await asyncio.gather(*asked)] == list(OTHERS.values())


@pytest.mark.slow
async def test_requests_under_way_share_no_connection(session: Session, third_party: ThirdParty) -> None:
    third_party.behave("surplus:6")
    await post(session, third_party.url)
    third_party.behave("slow:200")
    await asyncio.gather(*(post(session, third_party.url) for _ in range(4)))
    assert third_party.connections == 5


async def test_an_idle_connection_that_is_spoken_on_ends(session: Session, third_party: ThirdParty) -> None:
    await post(session, third_party.url)
    third_party.say(answer(200))
    await until_closed(third_party)
    third_party.behave("status:404")
    with pytest.raises(Rejected, match="answered 404"):
        await post(session, third_party.url)
    assert third_party.connections == 2


@pytest.mark.slow
async def test_what_comes_before_the_answer_is_part_of_it(session: Session, third_party: ThirdParty) -> None:
    """Such as "early hints": a status below 200 is no answer of its own."""
    third_party.behave("slow:100")
    sent = [asyncio.ensure_future(post(session, third_party.url)) for _ in range(2)]
    await asyncio.to_thread(third_party.wait_for, 2)
    third_party.say(b"HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\n")
    assert await asyncio.gather(*sent) == [Receipt(200)] * 2
    await post(session, third_party.url)
    assert third_party.connections == 2


# --- connections that end under a request ---


async def test_what_may_be_repeated_is_repeated_once(session: Session, third_party: ThirdParty) -> None:
    await post(session, third_party.url)
    third_party.behave("reset")
    with pytest.raises(Unavailable, match="connection"):
        await post(session, third_party.url, repeatable=True)
    assert len(third_party.requests) == 3
    assert third_party.connections == 2


async def test_a_repeat_is_the_same_request(session: Session, third_party: ThirdParty) -> None:
    await post(session, third_party.url)
    third_party.behave("cut:1")
    assert await post(session, third_party.url, body=b'{"b":2}', repeatable=True) == Receipt(200)
    _, lost, repeat = third_party.requests
    assert (repeat.path, repeat.headers, repeat.body) == (lost.path, lost.headers, lost.body)


async def test_what_a_new_connection_loses_is_not_repeated(session: Session, third_party: ThirdParty) -> None:
    third_party.behave("cut:1")
    with pytest.raises(Unavailable, match="connection"):
        await post(session, third_party.url, repeatable=True)
    assert len(third_party.requests) == 1


async def test_what_can_be_stopped_begins_once(session: Session, third_party: ThirdParty) -> None:
    """A stop may have come since it began: whatever begins anew has to pass the fence again."""
    begun: list[int] = []
    await post(session, third_party.url)
    third_party.behave("cut:1")
    with pytest.raises(Unavailable, match="connection"):
        await post(session, third_party.url, repeatable=True, on_begin=lambda: begun.append(1))
    assert begun == [1]
    assert len(third_party.requests) == 2


async def test_half_an_answer_is_no_reason_to_repeat(session: Session, third_party: ThirdParty) -> None:
    await post(session, third_party.url)
    third_party.behave("hang")
    sent = asyncio.ensure_future(post(session, third_party.url, repeatable=True))
    await asyncio.to_thread(third_party.wait_for, 2)
    third_party.say(b"HTTP/1.1 2")
    third_party.hang_up()
    with pytest.raises(Unavailable, match="closed without an answer"):
        await sent
    assert len(third_party.requests) == 2


@pytest.mark.slow
async def test_a_timeout_is_no_reason_to_repeat(session: Session, third_party: ThirdParty) -> None:
    await post(session, third_party.url)
    third_party.behave("hang")
    with pytest.raises(Unavailable, match="timed out"):
        await post(session, third_party.url, timeout_s=0.3, repeatable=True)
    assert len(third_party.requests) == 2


async def test_what_is_under_way_as_the_session_closes_is_not_repeated(third_party: ThirdParty) -> None:
    session = Session()
    await post(session, third_party.url)
    third_party.behave("hang")
    sent = asyncio.ensure_future(post(session, third_party.url, repeatable=True))
    await asyncio.to_thread(third_party.wait_for, 2)
    await session.close()
    with pytest.raises(Unavailable, match="closed without an answer"):
        await sent
    assert len(third_party.requests) == 2
    assert third_party.connections == 1


async def test_cancelling_a_send_whose_answer_is_there_spares_its_connection(
    session: Session, third_party: ThirdParty
) -> None:
    """The next request may be on it by then."""
    sent = asyncio.ensure_future(post(session, third_party.url))
    loop = asyncio.get_running_loop()

    def look() -> None:
        """Cancel it in between the arrival of its answer and its own next step."""
        if any(session.http._idle.values()):
            sent.cancel()
        elif not sent.done():
            loop.call_soon(look)

    loop.call_soon(look)
    with pytest.raises(asyncio.CancelledError):
        await sent
    await post(session, third_party.url)
    assert third_party.connections == 1
