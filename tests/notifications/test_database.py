"""The sender's own connections."""

import asyncio

import pytest
from django.db import connection

from notifications.database import Database, connection_parameters


@pytest.mark.django_db(transaction=True)
async def test_those_who_come_at_once_share_one_connection() -> None:
    database = Database(connection_parameters())
    pids = await asyncio.gather(*(database.rows("SELECT pg_backend_pid()", {}) for _ in range(5)))
    await database.close()
    assert len({pid for ((pid,),) in pids}) == 1


@pytest.mark.django_db(transaction=True)
async def test_a_broken_connection_is_replaced() -> None:
    database = Database(connection_parameters())
    ((first,),) = await database.rows("SELECT pg_backend_pid()", {})

    def kill() -> None:
        with connection.cursor() as cursor:
            cursor.execute("SELECT pg_terminate_backend(%s, 10000)", [first])
        connection.close()

    await asyncio.to_thread(kill)
    with pytest.raises(Exception, match="terminating connection"):
        await database.rows("SELECT 1", {})
    ((second,),) = await database.rows("SELECT pg_backend_pid()", {})
    await database.close()
    assert second != first
