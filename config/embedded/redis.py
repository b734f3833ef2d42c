"""The embedded Redis: no persistence, since the rows in PostgreSQL are the truth."""

import signal
import socket
from pathlib import Path
from urllib.parse import quote

from config.embedded import kept, programs
from config.embedded.instance import EmbeddedError, Instance
from config.embedded.system import end, is_alive, is_server, kill_processes, launch, send, tail, wait_until

PROGRAM = "redis-server"
START_TIMEOUT_S = 20
STOP_TIMEOUT_S = 10
PING_TIMEOUT_S = 5

SETTINGS = {
    "port": "0",
    "unixsocketperm": "700",
    "save": "",
    "appendonly": "no",
    "daemonize": "no",
    # Jobs may never be thrown away to make room.
    "maxmemory-policy": "noeviction",
}


def url(instance: Instance) -> str:
    return f"unix://:{_password(instance)}@{quote(str(_socket_path(instance)))}?db=0"


def running_pid(instance: Instance) -> int | None:
    """The server's process id, if it answers to its password: one of an older version has none."""
    pid = _process(instance)
    if pid is None:
        return None
    try:
        with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as connection:
            connection.settimeout(PING_TIMEOUT_S)
            connection.connect(str(_socket_path(instance)))
            connection.sendall(f"AUTH {_password(instance)}\r\n".encode())
            return pid if connection.recv(16).startswith(b"+OK") else None
    except OSError:
        return None


def start(instance: Instance) -> None:
    """Start the server unless it is up; call it under the instance's lock."""
    if running_pid(instance) is not None:
        return
    kill_processes(PROGRAM, working_directory=instance.run)
    _pid_path(instance).unlink(missing_ok=True)
    _socket_path(instance).unlink(missing_ok=True)
    settings = SETTINGS | {
        "unixsocket": str(_socket_path(instance)),
        "pidfile": str(_pid_path(instance)),
        "dir": str(instance.run),
        "requirepass": _password(instance),
    }
    # Not on the command line, which everybody on the machine can read.
    quoted = {name: value.replace("\\", "\\\\").replace('"', '\\"') for name, value in settings.items()}
    lines = "".join(f'{name} "{value}"\n' for name, value in quoted.items())
    program = programs.redis(instance)
    log = instance.log("redis")
    pid = launch(instance.account, [program, "-"], log=log, stdin=lines)
    wait_until(lambda: running_pid(instance) is not None or not is_alive(pid), timeout_s=START_TIMEOUT_S)
    if running_pid(instance) is None:
        send(pid, signal.SIGKILL)
        raise EmbeddedError(f"Redis did not start; the end of {log}:\n{tail(log)}")


def stop(instance: Instance) -> None:
    pid = _process(instance)
    if pid is not None and not end(pid, signal.SIGTERM, signal.SIGKILL, timeout_s=STOP_TIMEOUT_S):
        raise EmbeddedError(f"Redis, process {pid}, does not end")


def kill(instance: Instance) -> None:
    pid = _process(instance)
    if pid is not None:
        end(pid, signal.SIGKILL, timeout_s=STOP_TIMEOUT_S)


def _password(instance: Instance) -> str:
    return kept.secret(instance.redis_password)


def _socket_path(instance: Instance) -> Path:
    return instance.run / "redis.sock"


def _pid_path(instance: Instance) -> Path:
    return instance.run / "redis.pid"


def _process(instance: Instance) -> int | None:
    """Return our server's process id, if it is there."""
    try:
        pid = int(_pid_path(instance).read_text())
    except (OSError, ValueError):
        return None
    return pid if is_server(pid, PROGRAM, working_directory=instance.run) else None
