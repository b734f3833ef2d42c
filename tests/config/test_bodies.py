"""SPEC 11.3: what is read before somebody is known is small and has a deadline, through the real server."""

import json
import socket
import time
from collections.abc import Iterator
from contextlib import contextmanager
from http.client import HTTPConnection, HTTPResponse
from typing import Any

import pytest
from rest_framework_simplejwt.tokens import AccessToken

from accounts.models import User
from accounts.services import api_key_create
from escalation.models import IntakeRequest, Integration
from tests.factories import UserFactory

UPLOADS = "/api/v1/tracing/interactions/"
ALERTS = "/api/v1/alerts/"
LARGE = 39_000_000
#: What an upload without records is answered.
NOTHING = dict.fromkeys(("records", "new", "known", "too_short", "intervals_differ"), 0)
SMALL_MOST = 65_536
# So long the answer to what should be answered at once may take, on a busy machine.
PATIENCE_S = 20


def key_for(*scopes: str) -> dict[str, str]:
    _, key = api_key_create(name="backend", scopes=list(scopes))
    return {"Authorization": f"Bearer {key}"}


def token_of(user: User) -> dict[str, str]:
    return {"Authorization": f"Bearer {AccessToken.for_user(user)}"}


@contextmanager
def opened(port: int, path: str, method: str = "POST", **headers: str) -> Iterator[socket.socket]:
    """A request whose head has been sent, and nothing of its body."""
    given = {"Host": "localhost", "Content-Type": "application/json", **headers}
    lines = [f"{name.replace('_', '-')}: {value}\r\n" for name, value in given.items()]
    with socket.create_connection(("127.0.0.1", port), timeout=PATIENCE_S) as client:
        client.sendall(f"{method} {path} HTTP/1.1\r\n{''.join(lines)}\r\n".encode())
        yield client


def answer(client: socket.socket) -> tuple[int, Any]:
    """Return what is answered, while the request is still being sent."""
    response = HTTPResponse(client)
    response.begin()
    assert response.getheader("Connection") == "close"
    return response.status, json.loads(response.read())


def chunk(client: socket.socket, size: int) -> None:
    client.sendall(f"{size:x}\r\n".encode() + b" " * size + b"\r\n")


def is_closed(client: socket.socket) -> bool:
    try:
        return client.recv(4096) == b""
    except ConnectionResetError:
        return True


@pytest.mark.slow
@pytest.mark.parametrize(
    ("path", "length", "code"),
    [
        (UPLOADS, LARGE, 401),
        (UPLOADS, SMALL_MOST + 1, 401),
        (ALERTS, SMALL_MOST + 1, 401),
        ("/api/v1/auth/login/", SMALL_MOST + 1, 413),
        ("/login/", SMALL_MOST + 1, 413),
        ("/admin/", SMALL_MOST + 1, 413),
        ("/api/v1/nowhere/", SMALL_MOST + 1, 404),
        ("/integrations/alertmanager/no-key/", SMALL_MOST + 1, 401),
        ("/v2/alerts", SMALL_MOST + 1, 401),
        ("/integrations/pagerduty/no-key/v2/enqueue", SMALL_MOST + 1, 400),
        ("/v2/enqueue", SMALL_MOST + 1, 413),
    ],
)
def test_a_stranger_is_answered_before_a_large_body_is_sent(
    port: int, path: str, length: int, code: int
) -> None:
    with opened(port, path, Content_Length=str(length)) as client:
        assert answer(client)[0] == code


@pytest.mark.slow
@pytest.mark.parametrize(
    ("format_", "path", "code"),
    [
        ("alertmanager", "/integrations/alertmanager/{}/", 200),
        ("pagerduty", "/integrations/pagerduty/{}/v2/enqueue", 202),
        ("opsgenie", "/v2/alerts", 202),
    ],
)
def test_an_integrations_key_lets_a_large_body_in_unless_it_is_switched_off(
    port: int, format_: str, path: str, code: int
) -> None:
    there = Integration.objects.create(name="there", format=format_)
    many = {"alertname": "Down", "more": "x" * SMALL_MOST}
    body = {
        "alerts": [{"status": "firing", "labels": many}],
        "message": "Down",
        "description": "x" * SMALL_MOST,
        "event_action": "trigger",
        "payload": {"summary": "Down", "custom_details": many},
    }
    raw = json.dumps(body).encode()
    headers = {"Authorization": f"GenieKey {there.key}", "Content-Type": "application/json"}
    for is_enabled, expected in ((True, code), (False, 400 if format_ == "pagerduty" else 401)):
        Integration.objects.update(is_enabled=is_enabled)
        connection = HTTPConnection("127.0.0.1", port, timeout=PATIENCE_S)
        connection.request("POST", path.format(there.key), raw, headers)
        assert connection.getresponse().status == expected
        connection.close()
    assert IntakeRequest.objects.count() == 1


@pytest.mark.slow
@pytest.mark.parametrize("path", [UPLOADS, ALERTS])
def test_a_stranger_is_answered_while_a_chunked_body_still_comes(port: int, path: str) -> None:
    with opened(port, path, Transfer_Encoding="chunked") as client:
        for _ in range(5):
            chunk(client, 16_384)
        assert answer(client)[0] == 401


@pytest.mark.slow
def test_the_whole_answer_arrives_though_the_client_sends_on(port: int) -> None:
    connection = HTTPConnection("127.0.0.1", port, timeout=PATIENCE_S)
    connection.request("POST", UPLOADS, bytes(LARGE), {"Content-Type": "text/csv"})
    response = connection.getresponse()
    assert response.status == 401
    assert response.getheader("WWW-Authenticate")
    assert "detail" in json.loads(response.read())
    connection.close()


def test_those_who_may_not_send_are_told_so_before_they_send(port: int) -> None:
    stranger = UserFactory()
    for headers in (key_for("alerts:write"), token_of(stranger)):
        with opened(port, UPLOADS, Content_Length=str(LARGE), **headers) as client:
            assert answer(client)[0] == 403
    with opened(port, UPLOADS, "PUT", Content_Length=str(LARGE), **key_for("tracing:write")) as client:
        assert answer(client)[0] == 405
    with opened(port, UPLOADS, Content_Length=str(LARGE), Authorization="Bearer tsn_no-key") as client:
        assert answer(client)[0] == 401


@pytest.mark.slow
@pytest.mark.parametrize("is_chunked", [False, True])
def test_those_who_may_send_are_heard_to_the_end(port: int, is_chunked: bool) -> None:
    body = b"[" + b" " * 300_000 + b"]"
    connection = HTTPConnection("127.0.0.1", port, timeout=60)
    headers = {**key_for("tracing:write"), "Content-Type": "application/json"}
    if is_chunked:
        headers["Transfer-Encoding"] = "chunked"
    parts = (body[start : start + 10_000] for start in range(0, len(body), 10_000))
    connection.request("POST", UPLOADS, parts if is_chunked else body, headers, encode_chunked=is_chunked)
    response = connection.getresponse()
    assert (response.status, json.loads(response.read())) == (200, NOTHING)
    connection.close()


@pytest.mark.slow
@pytest.mark.parametrize("head", [{"Content_Length": "500"}, {"Transfer_Encoding": "chunked"}])
@pytest.mark.parametrize("path", [ALERTS, "/login/"])
@pytest.mark.parametrize("has_begun", [True, False])
def test_a_body_that_does_not_come_in_time_is_answered_with_408_and_cut_off(
    port: int, monkeypatch: pytest.MonkeyPatch, path: str, head: dict[str, str], has_begun: bool
) -> None:
    monkeypatch.setattr("config.bodies.GRACE_S", 0.3)
    with opened(port, path, **head) as client:
        if has_begun and "Transfer_Encoding" in head:
            chunk(client, 1)
        elif has_begun:
            client.sendall(b"{")
        assert answer(client)[0] == 408
        assert is_closed(client)


@pytest.mark.slow
def test_a_body_that_keeps_to_the_rate_has_longer(
    port: int, monkeypatch: pytest.MonkeyPatch, settings: Any
) -> None:
    monkeypatch.setattr("config.bodies.GRACE_S", 1.0)
    settings.REQUEST_BODY_MIN_BYTES_PER_S = 1
    with opened(port, ALERTS, Content_Length="100", **key_for("alerts:write")) as client:
        client.sendall(b" " * 60)
        time.sleep(1.5)  # beyond the time that it has whatever its size
        client.sendall(b" " * 40)
        assert b" 400 " in client.recv(4096).split(b"\r\n")[0]


@pytest.mark.slow
def test_no_rate_lengthens_the_time_that_a_body_has_in_all(
    port: int, monkeypatch: pytest.MonkeyPatch, settings: Any
) -> None:
    settings.REQUEST_BODY_MIN_BYTES_PER_S, settings.REQUEST_BODY_TIMEOUT_S = 1, 0.3
    with opened(port, ALERTS, Content_Length="1000") as client:
        client.sendall(b" " * 999)
        assert answer(client)[0] == 408


@pytest.mark.slow
def test_only_so_many_bodies_are_on_their_way_at_once(port: int, settings: Any) -> None:
    settings.REQUEST_BODIES_MAX = 1
    headers = key_for("alerts:write")
    with opened(port, ALERTS, Content_Length="10", **headers) as first:
        first.sendall(b" ")
        # Which of the two the server sees first is not said; one is turned away, and one goes on.
        with opened(port, ALERTS, Content_Length="10", **headers) as second:
            second.sendall(b" ")
            deadline = time.monotonic() + PATIENCE_S
            refused = None
            while refused is None and time.monotonic() < deadline:
                refused = next((each for each in (first, second) if _has_said(each)), None)
            assert refused is not None
            assert answer(refused)[0] == 503
            other = second if refused is first else first
            other.sendall(b" " * 9)
            assert b" 400 " in other.recv(4096).split(b"\r\n")[0]


def _has_said(client: socket.socket) -> bool:
    client.settimeout(0.05)
    try:
        return bool(client.recv(1, socket.MSG_PEEK))
    except TimeoutError:
        return False
    finally:
        client.settimeout(PATIENCE_S)


@pytest.mark.slow
@pytest.mark.parametrize("path", [ALERTS, "/login/"])
def test_thousands_of_zeros_before_a_length_break_nothing(port: int, path: str) -> None:
    with opened(port, path, Content_Length="0" * 5000 + "2", **key_for("alerts:write")) as client:
        client.sendall(b"{}")
        assert client.recv(4096).split()[1] in (b"400", b"403")


@pytest.mark.slow
def test_an_endless_head_is_refused(port: int) -> None:
    with socket.create_connection(("127.0.0.1", port), timeout=PATIENCE_S) as client:
        client.sendall(b"GET /health/live HTTP/1.1\r\nHost: localhost\r\nX-Long: ")
        said = b""
        while not said:
            try:
                client.sendall(b"x" * 16_384)
                client.settimeout(0.05)
                said = client.recv(4096)
            except TimeoutError:
                continue
        assert said.startswith(b"HTTP/1.1 431")


@pytest.mark.slow
@pytest.mark.parametrize(
    ("head", "status"),
    [
        (b"GET /%b HTTP/1.1\r\nHost: localhost\r\n\r\n", b"414"),
        (b"GET /login/?next=%b HTTP/1.1\r\nHost: localhost\r\n\r\n", b"414"),
        (b"GET /health/live HTTP/1.1\r\nHost: localhost\r\nCookie: a=%b\r\n\r\n", b"431"),
        (b"POST /login/ HTTP/1.1\r\nHost: localhost\r\nContent-Type: %b\r\n\r\n", b"431"),
    ],
)
def test_one_part_of_a_head_is_bounded_by_itself(port: int, head: bytes, status: bytes) -> None:
    """Cookies, types of content and paths are read by what takes the square of their length."""
    for length, is_refused in ((9_000, True), (60_000, True), (8_000, False)):
        with socket.create_connection(("127.0.0.1", port), timeout=PATIENCE_S) as client:
            client.sendall(head % (b"x" * length))
            assert (client.recv(4096).split()[1] == status) is is_refused


def test_a_head_of_many_fields_is_bounded_though_it_comes_whole(port: int) -> None:
    with socket.create_connection(("127.0.0.1", port), timeout=PATIENCE_S) as client:
        fields = b"".join(b"X-%d: %b\r\n" % (number, b"x" * 1_000) for number in range(70))
        client.sendall(b"GET /health/live HTTP/1.1\r\nHost: localhost\r\n" + fields + b"\r\n")
        assert client.recv(4096).startswith(b"HTTP/1.1 431")


@pytest.mark.slow
@pytest.mark.parametrize("begun", [b"", b"GET /health/live HTTP/1.1\r\nHost: "])
def test_a_head_that_does_not_come_in_time_is_cut_off(
    port: int, monkeypatch: pytest.MonkeyPatch, begun: bytes
) -> None:
    monkeypatch.setattr("config.protocol.HEAD_TIMEOUT_S", 0.3)
    with socket.create_connection(("127.0.0.1", port), timeout=PATIENCE_S) as client:
        client.sendall(begun)
        assert is_closed(client)


@pytest.mark.slow
def test_the_second_head_of_a_connection_has_its_own_time(port: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("config.protocol.HEAD_TIMEOUT_S", 0.5)
    with socket.create_connection(("127.0.0.1", port), timeout=PATIENCE_S) as client:
        for _ in range(2):
            client.sendall(b"GET /health/live HTTP/1.1\r\nHost: localhost\r\n\r\n")
            response = HTTPResponse(client)
            response.begin()
            assert (response.status, bool(response.read())) == (200, True)
            time.sleep(0.6)  # the first one's time is over
        client.sendall(b"GET /health/live HTTP/1.1\r\nHost: ")
        assert is_closed(client)
