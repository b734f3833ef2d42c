"""How `Session` keeps connections and limits answers, and the instant at which a request begins."""

import asyncio
import contextlib
import json
import socket
import threading
import time
from typing import Any

import pytest
from pytest_django.fixtures import Settings

from notifications.channels.message import Receipt, Rejected, Unavailable
from notifications.channels.transport import http1
from notifications.channels.transport.session import Session
from tests.notifications.channels.conftest import post
from tests.servers.third_party import ThirdParty


async def test_an_endless_body_is_cut_off(
    session: Session, third_party: ThirdParty, settings: Settings
) -> None:
    settings.RESPONSE_MAX_BYTES = 10_000
    third_party.behave("huge")
    started = time.monotonic()
    assert await post(session, third_party.url, timeout_s=5) == Receipt(200)
    assert time.monotonic() - started < 4
    third_party.behave("ok")
    await post(session, third_party.url)
    assert third_party.connections == 2


async def test_a_body_that_trickles_does_not_outlast_the_timeout(
    session: Session, third_party: ThirdParty
) -> None:
    third_party.behave("trickle")
    started = time.monotonic()
    assert await post(session, third_party.url, timeout_s=0.4) == Receipt(200)
    assert time.monotonic() - started < 4


@pytest.mark.slow
async def test_a_compressed_body_is_not_unpacked(session: Session, third_party: ThirdParty) -> None:
    third_party.behave("bomb")
    assert await post(session, third_party.url) == Receipt(200)
    assert third_party.requests[0].headers["accept-encoding"] == "identity"


@pytest.mark.parametrize("behaviour", ["ok", "status:204", "status:404", "status:503", "body:60000"])
async def test_connections_are_used_again(session: Session, third_party: ThirdParty, behaviour: str) -> None:
    third_party.behave(behaviour)
    for _ in range(5):
        with contextlib.suppress(Rejected, Unavailable):
            await post(session, third_party.url)
    assert len(third_party.requests) == 5
    assert third_party.connections == 1


@pytest.mark.slow
async def test_nothing_caps_the_connections(session: Session, third_party: ThirdParty) -> None:
    third_party.behave("slow:2500")
    await asyncio.gather(*(post(session, third_party.url, timeout_s=20) for _ in range(150)))
    arrivals = [request.received_at for request in third_party.requests]
    assert max(arrivals) - min(arrivals) < 2.5, "the last waited for the first one's answer"


async def test_cookies_are_not_kept(session: Session, third_party: ThirdParty) -> None:
    third_party.behave("cookie")
    # A name, since even jars that keep cookies keep none of an address.
    url = third_party.url.replace("127.0.0.1", "localhost")
    await post(session, url)
    await post(session, url)
    assert "cookie" not in third_party.requests[1].headers


async def test_proxies_of_the_environment_are_not_used(
    session: Session, third_party: ThirdParty, closed_port: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("http_proxy", f"http://127.0.0.1:{closed_port}")
    assert await post(session, third_party.url) == Receipt(200)


@pytest.mark.slow
@pytest.mark.parametrize("trusted", [True, False])
async def test_on_begin_comes_once_and_before_the_request(
    session: Session, third_party: ThirdParty, trusted: bool
) -> None:
    begun: list[float] = []
    seen_before: list[int] = []

    def on_begin() -> None:
        begun.append(time.monotonic())
        # Anything written by now would have arrived by the end of this wait.
        time.sleep(0.05)
        seen_before.append(len(third_party.requests))

    await post(session, third_party.url, on_begin=on_begin, trusted=trusted)
    await post(session, third_party.url, on_begin=on_begin, trusted=trusted)
    assert len(begun) == 2
    assert seen_before == [0, 1]
    for begun_at, request in zip(begun, third_party.requests, strict=True):
        assert begun_at + 0.05 <= request.received_at


async def test_on_begin_does_not_come_where_nothing_can_be_sent(session: Session, closed_port: int) -> None:
    begun: list[int] = []
    with pytest.raises(Unavailable):
        await post(session, f"http://127.0.0.1:{closed_port}/", on_begin=lambda: begun.append(1))
    assert begun == []


async def test_what_on_begin_raises_stops_the_request(session: Session, third_party: ThirdParty) -> None:
    class Revoked(Exception):
        pass

    def on_begin() -> None:
        raise Revoked

    with pytest.raises(Revoked):
        await post(session, third_party.url, on_begin=on_begin)
    assert third_party.requests == []
    await post(session, third_party.url)
    assert len(third_party.requests) == 1


async def test_revocable_and_ordinary_sends_share_their_connections(
    session: Session, third_party: ThirdParty
) -> None:
    await post(session, third_party.url)
    await post(session, third_party.url, on_begin=lambda: None)
    assert third_party.connections == 1


@pytest.mark.slow
async def test_opened_by_hand_it_closes_everything(third_party: ThirdParty) -> None:
    session = Session()
    await post(session, third_party.url, on_begin=lambda: None)
    await session.close()
    third_party.wait_until(lambda: not third_party._open, 2, lambda: "a connection is still open")


async def test_names_that_hang_do_not_hold_up_the_rest(
    session: Session, third_party: ThirdParty, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The loops' own thread pools have a handful of threads; look-ups must not wait for those."""
    release = threading.Event()
    look_up = socket.getaddrinfo

    def slow(host: Any, *args: Any, **options: Any) -> Any:
        if str(host).endswith(".invalid"):
            release.wait(5)
            raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")
        return look_up(host, *args, **options)

    monkeypatch.setattr(socket, "getaddrinfo", slow)
    hanging = [
        asyncio.ensure_future(post(session, f"http://name{n}.invalid/", timeout_s=4)) for n in range(40)
    ]
    await asyncio.sleep(0.1)
    started = time.monotonic()
    await post(session, third_party.url.replace("127.0.0.1", "localhost"))
    elapsed = time.monotonic() - started
    release.set()
    await asyncio.gather(*hanging, return_exceptions=True)
    assert elapsed < 3


async def test_the_body_arrives_byte_for_byte(session: Session, third_party: ThirdParty) -> None:
    body = json.dumps({"text": "é" * 40_000}).encode()
    await post(session, third_party.url, body=body)
    assert third_party.requests[0].body == body


@pytest.mark.parametrize(
    ("url", "path", "host"),
    [
        ("http://127.0.0.1:4000/hook/17", "/hook/17", "127.0.0.1:4000"),
        ("https://Hooks.Example.com/services/T0/B_1/x-Y.z~", "/services/T0/B_1/x-Y.z~", "hooks.example.com"),
        ("https://hooks.example.com:443/a", "/a", "hooks.example.com"),
        ("http://hooks.example.com:8080", "/", "hooks.example.com:8080"),
        ("http://hooks.example.com/a/../b/./c", "/b/c", "hooks.example.com"),
        ("http://hooks.example.com/a?b=c&d", "/a?b=c&d", "hooks.example.com"),
        ("http://hooks.example.com/é/%41%2f", "/%C3%A9/A%2F", "hooks.example.com"),
        ("http://[2001:db8::1]:81/a", "/a", "[2001:db8::1]:81"),
    ],
)
def test_what_a_request_says_of_its_url(url: str, path: str, host: str) -> None:
    target = http1.target_of(url)
    assert target.head.decode().splitlines()[:2] == [f"POST {path} HTTP/1.1", f"Host: {host}"]
    assert target.tls == url.startswith("https")
    assert target.port == int(host.rpartition(":")[2] if ":" in host else 443 if target.tls else 80)


@pytest.mark.parametrize(
    "url", ["http://hooks.example.com:65536/a", "http://:80/a", "ftp://a/b", "http:///a"]
)
def test_what_is_no_url_has_no_target(url: str) -> None:
    with pytest.raises(ValueError, match=r"."):
        http1.target_of(url)
