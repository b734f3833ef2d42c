"""What `Session.post` makes of answers and of failures, and in what time."""

import asyncio
import socket
import ssl
import time
import traceback
from collections.abc import Iterator
from datetime import UTC, datetime
from email.utils import format_datetime
from importlib.resources import files
from typing import Any

import pytest

from notifications.channels.message import Receipt, Rejected, TooFast, Unavailable
from notifications.channels.transport import http1, outcome
from notifications.channels.transport.outcome import retry_after_s
from notifications.channels.transport.session import Session
from tests.notifications.channels.conftest import post
from tests.servers.third_party import ThirdParty

NOW = datetime(2026, 3, 20, 12, 0, 0, tzinfo=UTC)


@pytest.mark.parametrize("status", [200, 201, 202, 204, 206])
async def test_any_2xx_is_a_receipt(session: Session, third_party: ThirdParty, status: int) -> None:
    third_party.behave(f"status:{status}")
    assert await post(session, third_party.url) == Receipt(status)
    (request,) = third_party.requests
    assert request.json == {"a": 1}
    assert request.headers["webhook-id"] == "d1"


@pytest.mark.parametrize("status", [408, 429, 500, 502, 503, 504, 507])
async def test_statuses_that_may_pass(session: Session, third_party: ThirdParty, status: int) -> None:
    third_party.behave(f"status:{status}")
    with pytest.raises(Unavailable) as failure:
        await post(session, third_party.url)
    assert isinstance(failure.value, TooFast) is (status == 429)
    assert failure.value.status_code == status
    assert failure.value.retry_after is None


@pytest.mark.parametrize("status", [300, 304, 307, 400, 401, 403, 404, 405, 409, 410, 413, 422, 425, 451])
async def test_statuses_that_are_final(session: Session, third_party: ThirdParty, status: int) -> None:
    third_party.behave(f"status:{status}")
    with pytest.raises(Rejected) as failure:
        await post(session, third_party.url)
    assert failure.value.status_code == status


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
async def test_redirects_are_not_followed(session: Session, third_party: ThirdParty, status: int) -> None:
    with ThirdParty() as target:
        third_party.behave(f"redirect:{status},{target.url}")
        with pytest.raises(Rejected, match="redirect"):
            await post(session, third_party.url)
        assert target.connections == 0


async def test_retry_after_of_an_answer_is_passed_on(session: Session, third_party: ThirdParty) -> None:
    third_party.behave("retry_after:7")
    with pytest.raises(Unavailable) as failure:
        await post(session, third_party.url)
    assert failure.value.status_code == 429
    assert failure.value.retry_after == 7.0


@pytest.mark.parametrize(
    ("value", "seconds"),
    [
        ("0", 0.0),
        ("120", 120.0),
        (" 5 ", 5.0),
        (format_datetime(NOW.replace(minute=2), usegmt=True), 120.0),
        ("Friday, 20-Mar-26 12:01:00 GMT", 60.0),
        ("Fri Mar 20 12:01:00 2026", 60.0),
        (format_datetime(NOW.replace(hour=11), usegmt=True), 0.0),
        ("-5", None),
        ("1.5", None),
        ("soon", None),
        ("", None),
        (None, None),
        ("9" * 400, None),
        ("٣", None),
        ("NaN", None),
        ("Fri, 99 Mar 2026 12:00:00 GMT", None),
        (f"Fri, {'9' * 20} Mar 2026 12:00:00 GMT", None),
    ],
)
def test_forms_of_retry_after(value: str | None, seconds: float | None) -> None:
    assert retry_after_s(value, now=NOW) == seconds


@pytest.mark.slow
@pytest.mark.parametrize("behaviour", ["hang", "slow:5000"])
async def test_the_timeout_holds(session: Session, third_party: ThirdParty, behaviour: str) -> None:
    third_party.behave(behaviour)
    started = time.monotonic()
    with pytest.raises(Unavailable, match=r"timed out after 0\.3 s"):
        await post(session, third_party.url, timeout_s=0.3)
    assert 0.25 < time.monotonic() - started < 4


@pytest.mark.slow
async def test_a_connection_that_nobody_accepts_is_within_the_timeout(
    session: Session, full_backlog: str
) -> None:
    started = time.monotonic()
    with pytest.raises(Unavailable, match="timed out"):
        await post(session, full_backlog, timeout_s=0.3)
    assert time.monotonic() - started < 4


async def test_a_refused_connection_may_pass(session: Session, closed_port: int) -> None:
    with pytest.raises(Unavailable, match="Connection refused"):
        await post(session, f"http://127.0.0.1:{closed_port}/")


async def test_a_connection_closed_without_an_answer_may_pass(
    session: Session, third_party: ThirdParty
) -> None:
    third_party.behave("reset")
    with pytest.raises(Unavailable, match="connection"):
        await post(session, third_party.url)
    assert len(third_party.requests) == 1


async def test_an_answer_that_is_not_http_may_pass(session: Session, third_party: ThirdParty) -> None:
    third_party.behave("garbage")
    with pytest.raises(Unavailable, match="not HTTP"):
        await post(session, third_party.url)


async def test_no_tls_where_it_is_expected_may_pass(session: Session, third_party: ThirdParty) -> None:
    with pytest.raises(Unavailable, match="TLS"):
        await post(session, third_party.url.replace("http://", "https://"))


async def test_a_certificate_that_nobody_vouches_for_is_not_accepted(
    session: Session, self_signed: ssl.SSLContext
) -> None:
    server = await asyncio.start_server(lambda reader, writer: writer.close(), "127.0.0.1", ssl=self_signed)
    try:
        port = server.sockets[0].getsockname()[1]
        with pytest.raises(Unavailable, match=r"certificate not accepted: self.signed"):
            await post(session, f"https://127.0.0.1:{port}/")
    finally:
        server.close()
        await server.wait_closed()


def test_a_certificate_of_another_host_is_reported_without_the_name() -> None:
    error = ssl.SSLCertVerificationError(1, "certificate verify failed")
    error.verify_message = "Hostname mismatch, certificate is not valid for 'hooks.example.com'."
    failed = http1.NoConnection()
    failed.__cause__ = error
    result = outcome.failure(failed, timeout_s=1)
    assert str(result) == "certificate not accepted: Hostname mismatch"
    assert isinstance(result, Unavailable)


async def test_an_unknown_host_may_pass(session: Session, monkeypatch: pytest.MonkeyPatch) -> None:
    def unknown(*args: Any, **options: Any) -> Any:
        raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")

    monkeypatch.setattr(socket, "getaddrinfo", unknown)
    with pytest.raises(Unavailable, match="could not be resolved"):
        await post(session, "http://nobody.invalid/")


@pytest.mark.parametrize(
    "url", ["http://", "nonsense", "http://[::1", "http://" + "a" * 64 + ".com/", "ftp://x/", "ws://x/"]
)
async def test_what_is_no_url_is_final(session: Session, url: str) -> None:
    with pytest.raises(Rejected, match="not a usable URL"):
        await post(session, url)


@pytest.mark.slow
@pytest.mark.parametrize(
    "behaviour", ["status:404", "status:503", "hang", "reset", "garbage", "redirect:302,/x"]
)
async def test_errors_hold_nothing_of_the_url(
    session: Session, third_party: ThirdParty, behaviour: str
) -> None:
    third_party.behave(behaviour)
    url = third_party.url.replace("http://", "http://ana:hunter2@") + "path-secret?token=query-secret"
    with pytest.raises((Rejected, Unavailable)) as failure:
        await post(session, url, timeout_s=0.3)
    shown = "".join(traceback.format_exception(failure.value))
    for secret in ("hunter2", "ana:", "query-secret", "path-secret", str(third_party.port)):
        assert secret not in shown


@pytest.fixture
def full_backlog() -> Iterator[str]:
    """A URL whose server has let its queue of new connections fill up."""
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        listener.listen(0)
        waiting = []
        for _ in range(4):
            client = socket.socket()
            client.setblocking(False)
            client.connect_ex(listener.getsockname())
            waiting.append(client)
        yield f"http://127.0.0.1:{listener.getsockname()[1]}/"
        for client in waiting:
            client.close()


@pytest.fixture
def self_signed() -> ssl.SSLContext:
    """A certificate that aiosmtpd carries for its own tests."""
    folder = files("aiosmtpd.tests.certs")
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(str(folder / "server.crt"), str(folder / "server.key"))
    return context
