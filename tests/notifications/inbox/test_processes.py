"""The stream over real web processes, while they, Redis and PostgreSQL are killed."""

import json
import signal
import uuid
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Self

import psycopg
import pytest
from redis import Redis
from redis.exceptions import ConnectionError as RedisAway

from config import embedded
from config.processes import Stack
from notifications import queue
from notifications.inbox import live
from tests import templates
from tests.notifications.inbox.listening import Listening

pytestmark = [pytest.mark.flow, pytest.mark.slow]

MAKE_PEOPLE = """
import json
from accounts.models import User
from rest_framework_simplejwt.tokens import AccessToken
made = [User.objects.create_user(f"{number}@example.com") for number in range(PEOPLE)]
print(json.dumps([[str(user.pk), str(AccessToken.for_user(user))] for user in made]))
"""
PEOPLE = 8  # at least one a test
MAKE_ITEM = """
WITH told AS (
    INSERT INTO notifications_notification
           (kind, title, body, texts, data, severity, source_type, source_id, dedup_key, created_at)
    VALUES ('test', 'Something', '', '{}', '{}', 'standard', 'test', '', gen_random_uuid(), now())
 RETURNING id
), counter AS (
    INSERT INTO notifications_inbox (user_id, last_number) VALUES (%(user)s, 1)
        ON CONFLICT (user_id) DO UPDATE SET last_number = notifications_inbox.last_number + 1
 RETURNING last_number
), delivery AS (
    INSERT INTO notifications_delivery
           (notification_id, user_id, channel, address, language, status, reason, revocable, due_at,
            expires_at, created_at, sent_at, attempts, replays)
    SELECT told.id, %(user)s, 'inbox', '', 'en', 'sent', '', false, now(), now(), now(), now(),
           0, 0
      FROM told
 RETURNING id, notification_id
)
INSERT INTO notifications_inboxitem (delivery_id, user_id, notification_id, number, language, created_at)
SELECT delivery.id, %(user)s, delivery.notification_id, last_number, 'en', now() FROM delivery, counter
RETURNING number
"""

INBOX = queue.channel(live.CHANNEL, database=0)


@dataclass
class Person:
    id: str
    token: str

    def listen(self, web: Stack, after: str | None = None) -> Listening:
        headers = {"Authorization": f"Bearer {self.token}"}
        return Listening(web.port, headers | ({"Last-Event-ID": after} if after else {}))


@dataclass
class Webs:
    """Two web processes that share PostgreSQL and Redis. Nothing but announcements makes them look."""

    home: Path
    one: Stack = field(init=False)
    two: Stack = field(init=False)
    people: list[Person] = field(init=False)

    def __enter__(self) -> Self:
        templates.furnish(self.home)
        env = {"DATABASE_URL": "", "REDIS_URL": "", "STREAM_HEARTBEAT_S": "3600"}
        self.one, self.two = (
            Stack(self.home, workers=0, scheduler=False, migrate=False, env=env, log_dir=self.home / name)
            for name in ("one", "two")
        )
        try:
            self.one.__enter__()
            self.two.__enter__()
            code = MAKE_PEOPLE.replace("PEOPLE", str(PEOPLE))
            made = self.one.manage("shell", "--no-imports", "-c", code)
            self.people = [Person(*each) for each in json.loads(made.stdout.splitlines()[-1])]
        except BaseException:
            self.__exit__()
            raise
        return self

    def __exit__(self, *unused: object) -> None:
        self.two.stop()
        self.one.stop()
        embedded.destroy(at=self.home)

    def person(self) -> Person:
        """Somebody whom no test has had."""
        return self.people.pop()

    def item(self, person: Person, *, announced: bool = True) -> int:
        with psycopg.connect(embedded.database_url(at=self.home), connect_timeout=10) as connection:
            row = connection.execute(MAKE_ITEM, {"user": person.id}).fetchone()
        assert row
        if announced:
            self.redis().publish(INBOX, live.messages([uuid.UUID(person.id)])[0])
        return row[0]

    def redis(self) -> Redis:
        return Redis.from_url(embedded.redis_url(at=self.home))

    def is_heard(self, by: int = 1) -> bool:
        """Whether at least so many processes listen to announcements."""
        try:
            return self.redis().pubsub_numsub(INBOX)[0][1] >= by
        except RedisAway:
            return False


@pytest.fixture(scope="module")
def webs(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Webs]:
    with Webs(tmp_path_factory.mktemp("streams")) as running:
        yield running


@pytest.fixture
def streams(webs: Webs) -> Iterator[Callable[..., Listening]]:
    """Open a stream at a web process; all are dropped with the test."""
    opened: list[Listening] = []

    def begin(person: Person, web: Stack, after: str | None = None) -> Listening:
        opened.append(person.listen(web, after))
        return opened[-1].wait_until_open()

    yield begin
    for each in opened:
        each.drop()


Streams = Callable[..., Listening]


def test_every_process_hears_of_it(webs: Webs, streams: Streams) -> None:
    person = webs.person()
    both = [streams(person, webs.one), streams(person, webs.two)]
    both[0].wait_for(lambda: webs.is_heard(by=2))
    webs.item(person)
    for stream in both:
        stream.wait_for_number(1)


@pytest.mark.parametrize("kill", [False, True])
def test_a_process_that_stops_or_is_killed_loses_nobody_anything(
    webs: Webs, streams: Streams, kill: bool
) -> None:
    person = webs.person()
    stream = streams(person, webs.one)
    stream.wait_for(webs.is_heard)
    webs.item(person)
    stream.wait_for_number(1)
    process = webs.one.processes["web"]
    process.send_signal(signal.SIGKILL if kill else signal.SIGTERM)
    # Told to stop, it waits for no stream: each would last for ever.
    process.wait(60)
    stream.wait_until_ended()
    assert stream.is_whole == (not kill)
    webs.item(person)
    back = streams(person, webs.two, stream.last_event_id)
    back.wait_for_number(2)
    assert back.numbers == [2]
    webs.one.start("web")
    assert "Traceback" not in webs.one.log_tail("web")


def test_without_redis_it_goes_on_more_slowly(webs: Webs, streams: Streams) -> None:
    person = webs.person()
    stream = streams(person, webs.two)
    stream.wait_for(webs.is_heard)
    webs.one.kill_redis()
    webs.item(person, announced=False)
    stream.wait_for_number(1)
    webs.one.start_redis()
    stream.wait_for(webs.is_heard)
    webs.item(person)
    stream.wait_for_number(2)
    assert (stream.numbers, stream.has_ended) == ([1, 2], False)


def test_a_stream_outlives_postgresql(webs: Webs, streams: Streams) -> None:
    person = webs.person()
    stream = streams(person, webs.two)
    stream.wait_for(webs.is_heard)
    webs.one.kill_postgres()
    webs.redis().publish(INBOX, live.EVERYONE)
    webs.one.start_postgres()
    webs.item(person)
    stream.wait_for_number(1)
    assert (stream.numbers, stream.has_ended) == ([1], False)
