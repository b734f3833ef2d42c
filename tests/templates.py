"""What the processes of a test run begin with, migrated already: a database, and a cluster for stacks.

Both are kept for the next run, and made anew where the migrations or models have changed, or the day: some
migrations make the months that are at hand.
"""

import fcntl
import hashlib
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from pathlib import Path

import django
from django.apps import apps
from django.core.management import call_command
from django.db import connection
from django.utils import timezone
from psycopg import sql

from config import embedded
from config.embedded.instance import Instance
from config.processes import Stack

DATABASE = "test_template"
MADE_FOR = "SELECT shobj_description(oid, 'pg_database') FROM pg_database WHERE datname = %s"


def database() -> str:
    """The name of a database with all migrations, to make others from; nobody connects to it."""
    with _alone("database"), connection._nodb_cursor() as cursor:
        cursor.execute(MADE_FOR, [DATABASE])
        if cursor.fetchone() != (_made_of(),):
            cursor.execute(f"DROP DATABASE IF EXISTS {DATABASE}")
            cursor.execute(f"CREATE DATABASE {DATABASE}")
            usual = connection.settings_dict["NAME"]
            connection.settings_dict["NAME"] = DATABASE
            call_command("migrate", verbosity=0, interactive=False)
            connection.close()
            connection.settings_dict["NAME"] = usual
            cursor.execute(
                sql.SQL("COMMENT ON DATABASE {} IS {}").format(sql.Identifier(DATABASE), _made_of())
            )
    return DATABASE


def furnish(home: Path) -> None:
    """Give a home that is to be the files of a PostgreSQL that is migrated already."""
    template = _cluster()
    made = Instance.at(home.resolve())
    made.prepare()
    with made.locked():
        made.claim_directories()
        subprocess.run(["cp", "-a", "--reflink=auto", template.data, made.data], check=True)


def _cluster() -> Instance:
    usual = embedded.home()
    home = usual.with_name(f"{usual.name}-cluster")
    with _alone("cluster"):
        made_for = home / "made-for"
        if not made_for.exists() or made_for.read_text() != _made_of():
            embedded.destroy(at=home)
            urls = {"DATABASE_URL": "", "REDIS_URL": ""}
            with Stack(home, web=False, workers=0, scheduler=False, env=urls):
                made_for.write_text(_made_of())
    return Instance.at(home)


@cache
def _made_of() -> str:
    """What a template is made of: of the same, the same comes out."""
    made_of = hashlib.sha256(f"{django.__version__} {timezone.now():%Y-%m-%d}".encode())
    for app in apps.get_app_configs():
        for path in sorted(Path(app.path).rglob("*.py")):
            if {"migrations", "models", "models.py"} & set(path.relative_to(app.path).parts):
                made_of.update(path.read_bytes())
    return made_of.hexdigest()


@contextmanager
def _alone(what: str) -> Iterator[None]:
    """Only one process of the tests at a time."""
    with (embedded.home() / f"{what}-template.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield
