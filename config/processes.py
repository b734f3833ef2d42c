"""Runs web, workers and scheduler as child processes with the embedded servers beside them.

For `make run`, `make demo`, benchmarks and the flow tests, which also kill and restart the parts.
"""

import os
import random
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Self

import requests
from tenacity import RetryError, Retrying, retry_if_result, stop_after_delay, wait_fixed

from config import embedded

REPOSITORY = Path(__file__).resolve().parents[1]
MANAGE = (sys.executable, str(REPOSITORY / "manage.py"))
#: Ports that neither Linux (from 32768) nor macOS (from 49152) hands out by itself.
UNASSIGNED = (20000, 32768)
# Generous: on a busy machine with two cores all parts load at once.
START_TIMEOUT_S = 120
STOP_TIMEOUT_S = 15
POLL_INTERVAL_S = 0.05
LOG_TAIL_LINES = 30

# Runs a command that the kernel kills when the process that started it dies, however it dies.
# A program of its own, since code between fork and exec is unsafe in a process with threads.
# The parent may be gone before the request is in force, hence the second look.
TIED_TO_PARENT = """
import ctypes, os, signal, sys
PR_SET_PDEATHSIG = 1
if sys.platform == "linux":
    ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
    if os.getppid() != int(sys.argv[1]):
        sys.exit("the parent is gone")
os.execv(sys.argv[2], sys.argv[2:])
"""


class StackError(Exception):
    """A part of the stack did not start, died or failed; carries the end of its log."""


def free_port() -> int:
    """A free TCP port of 127.0.0.1, none of those that systems give away meanwhile by themselves."""
    while True:
        # Not the generator that tests seed: they would all try the same ports.
        port = random.SystemRandom().randrange(*UNASSIGNED)
        with socket.socket() as probe:
            try:
                probe.bind(("127.0.0.1", port))
            except OSError:
                continue
            return port


class Stack:
    """Everything that one instance runs; a context manager.

    `DATABASE_URL` and `REDIS_URL`, in `env` or else in the environment, name servers of one's own; unset or
    empty means the embedded ones of `home`. Without `migrate` the tables are there already. `processes` holds
    `web`, `worker-1`, … and `scheduler`, killed ones too. `more` are other commands of manage.py, by the name
    of their process: `{"publisher": ["publish"]}`.
    """

    def __init__(
        self,
        home: Path,
        *,
        port: int = 0,
        workers: int = 2,
        scheduler: bool = True,
        web: bool = True,
        migrate: bool = True,
        more: Mapping[str, Sequence[str]] | None = None,
        env: Mapping[str, str] | None = None,
        log_dir: Path | None = None,
    ) -> None:
        self.home = home.resolve()
        self.port = port or free_port()
        self.base_url = f"http://127.0.0.1:{self.port}"
        self.log_dir = log_dir or self.home / "logs"
        self.env = self._environment(env or {})
        self.processes: dict[str, subprocess.Popen[bytes]] = {}
        self._commands = self._command_lines(web=web, workers=workers, scheduler=scheduler)
        for name, arguments in (more or {}).items():
            self._commands[name] = [*MANAGE, *arguments]
        self._migrate = migrate
        self._started_postgres = False
        self._started_redis = False
        # The kernel ties a child to the thread that made it, not to the process: this thread
        # lives as long as the stack, whichever thread calls `start`.
        self._spawner = ThreadPoolExecutor(max_workers=1, thread_name_prefix="spawner")

    def __enter__(self) -> Self:
        try:
            if "web" in self._commands and _is_taken(self.port):
                raise StackError(f"port {self.port} is in use: choose another, as in `make run PORT=8001`")
            self.log_dir.mkdir(parents=True, exist_ok=True)
            self.log_dir.chmod(0o700)
            before = embedded.status(at=self.home)
            self._started_postgres = "DATABASE_URL" not in self.env and before.postgres is None
            self._started_redis = "REDIS_URL" not in self.env and before.redis is None
            self.ensure_servers()
            if self._migrate:
                self.manage("migrate", "--noinput")
            for name in self._commands:
                self._spawn(name, {})
            if "web" in self._commands:
                self._wait_for_web()
            for name in self._commands:
                self._check_alive(name)
        except BaseException:
            self.stop()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    def manage(
        self, *args: str, check: bool = True, timeout: float | None = 300
    ) -> subprocess.CompletedProcess[str]:
        """Run a manage.py command to its end, its output captured; raises StackError if it fails."""
        done = subprocess.run(
            [*MANAGE, *args],
            cwd=REPOSITORY,
            env=self.env,
            capture_output=True,
            text=True,
            stdin=subprocess.DEVNULL,
            timeout=timeout,
            check=False,
        )
        if check and done.returncode != 0:
            said = _last_lines(done.stdout + done.stderr)
            if "SystemCheckError" in said:
                raise StackError(f"The settings are invalid:\n{said}")
            raise StackError(f"manage.py {' '.join(args)} failed with exit code {done.returncode}:\n{said}")
        return done

    def start(self, name: str, env: Mapping[str, str] | None = None) -> None:
        """Start one part, and wait until it is at work if it is the web process.

        Args:
            env: what this part has in its environment beside what all have.
        """
        running = self.processes.get(name)
        if running is not None and running.poll() is None:
            return
        self._spawn(name, env or {})
        if name == "web":
            self._wait_for_web()

    def kill(self, name: str) -> None:
        """SIGKILL one part, as the kernel's out-of-memory killer would do."""
        process = self.processes[name]
        process.kill()
        process.wait()

    def restart(self, name: str, env: Mapping[str, str] | None = None) -> None:
        self._end([self.processes[name]])
        self.start(name, env)

    def kill_redis(self) -> None:
        embedded.kill("redis", at=self.home)

    def start_redis(self) -> None:
        embedded.start_redis(at=self.home)

    def kill_postgres(self) -> None:
        embedded.kill("postgres", at=self.home)

    def start_postgres(self) -> None:
        embedded.start_postgres(at=self.home)

    def ensure_servers(self) -> bool:
        """Start those embedded servers that this stack uses and that are down, if any are."""
        return embedded.ensure_running(
            postgres="DATABASE_URL" not in self.env, redis="REDIS_URL" not in self.env, at=self.home
        )

    def log_tail(self, name: str) -> str:
        try:
            return _last_lines((self.log_dir / f"{name}.log").read_text(errors="replace"))
        except OSError:
            return ""

    def stop(self) -> None:
        """End every part, then those embedded servers that this stack started."""
        self._end(list(self.processes.values()))
        self._spawner.shutdown()
        embedded.stop(postgres=self._started_postgres, redis=self._started_redis, at=self.home)
        self._started_postgres = self._started_redis = False

    def _environment(self, extra: Mapping[str, str]) -> dict[str, str]:
        merged = {
            **os.environ,
            "PYTHONUNBUFFERED": "1",
            # Not the tests' own settings, even where a test starts the stack.
            "DJANGO_SETTINGS_MODULE": "config.settings",
            **extra,
            "TOCSIN_HOME": str(self.home),
        }
        # The links in messages lead here, whatever the port, unless somebody says otherwise.
        merged["PUBLIC_URL"] = merged.get("PUBLIC_URL") or f"http://localhost:{self.port}"
        for name in ("DATABASE_URL", "REDIS_URL"):
            if not merged.get(name):
                merged.pop(name, None)
        return merged

    def _command_lines(self, *, web: bool, workers: int, scheduler: bool) -> dict[str, list[str]]:
        commands: dict[str, list[str]] = {}
        if web:
            listen = ["--host", "127.0.0.1", "--port", str(self.port)]
            commands["web"] = [sys.executable, "-m", "uvicorn", "config.asgi:application", *listen]
            commands["web"] += ["--loop", "uvloop", "--http", "config.protocol:Protocol", "--no-access-log"]
            # uvicorn believes whoever speaks from loopback; the product asks BEHIND_TLS_PROXY first.
            commands["web"] += ["--no-proxy-headers"]
        for number in range(1, workers + 1):
            commands[f"worker-{number}"] = [*MANAGE, "rqworker"]
        if workers > 1:
            # Jobs that take minutes may keep the others busy, but never this one.
            commands["worker-1"] += ["urgent", "default"]
        if scheduler:
            commands["scheduler"] = [*MANAGE, "rqscheduler", "--interval", "1"]
        return commands

    def _spawn(self, name: str, env: Mapping[str, str]) -> None:
        command = self._commands[name]
        tied = [sys.executable, "-I", "-S", "-c", TIED_TO_PARENT, str(os.getpid()), *command]

        def spawn() -> subprocess.Popen[bytes]:
            path = self.log_dir / f"{name}.log"
            with os.fdopen(os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600), "ab") as log:
                os.fchmod(log.fileno(), 0o600)  # that of an earlier version could be read by anybody
                return subprocess.Popen(
                    tied,
                    cwd=REPOSITORY,
                    env={**self.env, **env},
                    stdin=subprocess.DEVNULL,
                    stdout=log,
                    stderr=subprocess.STDOUT,
                    process_group=0,
                )

        self.processes[name] = self._spawner.submit(spawn).result()

    def _wait_for_web(self) -> None:
        def is_up() -> bool:
            # Not the others: a crash test may have killed one on purpose.
            self._check_alive("web")
            return answers(live, timeout_s=2)

        live = f"{self.base_url}/health/live"
        waiting = Retrying(
            retry=retry_if_result(lambda answers: not answers),
            wait=wait_fixed(POLL_INTERVAL_S),
            stop=stop_after_delay(START_TIMEOUT_S),
        )
        try:
            waiting(is_up)
        except RetryError:
            raise StackError(
                f"web does not answer at {live} after {START_TIMEOUT_S} s; "
                f"the end of its log:\n{self.log_tail('web')}"
            ) from None

    def _check_alive(self, name: str) -> None:
        code = self.processes[name].poll()
        if code is not None:
            raise StackError(f"{name} ended with code {code}; the end of its log:\n{self.log_tail(name)}")

    def _end(self, processes: list[subprocess.Popen[bytes]]) -> None:
        """SIGTERM to all at once, time to finish, and SIGKILL to the groups of those that do not."""
        for process in processes:
            process.terminate()
        deadline = time.monotonic() + STOP_TIMEOUT_S
        for process in processes:
            try:
                process.wait(timeout=max(0.0, deadline - time.monotonic()))
            except subprocess.TimeoutExpired:
                os.killpg(process.pid, signal.SIGKILL)
                process.wait()


def _is_taken(port: int) -> bool:
    with socket.socket() as probe:
        # As uvicorn does, so that connections in TIME_WAIT do not count.
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
        except OSError:
            return True
    return False


def answers(url: str, *, timeout_s: float) -> bool:
    """Whether something on this machine answers 200."""
    with requests.Session() as session:
        session.trust_env = False  # neither a proxy nor somebody's ~/.netrc
        try:
            return session.get(url, timeout=timeout_s).status_code == 200
        except requests.RequestException:
            return False


def _last_lines(text: str) -> str:
    return "\n".join(text.splitlines()[-LOG_TAIL_LINES:])
