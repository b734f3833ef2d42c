"""The embedded PostgreSQL: set up, start, recover and stop one cluster per instance."""

import os
import shutil
import signal
from pathlib import Path
from urllib.parse import quote

from config.embedded import programs, system
from config.embedded.instance import EmbeddedError, Instance

PROGRAM = "postgres"
MAJOR_VERSION = "18"
ROLE = DATABASE = "tocsin"
START_TIMEOUT_S = 60
# In postmaster.pid, of one that takes connections: the second of a standby, which only reads.
UP = ("ready", "standby")
STOP_TIMEOUT_S = 30
# Where postmaster.pid keeps the state, counted from 0; "ready" is padded with blanks.
PID_FILE_STATUS_LINE = 7


MEMORY_MB = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") >> 20

SETTINGS = {
    "listen_addresses": "",
    "unix_socket_permissions": "0700",
    "max_connections": "200",
    # A sixteenth of the machine's memory, from 128 MB to 1 GB: it is taken up only as far as it is used.
    "shared_buffers": f"{min(max(MEMORY_MB // 16, 128), 1024)}MB",
    "max_wal_size": "2GB",
    "checkpoint_timeout": "10min",
    "random_page_cost": "1.1",  # SSDs
    "jit": "off",  # costs more than it saves in queries of a few milliseconds
    "timezone": "UTC",
    "log_timezone": "UTC",
    "log_line_prefix": "%m [%p] ",
    # What failed is told, and not with which values: statements hold addresses and hashes of passwords.
    "log_min_error_statement": "panic",
    "log_error_verbosity": "terse",
    # Rows of a queue are updated several times each within seconds, so look often and early.
    "autovacuum_naptime": "5s",
    "autovacuum_vacuum_scale_factor": "0.05",
    "autovacuum_analyze_scale_factor": "0.05",
    "autovacuum_vacuum_cost_limit": "2000",
    # The defaults, spelled out because nothing accepted may be lost.
    "fsync": "on",
    "full_page_writes": "on",
    "synchronous_commit": "on",
}


def url(instance: Instance) -> str:
    return f"postgresql://{ROLE}@/{DATABASE}?host={quote(str(instance.run), safe='')}"


def running_pid(instance: Instance) -> int | None:
    """The postmaster's process id, if it takes connections."""
    pid, state = _process(instance)
    return pid if state in UP else None


def start(instance: Instance) -> None:
    """Start the server unless it is up; call it under the instance's lock."""
    if running_pid(instance) is not None:
        return
    if not (instance.data / "PG_VERSION").exists():
        _create_cluster(instance)
    instance.make_server_directory(instance.data)
    version = (instance.data / "PG_VERSION").read_text().strip()
    if version != MAJOR_VERSION:
        raise EmbeddedError(
            f"{instance.data} was made by PostgreSQL {version}, this is {MAJOR_VERSION}: dump it "
            "with the old version, or start anew with `make clean`"
        )
    # Remove what a killed server left: one shutting down is waited for, the rest is dead. Orphaned backends
    # keep the shared memory attached, and a pid file whose number now belongs to another process looks alive
    # to PostgreSQL; it refuses to start for either.
    old, _ = _process(instance)
    if old is not None:
        system.wait_until(
            lambda: not system.is_alive(old) or running_pid(instance) is not None, timeout_s=STOP_TIMEOUT_S
        )
    system.kill_processes(PROGRAM, working_directory=instance.data)
    for path in (instance.data / "postmaster.pid", *instance.run.glob(".s.PGSQL.*")):
        path.unlink(missing_ok=True)
    settings = SETTINGS | {"unix_socket_directories": f'"{instance.run}"'}
    options = [f"--{name}={value}" for name, value in settings.items()]
    program = programs.postgres(instance, "postgres")
    log = instance.log("postgres")
    pid = system.launch(instance.account, [program, "-D", instance.data, *options], log=log)
    system.wait_until(
        lambda: running_pid(instance) is not None or not system.is_alive(pid), timeout_s=START_TIMEOUT_S
    )
    if running_pid(instance) is None:
        system.send(pid, signal.SIGQUIT)
        raise EmbeddedError(f"PostgreSQL did not start; the end of {log}:\n{system.tail(log)}")


def stop(instance: Instance) -> None:
    """Fast shutdown: sessions are ended, everything committed is on disk."""
    pid, _ = _process(instance)
    numbers = (signal.SIGINT, signal.SIGQUIT, signal.SIGKILL)
    if pid is not None and not system.end(pid, *numbers, timeout_s=STOP_TIMEOUT_S):
        raise EmbeddedError(f"PostgreSQL, process {pid}, does not end")


def kill(instance: Instance) -> None:
    pid, _ = _process(instance)
    if pid is not None:
        system.end(pid, signal.SIGKILL, timeout_s=STOP_TIMEOUT_S)


def _process(instance: Instance) -> tuple[int | None, str]:
    """Return our server's process id and its state, by postmaster.pid, unless that is stale or missing."""
    try:
        lines = (instance.data / "postmaster.pid").read_text().splitlines()
        pid = int(lines[0])
    except (OSError, ValueError, IndexError):
        return None, ""
    if not system.is_server(pid, PROGRAM, working_directory=instance.data):
        return None, ""
    return pid, lines[PID_FILE_STATUS_LINE].strip() if len(lines) > PID_FILE_STATUS_LINE else ""


def _create_cluster(instance: Instance) -> None:
    """initdb beside the final place and move it there, so that a killed one leaves no half."""
    fresh = instance.base / "postgres.new"
    shutil.rmtree(fresh, ignore_errors=True)
    instance.make_server_directory(fresh)
    _run(
        instance,
        [
            programs.postgres(instance, "initdb"),
            f"--pgdata={fresh}",
            f"--username={ROLE}",
            "--auth-local=trust",
            "--auth-host=reject",
            "--encoding=UTF8",
            "--locale=C",
            "--locale-provider=builtin",
            "--builtin-locale=C.UTF-8",
            "--no-instructions",
        ],
    )
    single: list[str | Path] = [programs.postgres(instance, "postgres"), "--single", "-D", fresh, "postgres"]
    _run(instance, single, stdin=f"CREATE DATABASE {DATABASE} OWNER {ROLE};\n")
    if instance.data.exists():
        instance.data.rmdir()
    fresh.rename(instance.data)


def _run(instance: Instance, command: list[str | Path], *, stdin: str = "") -> None:
    done = system.run_as(instance.account, command, stdin=stdin)
    if done.returncode != 0 or "FATAL" in done.stderr or "ERROR" in done.stderr:
        raise EmbeddedError(f"{Path(command[0]).name} failed in {instance.base}:\n{done.stdout}{done.stderr}")
