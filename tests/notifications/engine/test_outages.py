"""Whatever the database refuses, and whichever part of the sender dies: it goes on, and forgets nothing."""

import asyncio
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import psycopg
import pytest
import uvloop
from django.db import connection
from pytest_django import Settings
from redis import Redis

from notifications.channels import registry
from notifications.channels.base import Channel
from notifications.channels.message import Message, Receipt
from notifications.channels.transport.session import Session
from notifications.database import Away, Database, connection_parameters, is_away
from notifications.engine import supervision, wake
from notifications.engine.finalise import Ledger
from notifications.engine.sender import Sender
from notifications.models import Delivery
from tests.factories import NotificationFactory
from tests.notifications.engine.conftest import statuses
from tests.notifications.engine.test_ledger import finished, run, sent
from tests.servers.third_party import ThirdParty

Make = Callable[..., list[Delivery]]
READ_ONLY = "SET default_transaction_read_only = on"
BOTH = pytest.mark.parametrize("revocable", [False, True], ids=["ordinary", "revocable"])


def execute(statement: str) -> None:
    with connection.cursor() as cursor:
        cursor.execute(statement, [])


def databases(sender: Sender) -> list[Database]:
    fencer = sender._fencer
    return [sender._claimer._database, sender._outcome_database, fencer._look, *fencer._workers]


def in_loop(sender: Sender, database: Database, statement: str) -> None:
    """Do something with one of the sender's own sessions."""
    running = asyncio.run_coroutine_threadsafe(database.rows(statement, {}), sender._loop)
    running.result(20)


@contextmanager
def read_only_database() -> Iterator[None]:
    """Let new sessions only read, as a standby does, and end those that there are."""
    name = connection.settings_dict["NAME"]
    execute(f'ALTER DATABASE "{name}" SET default_transaction_read_only = on')
    execute("SELECT pg_terminate_backend(pid, 10000) FROM pg_stat_activity "
            "WHERE datname = current_database() AND pid <> pg_backend_pid()")  # fmt: skip
    try:
        yield
    finally:
        execute(f'ALTER DATABASE "{name}" RESET default_transaction_read_only')


def eventually(condition: Callable[[], bool], timeout_s: float = 20) -> None:
    deadline = time.monotonic() + timeout_s
    while not condition():
        assert time.monotonic() < deadline, f"not after {timeout_s} s: {statuses()}"
        time.sleep(0.02)


# --- A database that refuses ---------------------------------------------------------------------------


@pytest.mark.slow
@BOTH
def test_sessions_that_turn_read_only_are_replaced(
    sender: Sender, make_deliveries: Make, third_party: ThirdParty, revocable: bool
) -> None:
    assert sender.drain(20)
    for database in databases(sender):
        in_loop(sender, database, READ_ONLY)
    made = make_deliveries(5, third_party.url, revocable=revocable)
    sender.wake()
    eventually(lambda: statuses() == {"sent": 5})
    assert set(third_party.counts()) == {str(each.pk) for each in made}


@pytest.mark.slow
def test_outcomes_that_a_read_only_session_refused_are_written_by_the_next(
    sender: Sender, make_deliveries: Make, third_party: ThirdParty
) -> None:
    assert sender.drain(20)
    in_loop(sender, sender._outcome_database, READ_ONLY)
    made = make_deliveries(5, third_party.url)
    sender.wake()
    eventually(lambda: statuses() == {"sent": 5})
    assert third_party.counts() == {str(each.pk): 1 for each in made}


@pytest.mark.slow
@BOTH
def test_a_server_that_takes_no_writes_is_as_good_as_away(
    sender: Sender, make_deliveries: Make, third_party: ThirdParty, revocable: bool
) -> None:
    assert sender.drain(20)
    make_deliveries(5, third_party.url, revocable=revocable)
    with read_only_database():
        sender.wake()
        eventually(lambda: all(each._connection is None for each in databases(sender)[:2]))
        assert third_party.requests == []
    eventually(lambda: statuses() == {"sent": 5})


@pytest.mark.slow
def test_a_table_that_is_not_as_it_was_costs_no_outcome(
    sender: Sender, make_deliveries: Make, third_party: ThirdParty
) -> None:
    """As between a migration and the restart of the old workers."""
    assert sender.drain(20)
    execute("ALTER TABLE notifications_attempt RENAME COLUMN reference TO handle")
    try:
        made = make_deliveries(5, third_party.url)
        sender.wake()
        third_party.wait_for(5, timeout=20)
        eventually(lambda: len(sender._ledger) == 5)
        eventually(lambda: sender._outcome_database._connection is None)
    finally:
        execute("ALTER TABLE notifications_attempt RENAME COLUMN handle TO reference")
    eventually(lambda: statuses() == {"sent": 5})
    assert third_party.counts() == {str(each.pk): 1 for each in made}


REFUSE = """
CREATE FUNCTION refuse() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF NEW.id = '{delivery}' THEN RAISE 'no' USING ERRCODE = '23514'; END IF;
    RETURN NEW;
END $$;
CREATE TRIGGER refuse BEFORE UPDATE ON notifications_delivery FOR EACH ROW EXECUTE FUNCTION refuse();
"""


@pytest.mark.slow
def test_an_outcome_that_is_refused_for_its_own_sake_keeps_back_no_other(make_deliveries: Make) -> None:
    made = make_deliveries(5, "https://hooks.example.com/")

    async def write(ledger: Ledger) -> None:
        for each in made:
            ledger.add(finished(each))
        async with asyncio.timeout(20):
            writing = asyncio.create_task(ledger.write_forever())
            while ledger:
                await asyncio.sleep(0.01)
        assert not writing.done()
        await supervision.end([writing])

    execute(REFUSE.format(delivery=made[2].pk))
    try:
        run([], write)
    finally:
        execute("DROP TRIGGER refuse ON notifications_delivery; DROP FUNCTION refuse()")
    assert sent() == 4
    made[2].refresh_from_db()
    assert made[2].status == "pending"


@pytest.mark.parametrize(
    ("code", "away"),
    [
        ("25006", True), ("25P04", True), ("57P01", True), ("0A000", True), ("42703", True), ("42P01", True),
        ("23502", True), ("40P01", True), ("53300", True),
        ("23514", False), ("23505", False), ("22003", False), ("22P05", False),
    ],
)  # fmt: skip
def test_what_is_refused_to_all_is_told_from_what_is_refused_to_one(code: str, away: bool) -> None:
    assert is_away(psycopg.errors.lookup(code)()) is away


@pytest.mark.django_db(transaction=True)
async def test_a_read_only_session_is_closed() -> None:
    database = Database(connection_parameters())
    await database.rows(READ_ONLY, {})
    with pytest.raises(Away, match="read-only"):
        await database.rows("DELETE FROM notifications_attempt", {})
    assert await database.rows("SHOW transaction_read_only", {}) == [("off",)]
    await database.close()


# --- A part that dies ------------------------------------------------------------------------------------

PARTS = [
    "ClaimLoop.run",
    "FenceLoop.run",
    "Ledger.write_forever",
    "UnderWay.watch_forever",
    "listen",
]


def kill(sender: Sender, part: str) -> "asyncio.Task[None]":
    """End one of the sender's tasks, as a fault in it would."""
    found: list[asyncio.Task[None]] = []
    done = threading.Event()

    def find() -> None:
        found.extend(
            task
            for task in asyncio.all_tasks(sender._loop)
            if task.get_coro().__qualname__ == part  # type: ignore[union-attr]
        )
        found[0].cancel()
        done.set()

    sender._loop.call_soon_threadsafe(find)
    assert done.wait(20)
    (task,) = found
    return task


@pytest.mark.slow
@pytest.mark.parametrize("part", PARTS)
def test_whichever_part_dies_all_go_on(
    sender: Sender, make_deliveries: Make, third_party: ThirdParty, part: str
) -> None:
    third_party.behave("slow:300")
    assert sender.drain(20)
    made = [*make_deliveries(3, third_party.url), *make_deliveries(3, third_party.url, revocable=True)]
    sender.wake()
    third_party.wait_for(6, timeout=20)
    killed = kill(sender, part)  # while sends are under way, whose outcomes must not be lost
    eventually(killed.done)
    eventually(lambda: statuses() == {"sent": 6})
    assert third_party.counts() == {str(each.pk): 1 for each in made}
    later = [*make_deliveries(1, third_party.url), *make_deliveries(1, third_party.url, revocable=True)]
    wake.publish()
    eventually(lambda: statuses() == {"sent": 8})
    assert third_party.counts() == {str(each.pk): 1 for each in [*made, *later]}


def test_listening_ends_at_whichever_step_it_is_told_to(redis: Redis) -> None:
    async def listen_and_end() -> list[int]:
        deaf = []
        for step in range(60):
            listening = asyncio.create_task(wake.listen(lambda *, revocable: None))
            for _ in range(step):
                await asyncio.sleep(0)
            listening.cancel()
            _, unfinished = await asyncio.wait([listening], timeout=2)
            if unfinished:
                deaf.append(step)
                await supervision.end([listening])
        return deaf

    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        assert runner.run(listen_and_end()) == []


@pytest.mark.slow
async def test_a_part_that_forgets_that_it_was_cancelled_is_told_again() -> None:
    async def forgetful() -> None:
        try:
            await asyncio.Event().wait()
        except asyncio.CancelledError:
            await asyncio.Event().wait()

    async def main() -> None:
        await asyncio.sleep(0)

    async with asyncio.timeout(20):
        await supervision.run_together(main(), forgetful())


@pytest.mark.slow
@pytest.mark.parametrize("held", [False, True])
def test_it_stops_within_seconds_while_nothing_can_be_written(
    transactional_db: None, make_deliveries: Make, third_party: ThirdParty, held: bool
) -> None:
    sender = Sender()
    sender.start()
    assert sender.drain(20)
    make_deliveries(3, third_party.url)
    if held:
        third_party.behave("slow:500")
        sender.wake()
        third_party.wait_for(3, timeout=20)
    with read_only_database():
        sender.wake()
        eventually(lambda: sender._claimer._database._connection is None)
        began = time.monotonic()
        sender.stop()
        assert time.monotonic() - began < 8
        assert sender._thread is not None
        assert not sender._thread.is_alive()
    assert len(sender._unwritten) == (3 if held else 0)


# --- A fault at one delivery ---------------------------------------------------------------------------


class Odd(Channel):
    """A channel with a fault: the reference that it returns can't be stored."""

    name = "odd"
    address_type = "anything"
    needs_confirmation = False

    def normalised_address(self, address: str) -> str:
        return address

    def lane(self, address: str) -> str:
        return "odd"

    async def send(self, message: Message, session: Session) -> Receipt:
        return Receipt(200, reference=12 if message.title == "odd" else "12")  # type: ignore[arg-type]


@pytest.mark.slow
@BOTH
def test_a_text_that_cannot_be_made_costs_its_own_delivery_only(
    sender: Sender, make_deliveries: Make, third_party: ThirdParty, settings: Settings, revocable: bool
) -> None:
    settings.CHANNEL_POLICIES = {"webhook": {"concurrency": 1, "attempts": 1}}
    broken = NotificationFactory(texts={"en": {"": ["only a title"]}})
    make_deliveries(3, third_party.url, notification=broken, language="en", revocable=revocable)
    make_deliveries(2, third_party.url, revocable=revocable)
    assert sender.drain(20)
    assert statuses() == {"failed": 3, "sent": 2}
    assert sender._pump.claimed == 0
    assert [lane.in_flight for lane in sender._pump.lanes.values()] == [0]


@pytest.mark.slow
@BOTH
def test_an_outcome_that_cannot_be_made_costs_its_own_delivery_only(
    sender: Sender, make_deliveries: Make, monkeypatch: pytest.MonkeyPatch, revocable: bool
) -> None:
    monkeypatch.setitem(registry.CHANNELS, "odd", Odd())
    odd = NotificationFactory(title="odd")
    make_deliveries(3, "x", channel="odd", notification=odd, revocable=revocable)
    make_deliveries(2, "x", channel="odd", revocable=revocable)
    assert sender.drain(20)
    assert statuses() == {"sending": 3, "sent": 2}  # whose leases make them due again
    assert sender._pump.claimed == 0
    assert [lane.in_flight for lane in sender._pump.lanes.values()] == [0]


def test_a_lane_that_has_become_narrower_than_it_is_full_takes_no_more(
    sender: Sender, make_deliveries: Make, third_party: ThirdParty
) -> None:
    make_deliveries(1, third_party.url, revocable=True)
    assert sender.drain(20)
    (lane,) = sender._pump.lanes.values()
    lane.in_flight = lane.width + lane.prefetch + 1
    assert sender._fence_loop.room(lane.name) == 0
