"""The stack of real processes: it comes up, its parts can be killed and started, nothing outlives it."""

import os
import re
import signal
import socket
import stat
import subprocess
import sys
import threading
import time
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import pytest
import requests

from config import embedded
from config.processes import TIED_TO_PARENT, UNASSIGNED, Stack, StackError, free_port
from tests import templates

REPOSITORY = Path(__file__).resolve().parents[2]

# A stack that its parent never stops: the process ids of its parts, then silence.
ABANDONED_STACK = """
import sys, time
from pathlib import Path
from config.processes import Stack
with Stack(Path(sys.argv[1]), workers=1, migrate=False) as stack:
    print(*[process.pid for process in stack.processes.values()], flush=True)
    time.sleep(600)
"""

# A parent with a child that is tied to it.
PARENT = """
import os, subprocess, sys, time
child = subprocess.Popen([sys.executable, "-c", sys.argv[1], str(os.getpid()), "/bin/sleep", "600"])
print(child.pid, flush=True)
time.sleep(600)
"""


@pytest.fixture(scope="module")
def stack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    home = tmp_path_factory.mktemp("stack")
    # Made by a stack too, which migrated it: templates.py.
    templates.furnish(home)
    with Stack(home, workers=2, migrate=False, env={"DATABASE_URL": "", "REDIS_URL": ""}) as running:
        yield running
    embedded.destroy(at=home)


def live(stack: Stack) -> int:
    with urllib.request.urlopen(f"{stack.base_url}/health/live", timeout=5) as response:
        return int(response.status)


def is_running(pid: int) -> bool:
    try:
        state = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except OSError:
        return False
    return state != "Z"


def wait_until_gone(pids: list[int]) -> None:
    deadline = time.monotonic() + 10
    while any(map(is_running, pids)):
        assert time.monotonic() < deadline, f"still running: {pids}"
        time.sleep(0.02)


def test_free_port_can_be_bound() -> None:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", free_port()))


def test_no_server_that_names_no_port_gets_a_free_port() -> None:
    if sys.platform != "linux":
        pytest.skip("Only Linux says in such a file which ports it hands out.")
    lowest = int(Path("/proc/sys/net/ipv4/ip_local_port_range").read_text().split()[0])
    if lowest < UNASSIGNED[1]:
        pytest.skip(f"This system was told to hand out ports from {lowest} on, and not from 32768.")
    assert all(free_port() < lowest for _ in range(200))


def test_child_dies_with_a_killed_parent() -> None:
    parent = subprocess.Popen(
        [sys.executable, "-c", PARENT, TIED_TO_PARENT], stdout=subprocess.PIPE, text=True
    )
    with parent:
        assert parent.stdout is not None
        child = int(parent.stdout.readline())
        assert is_running(child)
        parent.kill()
    wait_until_gone([child])


def test_children_get_the_home_and_no_urls_unless_given(tmp_path: Path) -> None:
    own = Stack(tmp_path, env={"DATABASE_URL": "", "REDIS_URL": "", "SEND_TIMEOUT_S": "2"})
    assert own.env["TOCSIN_HOME"] == str(tmp_path)
    assert own.env["SEND_TIMEOUT_S"] == "2"
    assert "DATABASE_URL" not in own.env
    assert "REDIS_URL" not in own.env
    given = Stack(tmp_path, env={"DATABASE_URL": "postgresql://db/x", "REDIS_URL": ""})
    assert given.env["DATABASE_URL"] == "postgresql://db/x"


def test_links_lead_to_the_port_that_it_listens_on_unless_the_environment_says_where(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("PUBLIC_URL", raising=False)
    assert Stack(tmp_path, port=8441).env["PUBLIC_URL"] == "http://localhost:8441"
    monkeypatch.setenv("PUBLIC_URL", "https://tocsin.example.com")
    assert Stack(tmp_path, port=8441).env["PUBLIC_URL"] == "https://tocsin.example.com"


def test_port_in_use_is_named_before_anything_starts(tmp_path: Path) -> None:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        listener.listen()
        port = listener.getsockname()[1]
        with pytest.raises(StackError, match=f"port {port} is in use"), Stack(tmp_path, port=port):
            pass
    assert embedded.status(at=tmp_path).postgres is None


@pytest.mark.slow
def test_everything_is_up_once_it_is_entered(stack: Stack) -> None:
    assert live(stack) == 200
    assert set(stack.processes) == {"web", "worker-1", "worker-2", "scheduler"}
    assert all(process.poll() is None for process in stack.processes.values())


@pytest.mark.slow
def test_nobody_else_reads_its_logs(stack: Stack) -> None:
    logs = list(stack.log_dir.iterdir())
    assert {log.name for log in logs} >= {"web.log", "worker-1.log", "worker-2.log", "scheduler.log"}
    assert {stat.S_IMODE(log.stat().st_mode) for log in logs} == {0o600}
    assert stat.S_IMODE(stack.log_dir.stat().st_mode) == 0o700


@pytest.mark.slow
def test_no_header_makes_a_client_another(stack: Stack) -> None:
    """What limits log-ins by address is not to be talked out of it where no proxy stands before it."""
    body = {"email": "nobody@example.com", "password": "wrong horse"}
    with requests.Session() as client:
        client.trust_env = False
        codes = [
            client.post(
                f"{stack.base_url}/api/v1/auth/login",
                json=body,
                headers={"X-Forwarded-For": f"203.0.113.{number}"},
                timeout=10,
            ).status_code
            for number in range(12)
        ]
    assert codes == [401] * 10 + [429] * 2


@pytest.mark.parametrize("path", ["Dockerfile", "docs/operations.md"])
def test_every_documented_web_process_believes_no_proxy_headers(path: str) -> None:
    text = (REPOSITORY / path).read_text()
    found = re.findall(r"uvicorn\W+config\.asgi(?:.*\\\n)*.*", text)
    commands = [command for command in found if "--no-access-log" in command]
    assert commands
    assert all("--no-proxy-headers" in command for command in commands)


@pytest.mark.parametrize("path", ["Dockerfile", "docs/operations.md", "config/processes.py"])
def test_every_web_process_bounds_the_heads_of_requests(path: str) -> None:
    text = (REPOSITORY / path).read_text()
    assert "--no-access-log" in text
    assert re.search(r"--http\W+config\.protocol:Protocol", text)


@pytest.mark.slow
def test_manage_runs_a_command_in_the_environment_of_the_stack(stack: Stack) -> None:
    assert "[X]" in stack.manage("showmigrations").stdout
    wrong = Stack(
        stack.home, migrate=False, env={"DATABASE_URL": "", "REDIS_URL": "", "SMTP_SECURITY": "perhaps"}
    )
    with pytest.raises(StackError, match=r"The settings are invalid:\n[\s\S]*tocsin.E005"):
        wrong.manage("migrate", "--noinput")
    with pytest.raises(StackError, match="no-such-command"):
        stack.manage("no-such-command")


@pytest.mark.slow
def test_killed_worker_stays_down_until_it_is_started_again(stack: Stack) -> None:
    stack.kill("worker-1")
    assert stack.processes["worker-1"].poll() == -signal.SIGKILL
    stack.start("worker-1")
    assert stack.processes["worker-1"].poll() is None


@pytest.mark.slow
def test_killed_web_answers_again_on_the_same_port_once_started(stack: Stack) -> None:
    stack.kill("web")
    with pytest.raises(OSError, match="refused"):
        live(stack)
    stack.start("web")
    assert live(stack) == 200


@pytest.mark.slow
def test_restart_ends_a_part_in_good_order_and_starts_a_new_one(stack: Stack) -> None:
    before = stack.processes["scheduler"].pid
    stack.restart("scheduler")
    assert stack.processes["scheduler"].pid != before
    assert stack.processes["scheduler"].poll() is None


@pytest.mark.slow
def test_part_started_from_a_thread_outlives_the_thread(stack: Stack) -> None:
    stack.kill("worker-2")
    starter = threading.Thread(target=stack.start, args=("worker-2",))
    starter.start()
    starter.join()
    with pytest.raises(subprocess.TimeoutExpired):
        stack.processes["worker-2"].wait(timeout=0.5)


@pytest.mark.slow
def test_servers_of_the_stack_can_be_killed_and_started(stack: Stack) -> None:
    stack.kill_redis()
    stack.kill_postgres()
    now = embedded.status(at=stack.home)
    assert (now.postgres, now.redis) == (None, None)
    stack.start_postgres()
    stack.start_redis()
    assert stack.ensure_servers() is False
    assert live(stack) == 200


@pytest.mark.slow
def test_part_that_dies_at_the_start_is_named_with_the_end_of_its_log(tmp_path: Path) -> None:
    templates.furnish(tmp_path)
    urls = {"DATABASE_URL": "", "REDIS_URL": ""}
    broken = Stack(tmp_path, workers=0, scheduler=False, migrate=False, env=urls)
    broken._commands["web"] = [sys.executable, "-c", "raise SystemExit('no such camera')"]
    with pytest.raises(StackError, match=r"web ended with code 1.*\n.*no such camera"), broken:
        pass
    now = embedded.status(at=tmp_path)
    assert (now.postgres, now.redis) == (None, None)
    embedded.destroy(at=tmp_path)


@pytest.mark.slow
def test_nothing_of_a_killed_stack_is_left_but_servers_that_the_next_one_takes_over(tmp_path: Path) -> None:
    templates.furnish(tmp_path)
    urls = {"DATABASE_URL": "", "REDIS_URL": ""}
    env = {**os.environ, **urls}
    parent = subprocess.Popen(
        [sys.executable, "-c", ABANDONED_STACK, str(tmp_path)],
        cwd=REPOSITORY,
        env=env,
        stdout=subprocess.PIPE,
        text=True,
    )
    with parent:
        assert parent.stdout is not None
        parts = [int(word) for word in parent.stdout.readline().split()]
        assert len(parts) == 3
        parent.kill()
    wait_until_gone(parts)
    try:
        with Stack(tmp_path, workers=1, migrate=False, env=urls) as next_one:
            assert live(next_one) == 200
            children = [process.pid for process in next_one.processes.values()]
        wait_until_gone(children)
    finally:
        embedded.destroy(at=tmp_path)
