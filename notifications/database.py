"""The engine's statements: on Django's connection, and on the sender's own, which rebuild themselves."""

import asyncio
import contextlib
import select
from collections.abc import AsyncIterator, Iterator, Mapping, Sequence
from contextlib import asynccontextmanager, contextmanager
from typing import Any, Final
from uuid import UUID

import orjson
from django.db import connections
from psycopg import AsyncConnection, AsyncRawCursor, Error, InterfaceError, OperationalError

from config import clock, sql
from config.sql import numbered

# PostgreSQL's codes of errors that concern whatever is asked of this connection now, and not what was asked:
# of the connection, of rights, of resources and of a server that stops; it is read-only, a transaction took
# too long, and tables that are not as this process knows them, between a migration and its restart.
AWAY: Final = (
    "08", "28", "3D", "53", "57", "58", "XX000",
    "25006", "25P04", "0A000", "23502", "42",
)  # fmt: skip
# Between two tries to reach it, in seconds.
RETRY_S: Final = 0.5


class Away(OperationalError):
    """The database can't do its work at the moment; the connection is closed, and the next one is new."""


def is_away(error: BaseException) -> bool:
    """Whether an error is none of what was asked: the same may be done later."""
    if isinstance(error, OperationalError | InterfaceError):
        return True
    return isinstance(error, Error) and (error.sqlstate or "").startswith(AWAY)


@contextmanager
def alone(lock: int) -> Iterator[bool]:
    """Take an advisory lock of PostgreSQL for the block; yields whether nobody else has it."""
    is_alone = sql.value("SELECT pg_try_advisory_lock(%s)", [lock])
    try:
        yield is_alone
    finally:
        if is_alone:
            sql.execute("SELECT pg_advisory_unlock(%s)", [lock])


def connection_parameters() -> dict[str, Any]:
    """Return what libpq needs to reach Django's default database (in a test: the test database)."""
    settings = connections["default"].settings_dict
    keys = {"NAME": "dbname", "USER": "user", "PASSWORD": "password", "HOST": "host", "PORT": "port"}
    parameters = {name: settings[key] for key, name in keys.items() if settings.get(key)}
    options = {
        key: value
        for key, value in settings["OPTIONS"].items()
        if key not in ("assume_role", "prepare_threshold")
    }
    return {**options, **parameters}


async def run(
    connection: AsyncConnection[Any], statement: str, parameters: Mapping[str, Any]
) -> list[tuple[Any, ...]]:
    """Run a statement on a connection of the sender's, and return its rows."""
    text, names = numbered(statement)
    async with AsyncRawCursor(connection) as cursor:
        await cursor.execute(text, [parameters[name] for name in names], binary=True)
        return await cursor.fetchall() if cursor.description else []


async def _measure_clock(connection: AsyncConnection[Any]) -> None:
    asked_at = clock.elapsed()
    ((server_time,),) = await run(connection, f"SELECT {clock.SERVER_TIME}", {})
    clock.measured(server_time, asked_at=asked_at, answered_at=clock.elapsed())


def array(values: Sequence[UUID | float | None]) -> str:
    """Return PostgreSQL's text of an array: JSON's, in other brackets.

    Psycopg builds arrays element by element, which costs more than much that is done with them.
    """
    return "{" + orjson.dumps(values).decode()[1:-1] + "}"


def is_alive(connection: AsyncConnection[Any]) -> bool:
    """Return whether a connection that is idle is still there, without asking it; costs microseconds.

    A server that ends a session says so before it lets go of the session's locks, and one that dies has its
    sockets closed: either can be read. One that is cut off by the network can't be told from a silent one.
    """
    try:
        poll = select.poll()
        poll.register(connection.pgconn.socket, select.POLLIN)
        return not poll.poll(0)
    except Error:
        return False


class Database:
    """One connection, opened when first needed and again after it broke.

    ``plans_once``: for statements that cost more to plan than to run, and need no plan of their own for each
    set of parameters. Their joins are nested loops, which keep an order (notifications.engine.finalise).
    """

    def __init__(self, parameters: Mapping[str, Any], *, plans_once: bool = False) -> None:
        self._parameters = parameters
        self._plans_once = plans_once
        self._connection: AsyncConnection[Any] | None = None
        self._opening = asyncio.Lock()

    async def connection(self) -> AsyncConnection[Any]:
        async with self._opening:  # two who come at once share one
            if self._connection is None or self._connection.closed:
                connection = await AsyncConnection.connect(
                    **self._parameters, autocommit=True, prepare_threshold=2, connect_timeout=5
                )
                try:
                    # Statistics of a queue are always out of date: the planner may take a table with a
                    # hundred thousand new rows for an empty one, and read all of it each time.
                    await connection.execute("SET enable_seqscan = off")
                    await connection.execute("SET jit = off")
                    # What a crash of PostgreSQL can undo here is done again: see docs/adr/0013.
                    await connection.execute("SET synchronous_commit = off")
                    await _measure_clock(connection)  # it may be another server than before
                    if self._plans_once:
                        await connection.execute("SET plan_cache_mode = force_generic_plan")
                        await connection.execute("SET enable_hashjoin = off")
                        await connection.execute("SET enable_mergejoin = off")
                except BaseException:
                    await connection.close()
                    raise
                self._connection = connection
            return self._connection

    async def rows(self, sql: str, parameters: Mapping[str, Any]) -> list[tuple[Any, ...]]:
        """Run one statement and return its rows.

        Raises:
            Away: the server is away, or read-only; the next call connects anew.
        """
        async with self.used() as connection:
            return await run(connection, sql, parameters)

    @asynccontextmanager
    async def used(self) -> AsyncIterator[AsyncConnection[Any]]:
        """Lend the connection, and close it after whatever leaves it of no use.

        Raises:
            Away: the server is away, or read-only; the next call connects anew.
        """
        try:
            yield await self.connection()
        except Error as error:
            if not is_away(error):
                raise
            await self.close()
            raise Away(str(error)) from error
        except BaseException:  # cut off in the middle of a statement
            await self.close()
            raise

    async def keep_time(self) -> None:
        """Measure the clock again and again, for ever; while the server is away it counts on by itself."""
        while True:
            await asyncio.sleep(clock.MEASURE_EVERY_S)
            with contextlib.suppress(Away):
                async with self.used() as connection:
                    await _measure_clock(connection)

    async def close(self) -> None:
        connection, self._connection = self._connection, None
        if connection is not None:
            await connection.close()
