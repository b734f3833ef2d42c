"""What the embedded servers need of the operating system: accounts, launching, finding, killing."""

import contextlib
import os
import signal
import stat
import subprocess
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

POLL_INTERVAL_S = 0.01
DELETED_SUFFIX = " (deleted)"


@dataclass(frozen=True)
class Account:
    """An operating-system user that a server runs as instead of us."""

    name: str
    uid: int
    gid: int


def may_enter(account: Account, directory: Path) -> bool:
    """Whether the account can reach the directory, or, while that is missing, its ancestors."""
    return all(
        _allows(account, ancestor, stat.S_IXOTH)
        for ancestor in (directory, *directory.parents)
        if ancestor.exists()
    )


def may_run(account: Account, program: Path) -> bool:
    return may_enter(account, program.parent) and _allows(account, program, stat.S_IROTH | stat.S_IXOTH)


def _allows(account: Account, path: Path, wanted: int) -> bool:
    """`wanted` is in the bits for others, which lie 3 below the group's and 6 below the owner's."""
    found = path.stat()
    if found.st_uid == account.uid:
        wanted <<= 6
    elif found.st_gid == account.gid:
        wanted <<= 3
    return found.st_mode & wanted == wanted


def run_as(
    account: Account | None, command: Sequence[str | Path], *, stdin: str = ""
) -> subprocess.CompletedProcess[str]:
    """Run to the end, with the output captured; the caller looks at the return code."""
    return subprocess.run(
        [str(part) for part in command],
        input=stdin,
        capture_output=True,
        text=True,
        check=False,
        cwd="/",
        env=_environment(),
        user=account.uid if account else None,
        group=account.gid if account else None,
        extra_groups=[] if account else None,
    )


def launch(account: Account | None, command: Sequence[str | Path], *, log: Path, stdin: str = "") -> int:
    """Start a server in a session of its own, as nobody's child; answers its process id.

    The shell in between exits at once, so that init adopts the server: Ctrl-C does not reach it, and it never
    becomes a zombie of ours. We open the log, since the account may not be able to.
    """
    with log.open("ab") as output:
        started = subprocess.run(
            # A shell takes the input away from what runs beside it, unless that is told to read another's.
            ["/bin/sh", "-c", 'exec 3<&0; "$@" <&3 3<&- >&2 & echo $!', "sh", *map(str, command)],
            input=stdin.encode(),
            stdout=subprocess.PIPE,
            stderr=output,
            check=True,
            cwd="/",
            env=_environment(),
            start_new_session=True,
            umask=0o077,
            user=account.uid if account else None,
            group=account.gid if account else None,
            extra_groups=[] if account else None,
        )
    return int(started.stdout)


def _environment() -> dict[str, str]:
    # Variables such as PGDATA, PGOPTIONS or LD_PRELOAD are not for these servers.
    return {"PATH": os.environ.get("PATH", os.defpath), "LC_ALL": "C", "TZ": "UTC"}


def is_alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    try:
        state = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except OSError:
        return Path("/proc/self").exists() is False
    return state not in "ZX"


def is_server(pid: int, program: str, *, working_directory: Path) -> bool:
    """Whether the process is that program at work in that directory: pids are used again."""
    process = Path(f"/proc/{pid}")
    if not Path("/proc/self").exists():
        return is_alive(pid)
    try:
        name = (process / "comm").read_text().strip()
        where = os.readlink(process / "cwd").removesuffix(DELETED_SUFFIX)
    except OSError:
        return False
    return name == program and where == str(working_directory) and is_alive(pid)


def processes_of(program: str, *, working_directory: Path) -> Iterator[int]:
    if not Path("/proc/self").exists():
        return
    for entry in os.listdir("/proc"):
        if entry.isdigit() and is_server(int(entry), program, working_directory=working_directory):
            yield int(entry)


def kill_processes(program: str, *, working_directory: Path) -> None:
    """SIGKILL whatever is left of a server whose directory is ours."""
    for pid in processes_of(program, working_directory=working_directory):
        send(pid, signal.SIGKILL)
    wait_until(lambda: not any(processes_of(program, working_directory=working_directory)), timeout_s=10)


def send(pid: int, number: signal.Signals) -> None:
    with contextlib.suppress(ProcessLookupError):
        os.kill(pid, number)


def end(pid: int, *numbers: signal.Signals, timeout_s: float) -> bool:
    """Send these signals, each where the one before has not ended the process in time; whether it is gone."""
    for number in numbers:
        send(pid, number)
        if wait_until(lambda: not is_alive(pid), timeout_s=timeout_s):
            return True
    return False


def wait_until(condition: Callable[[], bool], *, timeout_s: float) -> bool:
    deadline = time.monotonic() + timeout_s
    while not condition():
        if time.monotonic() > deadline:
            return False
        time.sleep(POLL_INTERVAL_S)
    return True


def tail(path: Path, lines: int = 20) -> str:
    try:
        return "\n".join(path.read_text(errors="replace").splitlines()[-lines:])
    except OSError:
        return ""
