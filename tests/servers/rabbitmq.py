"""A RabbitMQ node by Debian's rabbitmq-server: directory, ports, cookie and epmd of its own, on loopback.

Needs no root and no service. Started in a few seconds, so tests share one where they can (``shared``).
"""

import contextlib
import fcntl
import json
import os
import shutil
import signal
import socket
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Self

from config.processes import free_port

# Not the one on the path: that one becomes another user, and writes where the system's own node does.
PROGRAM = Path("/usr/lib/rabbitmq/bin/rabbitmq-server")
START_TIMEOUT_S = 120.0
STOP_TIMEOUT_S = 30.0

SETTINGS = """
listeners.tcp.1 = 127.0.0.1:{port}
loopback_users = none
log.file.level = warning
# A machine with little memory or room on its disk is no reason to block a test.
vm_memory_high_watermark.relative = 0.9
disk_free_limit.absolute = 1MB
"""
# One core's worth of schedulers that don't spin, and memory as small as it is.
ERLANG = "+S 2:2 +sbwt none +sbwtdcpu none +sbwtdio none +A 8"


def is_installed() -> bool:
    return PROGRAM.exists() and shutil.which("epmd") is not None


class RabbitMQ:
    """A node within ``with``; what is durable outlives ``kill`` and ``start``."""

    def __init__(self, home: Path) -> None:
        self.home = home
        self.port, self._distribution, self._epmd_port = free_port(), free_port(), free_port()
        self._node: subprocess.Popen[bytes] | None = None
        self._epmd: subprocess.Popen[bytes] | None = None

    @property
    def url(self) -> str:
        return f"amqp://guest:guest@127.0.0.1:{self.port}/%2F"

    def __enter__(self) -> Self:
        try:
            self.start()
        except BaseException:
            self.end()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        self.end()

    def start(self) -> None:
        """Start the node, again if it was killed, and wait until it serves."""
        self.home.mkdir(parents=True, exist_ok=True)
        (self.home / "rabbitmq.conf").write_text(SETTINGS.format(port=self.port))
        (self.home / "plugins").write_text("[].\n")
        if self._epmd is None or self._epmd.poll() is not None:
            self._epmd = self._launch(["epmd", "-port", str(self._epmd_port), "-address", "127.0.0.1"])
        self._node = self._launch([str(PROGRAM)])
        deadline = time.monotonic() + START_TIMEOUT_S
        while not _serves(self.port):
            if self._node.poll() is not None or time.monotonic() > deadline:
                raise RuntimeError(f"RabbitMQ did not start:\n{self._log()}")
            time.sleep(0.1)

    def kill(self) -> None:
        """End the node at once, as a power cut would."""
        self._end(self._node, signal.SIGKILL)

    def stop(self) -> None:
        """Have the node close everything and end, as its service manager would."""
        self._end(self._node, signal.SIGTERM)

    @contextlib.contextmanager
    def alarmed(self) -> Iterator[None]:
        """Have it take nothing within ``with``, as when it is short of memory."""
        self._control("set_vm_memory_high_watermark", "0")
        try:
            yield
        finally:
            self._control("set_vm_memory_high_watermark", "0.9")

    @contextlib.contextmanager
    def frozen(self) -> Iterator[None]:
        """Have it do nothing at all within ``with``, as behind a wall that drops whatever is sent."""
        assert self._node is not None
        os.killpg(self._node.pid, signal.SIGSTOP)
        try:
            yield
        finally:
            os.killpg(self._node.pid, signal.SIGCONT)

    def _control(self, *command: str) -> None:
        environment = self._environment()
        control = [str(PROGRAM.with_name("rabbitmqctl")), "-n", environment["RABBITMQ_NODENAME"], *command]
        done = subprocess.run(control, cwd=self.home, env=environment, capture_output=True, check=False)
        if done.returncode:
            raise RuntimeError(f"{done.stdout.decode()}{done.stderr.decode()}")

    def end(self) -> None:
        self.kill()
        self._end(self._epmd, signal.SIGKILL)

    def _launch(self, command: list[str]) -> subprocess.Popen[bytes]:
        with (self.home / "output.log").open("ab") as log:
            return subprocess.Popen(
                command,
                cwd=self.home,
                env=self._environment(),
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )

    def _environment(self) -> dict[str, str]:
        home = str(self.home)
        return {
            "PATH": os.environ["PATH"],
            "LANG": "C.UTF-8",
            # Erlang makes its cookie there.
            "HOME": home,
            "ERL_EPMD_PORT": str(self._epmd_port),
            "ERL_EPMD_ADDRESS": "127.0.0.1",
            "RABBITMQ_NODENAME": f"tocsin-{self.port}@localhost",
            "RABBITMQ_NODE_PORT": str(self.port),
            "RABBITMQ_NODE_IP_ADDRESS": "127.0.0.1",
            "RABBITMQ_DIST_PORT": str(self._distribution),
            "RABBITMQ_CONFIG_FILE": f"{home}/rabbitmq.conf",
            "RABBITMQ_CONF_ENV_FILE": f"{home}/none",
            "RABBITMQ_ENABLED_PLUGINS_FILE": f"{home}/plugins",
            "RABBITMQ_MNESIA_BASE": f"{home}/data",
            "RABBITMQ_LOG_BASE": f"{home}/log",
            "RABBITMQ_PID_FILE": f"{home}/node.pid",
            "RABBITMQ_SERVER_ADDITIONAL_ERL_ARGS": f"{ERLANG} -kernel inet_dist_use_interface {{127,0,0,1}}",
        }

    def _end(self, process: subprocess.Popen[bytes] | None, number: int) -> None:
        if process is None or process.poll() is not None:
            return
        # The whole session: the script's node is its child.
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, number)
        try:
            process.wait(STOP_TIMEOUT_S)
        except subprocess.TimeoutExpired:
            os.killpg(process.pid, signal.SIGKILL)
            process.wait()
        deadline = time.monotonic() + STOP_TIMEOUT_S
        while _group_lives(process.pid) and time.monotonic() < deadline:
            time.sleep(0.05)

    def _log(self) -> str:
        return (self.home / "output.log").read_text(errors="replace")[-3000:]


@contextlib.contextmanager
def shared(home: Path) -> Iterator[str]:
    """Yield the URL of a node that all processes of a run share: the first starts it, the last ends it."""
    home.mkdir(parents=True, exist_ok=True)
    with (home / "starting").open("w") as starting, (home / "users").open("w") as users:
        fcntl.flock(starting, fcntl.LOCK_EX)
        try:
            url, groups = _running(home) or _start(home)
            fcntl.flock(users, fcntl.LOCK_SH)
        finally:
            fcntl.flock(starting, fcntl.LOCK_UN)
        try:
            yield url
        finally:
            fcntl.flock(starting, fcntl.LOCK_EX)
            fcntl.flock(users, fcntl.LOCK_UN)
            try:
                fcntl.flock(users, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                pass  # another process of the run uses it still
            else:
                (home / "node.json").unlink(missing_ok=True)
                for group in groups:
                    with contextlib.suppress(ProcessLookupError):
                        os.killpg(group, signal.SIGKILL)
                for node in _started:
                    node.end()


def _running(home: Path) -> tuple[str, list[int]] | None:
    """Return the node that is up, be it one that a run which was killed has left behind."""
    try:
        known = json.loads((home / "node.json").read_text())
    except (OSError, ValueError):
        return None
    if not _serves(known["port"]) or not all(map(_group_lives, known["groups"])):
        return None
    return known["url"], known["groups"]


# Nodes that others may use when this process has no more use for them.
_started: list[RabbitMQ] = []


def _start(home: Path) -> tuple[str, list[int]]:
    shutil.rmtree(home / "node", ignore_errors=True)
    node = RabbitMQ(home / "node")
    node.__enter__()
    _started.append(node)
    assert node._node
    assert node._epmd
    groups = [node._node.pid, node._epmd.pid]
    (home / "node.json").write_text(json.dumps({"url": node.url, "port": node.port, "groups": groups}))
    return node.url, groups


def _serves(port: int) -> bool:
    """Say whether a broker answers the protocol's greeting, which it does once it has started."""
    try:
        with socket.create_connection(("127.0.0.1", port), timeout=5) as connection:
            connection.sendall(b"AMQP\x00\x00\x09\x01")
            return connection.recv(1) == b"\x01"
    except OSError:
        return False


def _group_lives(group: int) -> bool:
    try:
        os.killpg(group, 0)
    except ProcessLookupError:
        return False
    return True
