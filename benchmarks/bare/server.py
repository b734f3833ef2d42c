"""Starts the bare view beside a stack: the same PostgreSQL, a database of its own, the same uvicorn."""

import os
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from urllib.parse import urlsplit, urlunsplit

import psycopg

from benchmarks.children import running
from config.processes import free_port

DATABASE = "bare"
START_TIMEOUT_S = 30
UVICORN = ["--loop", "uvloop", "--http", "httptools", "--no-access-log"]


@contextmanager
def bare_view(
    database_url: str, logs: Path, *, environment: Mapping[str, str] | None = None
) -> Iterator[str]:
    """Yield the URL to post alerts to, for as long as the block lasts."""
    own_database = _with_database(database_url)
    env = {
        **os.environ,
        "DJANGO_SETTINGS_MODULE": "benchmarks.bare.settings",
        "BARE_DATABASE_URL": own_database,
        **(environment or {}),
    }
    log = logs / "bare.log"
    _create_table(database_url, env, log)
    port = free_port()
    command = [sys.executable, "-m", "uvicorn", "benchmarks.bare.asgi:application"]
    command += ["--host", "127.0.0.1", "--port", str(port), *UVICORN]
    with running(command, log=log, env=env):
        url = f"http://127.0.0.1:{port}/alerts/"
        wait_for(url, log)
        yield url


def count(database_url: str) -> int:
    """How many rows the bare view has inserted."""
    with psycopg.connect(_with_database(database_url)) as connection:
        row = connection.execute("SELECT count(*) FROM bare_barealert").fetchone()
    return int(row[0]) if row else 0


def _create_table(database_url: str, env: Mapping[str, str], log: Path) -> None:
    with psycopg.connect(database_url, autocommit=True) as connection:
        connection.execute(f"DROP DATABASE IF EXISTS {DATABASE}")
        connection.execute(f"CREATE DATABASE {DATABASE}")
    migrate = [sys.executable, "-m", "django", "migrate", "--run-syncdb", "--verbosity", "0"]
    with running(migrate, log=log, env=env) as process:
        if process.wait(timeout=START_TIMEOUT_S) != 0:
            raise RuntimeError(f"the bare view's table was not made:\n{log.read_text()}")


def _with_database(url: str) -> str:
    return urlunsplit(urlsplit(url)._replace(path=f"/{DATABASE}"))


def wait_for(url: str, log: Path) -> None:
    """Wait until a server answers there, with an error."""
    direct = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    deadline = time.monotonic() + START_TIMEOUT_S
    while time.monotonic() < deadline:
        try:
            direct.open(url, timeout=2)
        except urllib.error.HTTPError as error:
            # A GET is not allowed, which is an answer.
            error.close()
            return
        except OSError:
            time.sleep(0.05)
    raise RuntimeError(f"the bare server does not answer at {url}:\n{log.read_text(errors='replace')}")
