"""Baselines `row` and `batch`: a bare kombu consumer that stores a row of each message, then acknowledges it.

No parsing, no accounts, no events, no retries, no health. `row` commits and acknowledges each by itself;
`batch` does both for all that has arrived, which is what ours does. Reads one line of JSON, answers with one.
"""

import json
import sys
import time
import uuid
from typing import Any

import psycopg
from kombu import Connection, Consumer, Queue

TABLE = "CREATE TABLE IF NOT EXISTS bare_message (id uuid PRIMARY KEY, body bytea NOT NULL)"
INSERT = "INSERT INTO bare_message (id, body) VALUES (%s, %s)"


def consume(order: dict[str, Any], database: psycopg.Connection) -> None:
    """Take as many messages as the order says."""
    arrived: list[Any] = []
    done = 0
    with Connection(order["broker_url"]) as broker, broker.channel() as channel:
        consumer = Consumer(
            channel,
            [Queue(order["queue"], no_declare=True)],
            on_message=arrived.append,
            prefetch_count=order["prefetch"],
            auto_declare=False,
        )
        consumer.consume()
        while done < order["count"]:
            broker.drain_events(timeout=60)
            if order["batch"]:
                _drain(broker, arrived)
                with database.transaction(), database.cursor() as cursor:
                    cursor.executemany(INSERT, [(uuid.uuid4(), bytes(each.body)) for each in arrived])
                arrived[-1].ack(multiple=True)
                done += len(arrived)
                arrived.clear()
            else:
                for message in arrived:
                    database.execute(INSERT, (uuid.uuid4(), bytes(message.body)))
                    message.ack()
                    done += 1
                arrived.clear()


def _drain(broker: Connection, arrived: list[Any]) -> None:
    try:
        while True:
            broker.drain_events(timeout=0.001)
    except TimeoutError:
        return


def main() -> None:
    order = json.loads(sys.stdin.readline())
    # A statement of one row a time is prepared after the second, and commits by itself.
    with psycopg.connect(order["database_url"], autocommit=True, prepare_threshold=2) as database:
        database.execute(TABLE)
        database.execute("TRUNCATE bare_message")
        started = time.perf_counter()
        consume(order, database)
        took_s = time.perf_counter() - started
        (rows,) = database.execute("SELECT count(*) FROM bare_message").fetchone() or (0,)
    print(json.dumps({"seconds": took_s, "rows": rows}), flush=True)


if __name__ == "__main__":
    main()
