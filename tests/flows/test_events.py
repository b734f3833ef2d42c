"""From a registration to the welcome, whichever job is killed in its middle or run twice: one of each."""

import contextlib
import random
import uuid
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import psycopg
import pytest
import requests
from redis import Redis
from rq import Queue
from rq.job import Job, JobStatus

from config import embedded
from tests.flows.product import Product

pytestmark = pytest.mark.flow

WORKERS = ("worker-1", "worker-2")
SETTLED_S = 90
# Who waits to write to a table: the handler that is in its middle.
STUCK = "SELECT pid FROM pg_locks WHERE NOT granted AND relation = %(table)s::regclass"
OF_USER = """
SELECT (SELECT count(*) FROM accounts_student WHERE user_id = %(user)s),
       (SELECT count(*) FROM notifications_event
         WHERE routing_key = 'auth.user.created' AND payload ->> 'user_id' = %(user)s::text),
       (SELECT count(*) FROM notifications_event
         WHERE routing_key = 'student.created' AND payload ->> 'user_id' = %(user)s::text),
       (SELECT count(*) FROM notifications_delivery AS delivery
          JOIN notifications_notification AS told ON told.id = delivery.notification_id
         WHERE delivery.user_id = %(user)s AND told.kind = 'student.created' AND delivery.channel = 'inbox')
"""
RUNS = """
SELECT run.id::text, run.handler, run.status, run.attempts, run.error
  FROM notifications_handlerrun AS run JOIN notifications_event AS event ON event.id = run.event_id
 WHERE event.payload ->> 'user_id' = %(user)s::text ORDER BY run.id
"""
NUMBERS = """
SELECT number FROM notifications_inboxitem AS item
  JOIN notifications_notification AS told ON told.id = item.notification_id
 WHERE item.user_id = %(user)s AND told.kind = %(kind)s ORDER BY number
"""
ONE_OF_EACH = (1, 1, 1, 1)

# The job of the first step makes the profile, that of the second puts something into the inbox: each is held
# up, by a lock on a table, where it is about to write what it is for.
STEPS = [
    pytest.param("accounts_student", "notifications.profile_make", id="the profile's job"),
    pytest.param("notifications_inbox", "notifications.people_tell", id="the welcome's job"),
]


@dataclass(frozen=True, slots=True)
class Run:
    id: str
    handler: str
    status: str
    attempts: int
    error: str


class Journey:
    """One person's way from the registration to the welcome."""

    def __init__(self, product: Product) -> None:
        self.product = product
        body = {
            "email": f"{uuid.uuid4().hex}@example.com",
            "password": "a long way to Tipperary",
            "first_name": "John",
            "last_name": "Doe",
            "role": "student",
        }
        answer = product.call("POST", "/auth/api/v1/register", json=body)
        assert answer.status_code == 201, answer.text
        self.user = answer.json()["user"]["id"]
        self.token = answer.json()["access_token"]

    def made(self) -> tuple[int, ...]:
        """How many profiles, events of either kind and welcomes there are."""
        return self.product.sql(OF_USER, user=self.user)[0]

    def runs(self) -> list[Run]:
        return [Run(*row) for row in self.product.sql(RUNS, user=self.user)]

    def run(self, handler: str) -> Run:
        """The run of one handler that did something for the chain."""
        return next(run for run in self.runs() if run.handler == handler)

    def wait_until_done(self) -> None:
        def is_done() -> bool:
            return self.made() == ONE_OF_EACH and {run.status for run in self.runs()} == {"done"}

        self.product.wait_for(is_done, SETTLED_S, "the chain has not come to its end")

    def inbox(self) -> list[dict[str, Any]]:
        """Their inbox as the API shows it to them."""
        with self.product.new_session() as session:
            session.headers["Authorization"] = f"Bearer {self.token}"
            answer = self.product.call("GET", "/api/v1/inbox/", session=session)
        assert answer.status_code == 200, answer.text
        results: list[dict[str, Any]] = answer.json()["results"]
        return results

    def assert_one_of_each(self) -> None:
        assert self.made() == ONE_OF_EACH
        assert len(self.inbox()) == 1


@contextlib.contextmanager
def held_up(product: Product, table: str) -> Iterator[psycopg.Connection]:
    """Hold up whoever is about to write to a table, for as long as the context lasts."""
    with psycopg.connect(embedded.database_url(at=product.home), connect_timeout=10) as connection:
        connection.execute(f"LOCK TABLE {table} IN SHARE ROW EXCLUSIVE MODE")  # type: ignore[arg-type]
        yield connection
        connection.rollback()


def stuck(product: Product, table: str) -> list[int]:
    return [pid for (pid,) in product.sql(STUCK, table=table)]


def wait_until_stuck(product: Product, table: str) -> None:
    product.wait_for(lambda: bool(stuck(product, table)), SETTLED_S, f"no handler has come to {table}")


def kill_workers(product: Product) -> None:
    for name in WORKERS:
        product.stack.kill(name)


def start_workers(product: Product) -> None:
    for name in WORKERS:
        product.stack.start(name)


@contextlib.contextmanager
def publisher(product: Product, *scopes: str) -> Iterator[requests.Session]:
    """A session of another service, which may publish."""
    key = product.new_key("another service", "events:write", *scopes)
    with product.new_session() as session:
        session.headers["Authorization"] = f"Bearer {key}"
        yield session


def publish(product: Product, session: requests.Session, user: str, **fields: str) -> int:
    """Publish that somebody's application was accepted; returns the status of the answer."""
    body = {"routing_key": "stage.accepted", "payload": {"user_id": user, "title": "Cardiology"}, **fields}
    return int(product.call("POST", "/api/v1/events/", session=session, json=body).status_code)


def stage_numbers(product: Product, user: str) -> list[int]:
    """The places in somebody's inbox of what they were told of their applications."""
    return [number for (number,) in product.sql(NUMBERS, user=user, kind="stage.accepted")]


def wait_until_finished(product: Product, job: Job) -> None:
    product.wait_for(lambda: job.get_status() == JobStatus.FINISHED, SETTLED_S, "a job has not ended")


def queue_of(product: Product) -> Queue:
    return Queue(connection=Redis.from_url(embedded.redis_url(at=product.home)))


def test_a_registration_becomes_a_profile_and_a_welcome(product: Product) -> None:
    journey = Journey(product)
    journey.wait_until_done()
    journey.assert_one_of_each()


@pytest.mark.parametrize(("table", "handler"), STEPS)
def test_a_job_killed_in_its_middle_is_done_once(product: Product, table: str, handler: str) -> None:
    with held_up(product, table):
        journey = Journey(product)
        wait_until_stuck(product, table)
        kill_workers(product)
        assert journey.run(handler).status == "pending"
        assert journey.run(handler).attempts >= 1  # counted before it began
    start_workers(product)
    journey.wait_until_done()
    assert journey.run(handler).attempts >= 2
    journey.assert_one_of_each()


@pytest.mark.parametrize(("table", "handler"), STEPS)
def test_a_job_that_two_workers_get_is_done_once(product: Product, table: str, handler: str) -> None:
    queue = queue_of(product)
    with held_up(product, table):
        journey = Journey(product)
        wait_until_stuck(product, table)
        # The other worker gets the same run while the first is at it, and sees that it is.
        again = queue.enqueue("notifications.events.jobs.event_handle", journey.run(handler).id)
        wait_until_finished(product, again)
        assert len(stuck(product, table)) == 1
    journey.wait_until_done()
    journey.assert_one_of_each()


def test_every_job_run_twice_changes_nothing(product: Product) -> None:
    journey = Journey(product)
    journey.wait_until_done()
    before, queue = journey.runs(), queue_of(product)
    jobs = [
        queue.enqueue("notifications.events.jobs.event_handle", run.id) for run in before for _ in range(2)
    ]
    for job in jobs:
        wait_until_finished(product, job)
    assert journey.runs() == before
    journey.assert_one_of_each()


def test_redis_coming_back_empty_between_the_jobs_loses_no_welcome(product: Product) -> None:
    with held_up(product, "accounts_student"):
        journey = Journey(product)
        wait_until_stuck(product, "accounts_student")
        product.stack.kill_redis()
    # The profile is committed, and the next job can't be queued.
    product.wait_for(lambda: journey.made()[2] == 1, SETTLED_S, "no student.created")
    product.stack.start_redis()
    journey.wait_until_done()
    journey.assert_one_of_each()


def test_an_event_published_while_redis_is_away_is_told_later(product: Product) -> None:
    journey = Journey(product)
    journey.wait_until_done()
    with publisher(product) as session:
        product.stack.kill_redis()
        try:
            assert publish(product, session, journey.user) == 201
        finally:
            product.stack.start_redis()
    product.wait_for(lambda: len(stage_numbers(product, journey.user)) == 1, SETTLED_S, "not told")


def test_a_handler_that_kills_its_workers_again_and_again_is_a_dead_letter_that_can_be_replayed(
    product: Product,
) -> None:
    with held_up(product, "accounts_student"):
        journey = Journey(product)
        for attempt in range(1, 6):
            wait_until_stuck(product, "accounts_student")
            assert journey.run("notifications.profile_make").attempts == attempt
            kill_workers(product)
            # PostgreSQL learns of it when the query ends, which is held up: the same, without the wait.
            product.sql("SELECT pg_terminate_backend(pid) FROM unnest(%(pids)s::int[]) AS pid",
                        pids=stuck(product, "accounts_student"))  # fmt: skip
            # Nor is its claim waited for, which would run out by itself.
            product.sql("UPDATE notifications_handlerrun SET due_at = now() WHERE status = 'pending'")
            product.stack.start(WORKERS[0])
        product.wait_for(
            lambda: journey.run("notifications.profile_make").status == "dead", SETTLED_S, "not given up"
        )
    start_workers(product)
    run = journey.run("notifications.profile_make")
    assert (run.attempts, run.error) == (5, "Its worker was lost during the last attempt.")
    assert journey.made() == (0, 1, 0, 0)
    with publisher(product, "events:read") as session:
        listed = product.call("GET", "/api/v1/dead-letters/", session=session).json()["results"]
        assert run.id in [each["id"] for each in listed]
        answer = product.call("POST", f"/api/v1/dead-letters/{run.id}/replay/", session=session)
        assert answer.status_code == 200, answer.text
    journey.wait_until_done()
    journey.assert_one_of_each()


def test_events_published_while_workers_are_killed_are_told_once_each(
    product: Product, chance: random.Random
) -> None:
    journey = Journey(product)
    journey.wait_until_done()
    count = 60
    kills = set(chance.sample(range(count), 3))
    with publisher(product) as session:
        for number in range(count):
            event_id = str(uuid.uuid4())
            assert publish(product, session, journey.user, event_id=event_id) == 201
            assert publish(product, session, journey.user, event_id=event_id) == 200
            if number in kills:
                victim = chance.choice(WORKERS)
                product.stack.kill(victim)
                product.stack.start(victim)
    product.wait_for(lambda: {run.status for run in journey.runs()} == {"done"}, SETTLED_S, "not all done")
    assert stage_numbers(product, journey.user) == list(range(2, count + 2))  # the welcome was the first
