"""A person with a name of their own, and a search for it through all that there is."""

from collections.abc import Iterable, Iterator
from datetime import timedelta
from pathlib import Path

from django.conf import settings
from django.db import connection
from psycopg import sql
from redis import Redis
from rest_framework.test import APIClient

from accounts.models import User
from config import clock
from notifications.departures import going
from notifications.events import running
from notifications.models import Departure, HandlerRun

#: None of it is part of anything else that tests or products say.
NAMES = ("Zebulon", "Quixotry")
EMAIL = "zq@leaver.example"
PHONE = "+33698765432"
SECOND_ADDRESS = "elsewhere@leaver.example"
HOOK = "https://hooks.leaver.example/own"
WORDS = (*NAMES, EMAIL, PHONE, SECOND_ADDRESS, HOOK)
PASSWORD = "correct horse battery"


def register() -> User:
    """Somebody who registered, with the welcome in their inbox and an address of each kind."""
    body = {"email": EMAIL, "password": PASSWORD, "first_name": NAMES[0], "last_name": NAMES[1]}
    answer = APIClient().post("/api/v1/auth/register/", {**body, "role": "student"})
    assert answer.status_code == 201, answer.content
    user = User.objects.get(email=EMAIL)
    handle_events()
    User.objects.filter(pk=user.pk).update(email_verified_at=clock.now())
    client = client_of(user)
    assert client.patch("/api/v1/users/me/", {"phone": PHONE}).status_code == 200
    for channel, address in (("email", SECOND_ADDRESS), ("webhook", HOOK)):
        point = {"channel": channel, "address": address, "label": f"{NAMES[0]}'s"}
        assert client.post("/api/v1/contact-points/", point).status_code == 201
    handle_events()
    return user


def client_of(user: User) -> APIClient:
    client = APIClient()
    client.force_login(user)
    return client


def handle_events() -> None:
    """Run handlers until none waits, as workers would."""
    while waiting := list(HandlerRun.objects.filter(status="pending").values_list("pk", flat=True)):
        for run in waiting:
            running.run_handle(run)
    assert not HandlerRun.objects.exclude(status="done").values("handler", "error")


def erase() -> None:
    """Let the job of those who left run, now and when it looks again."""
    for hours in range(3):  # of whom something failed before, it goes on a minute later
        going.departures_go_on(clock.now() + timedelta(hours=hours), budget_s=60)
    assert not Departure.objects.exists()


def tables() -> list[str]:
    """Every table, partitions too."""
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT relname FROM pg_class WHERE relkind IN ('r', 'm')"
            " AND relnamespace = current_schema()::regnamespace ORDER BY relname"
        )
        return [name for (name,) in cursor.fetchall()]


def found_in_tables(words: Iterable[str]) -> list[str]:
    """Return where a row has any of the words, as text or as bytes, in whatever column."""
    found = []
    for table in tables():
        for word in words:
            with connection.cursor() as cursor:
                question = sql.SQL(
                    "SELECT count(*) FROM {0} WHERE {0}::text ILIKE %s OR {0}::text ILIKE %s"
                ).format(sql.Identifier(table))
                cursor.execute(question, [f"%{word}%", f"%{word.encode().hex()}%"])
                if cursor.fetchone()[0]:
                    found.append(f"{table}: {word}")
    return found


def found_in_redis(redis: Redis, words: Iterable[str]) -> list[str]:
    wanted = [word.encode() for word in words]
    return [repr(key) for key in redis.scan_iter() for word in wanted if word in key + _value(redis, key)]


def _value(redis: Redis, key: bytes) -> bytes:
    readers = {
        b"string": redis.get,
        b"hash": redis.hgetall,
        b"list": lambda name: redis.lrange(name, 0, -1),
        b"set": redis.smembers,
        b"zset": lambda name: redis.zrange(name, 0, -1),
        b"stream": redis.xrange,
    }
    return repr(readers[redis.type(key)](key)).encode()


def found_in_logs(words: Iterable[str]) -> list[str]:
    return [
        f"{path}: {word}" for path in _logs() for word in words if word in path.read_text("utf-8", "replace")
    ]


def _logs() -> Iterator[Path]:
    """What the processes log; PostgreSQL's own files are its own (docs/operations.md)."""
    yield from (path for path in settings.TOCSIN_HOME.rglob("*.log") if path.is_file())
