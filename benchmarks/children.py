"""Child processes of a benchmark: never outlive it, and are ended in an orderly way."""

import json
import os
import subprocess
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from config.processes import REPOSITORY, TIED_TO_PARENT

STOP_TIMEOUT_S = 10


class ChildError(Exception):
    """A child process did not do its work; carries the end of what it said."""


def python(*args: str) -> list[str]:
    return [sys.executable, *args]


@contextmanager
def running(
    command: Sequence[str],
    *,
    log: Path,
    env: Mapping[str, str] | None = None,
    piped: bool = False,
) -> Iterator[subprocess.Popen[str]]:
    """Run a command for as long as the block lasts; with ``piped``, talk to it over stdin and stdout."""
    tied = [sys.executable, "-I", "-S", "-c", TIED_TO_PARENT, str(os.getpid()), *command]
    with log.open("ab") as errors:
        process = subprocess.Popen(
            tied,
            cwd=REPOSITORY,
            env=dict(env) if env is not None else None,
            stdin=subprocess.PIPE if piped else subprocess.DEVNULL,
            stdout=subprocess.PIPE if piped else errors,
            stderr=errors,
            text=True,
            # A group of its own: Ctrl-C reaches the benchmark alone, which then stops its children.
            process_group=0,
        )
    try:
        yield process
    finally:
        _end(process)


def tell(process: subprocess.Popen[str], order: Mapping[str, Any]) -> None:
    """Send one line of JSON to a piped child."""
    if process.stdin is None:
        raise ChildError("this child was not started with pipes")
    process.stdin.write(json.dumps(order) + "\n")
    process.stdin.flush()


def ask(process: subprocess.Popen[str], question: Mapping[str, Any] | None = None) -> dict[str, Any]:
    """Send one line of JSON, if any, and wait for the line that answers it."""
    if process.stdout is None:
        raise ChildError("this child was not started with pipes")
    if question is not None:
        tell(process, question)
    answer = process.stdout.readline()
    if not answer:
        raise ChildError(f"{_name(process)} ended with code {process.wait()}; see its log")
    said: dict[str, Any] = json.loads(answer)
    return said


def complete(
    command: Sequence[str], *, question: Mapping[str, Any], log: Path, env: Mapping[str, str] | None = None
) -> dict[str, Any]:
    """Run a command that reads one line of JSON and answers with one; return the answer."""
    with running(command, log=log, env=env, piped=True) as process:
        try:
            return ask(process, question)
        except (ChildError, BrokenPipeError) as error:
            tail = "\n".join(log.read_text(errors="replace").splitlines()[-20:])
            raise ChildError(f"{error}\n{tail}") from error


def _name(process: subprocess.Popen[str]) -> str:
    # After the interpreter, its options and the tie comes the command itself.
    return " ".join(process.args[6:10]) if isinstance(process.args, list) else str(process.args)


def _end(process: subprocess.Popen[str]) -> None:
    process.terminate()
    try:
        process.wait(timeout=STOP_TIMEOUT_S)
    except subprocess.TimeoutExpired:
        _kill_group(process.pid)
        process.wait()
    for stream in (process.stdin, process.stdout):
        if stream is not None:
            with suppress(BrokenPipeError):
                stream.close()


def _kill_group(pid: int) -> None:
    with suppress(ProcessLookupError):
        os.killpg(pid, 9)
