"""SPEC 0.3: a body over the limit is refused with 413 as soon as that is known, through the real server."""

import json
import socket
from collections.abc import Iterator
from http.client import HTTPConnection
from typing import Any

import pytest

from accounts.services import api_key_create
from notifications.models import Alert
from tests.factories import ShopFactory

LIMIT = 1000


@pytest.fixture(autouse=True)
def _limit(settings: Any) -> None:
    settings.REQUEST_MAX_BYTES = LIMIT


@pytest.fixture
def headers(transactional_db: None) -> dict[str, str]:
    ShopFactory(slug="cora")
    _, key = api_key_create(name="camera", scopes=["alerts:write"])
    return {"Authorization": f"Bearer {key}", "Content-Type": "application/json"}


def body(length: int) -> bytes:
    alert = {
        "url": "https://a.example/",
        "location": "cora",
        "label": "theft",
        "time_spotted": 1,
        "alert_uuid": "33cbb18c-3e9d-4acc-9667-2fbe7bf29137",
    }
    text = json.dumps(alert).encode()
    return text + b" " * (length - len(text))


def post(
    port: int,
    headers: dict[str, str],
    content: Any,
    *,
    chunked: bool = False,
    path: str = "/api/v1/alerts/",
) -> tuple[int, Any]:
    connection = HTTPConnection("127.0.0.1", port, timeout=20)
    connection.request("POST", path, content, headers, encode_chunked=chunked)
    response = connection.getresponse()
    answer = response.status, json.loads(response.read())
    connection.close()
    return answer


def chunks(length: int) -> Iterator[bytes]:
    whole = body(length)
    return (whole[start : start + 100] for start in range(0, length, 100))


@pytest.mark.slow
@pytest.mark.parametrize("length", [LIMIT + 1, LIMIT * 50])
@pytest.mark.parametrize("chunked", [False, True])
def test_a_body_over_the_limit_answers_413(
    port: int, headers: dict[str, str], length: int, chunked: bool
) -> None:
    sent = {**headers, "Transfer-Encoding": "chunked"} if chunked else headers
    content = chunks(length) if chunked else body(length)
    code, answer = post(port, sent, content, chunked=chunked)
    assert (code, list(answer)) == (413, ["detail"])
    assert not Alert.objects.exists()


@pytest.mark.slow
@pytest.mark.parametrize("chunked", [False, True])
def test_a_body_of_the_limit_is_taken(port: int, headers: dict[str, str], chunked: bool) -> None:
    sent = {**headers, "Transfer-Encoding": "chunked"} if chunked else headers
    content = chunks(LIMIT) if chunked else body(LIMIT)
    code, _ = post(port, sent, content, chunked=chunked)
    assert code == 201


@pytest.mark.slow
@pytest.mark.parametrize("path", ["/api/v1/tracing/interactions/", "/api/v1/tracing/interactions"])
def test_uploads_of_interactions_have_a_limit_of_their_own(
    port: int, headers: dict[str, str], settings: Any, path: str
) -> None:
    settings.TRACING_UPLOAD_MAX_BYTES = LIMIT * 5
    assert post(port, headers, b" " * LIMIT * 5, path=path)[0] == 403  # this key is for alerts
    assert post(port, headers, b" " * (LIMIT * 5 + 1), path=path)[0] == 413


def head(headers: dict[str, str]) -> bytes:
    lines = [f"{name}: {value}\r\n" for name, value in headers.items()]
    return f"POST /api/v1/alerts/ HTTP/1.1\r\nHost: localhost\r\n{''.join(lines)}\r\n".encode()


def test_the_answer_does_not_wait_for_the_rest_of_the_body(port: int, headers: dict[str, str]) -> None:
    with socket.create_connection(("127.0.0.1", port), timeout=20) as client:
        client.sendall(head({**headers, "Content-Length": "10000000"}))
        assert client.recv(4096).startswith(b"HTTP/1.1 413")


def test_an_endless_body_is_refused_while_it_still_comes(port: int, headers: dict[str, str]) -> None:
    with socket.create_connection(("127.0.0.1", port), timeout=20) as client:
        client.sendall(head({**headers, "Transfer-Encoding": "chunked"}))
        for _ in range(11):
            client.sendall(b"64\r\n" + b" " * 100 + b"\r\n")
        assert client.recv(4096).startswith(b"HTTP/1.1 413")
