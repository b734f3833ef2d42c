"""The local servers are what other tests stand on, so a few words about them too."""

import json
import signal
import socket
import subprocess
import sys
import urllib.error
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.servers.third_party import ThirdParty


def call(url: str, body: bytes | None = None, **headers: str) -> dict:
    request = urllib.request.Request(url, body, headers)
    with urllib.request.urlopen(request, timeout=5) as response:
        return json.loads(response.read())


@pytest.fixture
def process(tmp_path: Path) -> Iterator[tuple[subprocess.Popen[str], str, Path]]:
    record = tmp_path / "record.jsonl"
    command = [sys.executable, "-m", "tests.servers.third_party", "--record", str(record)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as server:
        assert server.stdout
        port = server.stdout.readline().removeprefix("listening on ").strip()
        yield server, f"http://127.0.0.1:{port}", record
        server.kill()


def test_as_a_process_it_tells_what_it_got(process: tuple[subprocess.Popen[str], str, Path]) -> None:
    server, origin, record = process
    assert call(f"{origin}/stats") == {"count": 0, "distinct": 0, "first": None, "last": None}
    for delivery in ("a", "b", "b"):
        body = json.dumps({"target_user_uuid": f"user of {delivery}"}).encode()
        call(f"{origin}/webhook/notifications/", body, **{"webhook-id": delivery})
    stats = call(f"{origin}/stats?full=1")
    assert (stats["count"], stats["distinct"]) == (3, 2)
    assert stats["first"] <= stats["last"]
    assert [(each["id"], each["user"]) for each in stats["requests"]] == [
        ("a", "user of a"),
        ("b", "user of b"),
        ("b", "user of b"),
    ]
    call(f"{origin}/reset", b"")
    assert call(f"{origin}/stats")["count"] == 0
    call(f"{origin}/x", b"{}", **{"webhook-id": "c"})
    server.send_signal(signal.SIGTERM)
    assert server.wait(5) == 0
    written = [json.loads(line)["id"] for line in record.read_text().splitlines()]
    assert written == ["a", "b", "b", "c"]


def test_as_a_process_it_behaves_as_told(process: tuple[subprocess.Popen[str], str, Path]) -> None:
    _, origin, _ = process
    call(f"{origin}/behave", b'{"*": "status:503", "/fine": "ok"}')
    assert call(f"{origin}/fine", b"{}") == {}
    with pytest.raises(urllib.error.HTTPError, match="503") as failure:
        call(f"{origin}/other", b"{}")
    failure.value.close()


def test_failures_are_counted_in_all_or_for_each_delivery() -> None:
    def statuses(server: ThirdParty) -> list[int]:
        result = []
        for delivery in ("a", "b", "a", "b"):
            try:
                call(server.url, b"{}", **{"webhook-id": delivery})
                result.append(200)
            except urllib.error.HTTPError as error:
                result.append(error.code)
                error.close()
        return result

    with ThirdParty() as server:
        server.behave("fail:3")
        assert statuses(server) == [503, 503, 503, 200]
        server.behave("fail_each:1")
        assert statuses(server) == [503, 503, 200, 200]


def test_waiting_for_what_does_not_come_ends() -> None:
    with ThirdParty() as server, pytest.raises(TimeoutError, match="0 of 1 requests"):
        server.wait_for(1, timeout=0.05)


def test_a_taken_port_is_an_error() -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        with pytest.raises(OSError, match="in use"), ThirdParty(taken.getsockname()[1]):
            pass
