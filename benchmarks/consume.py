"""`make bench-consume`: how many events a second one process takes from RabbitMQ to their committed effect.

Each message is an `auth.user.created` in the original's envelope. Ours checks it, stores the event, makes the
account and a run for the handler of the profile, commits, and acknowledges. The baselines are bare kombu
consumers that store the body as one row of a table, on the same broker and PostgreSQL.
"""

import argparse
import statistics
import sys
import time
import uuid
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import orjson

from benchmarks import home, machine, product, report
from benchmarks.children import complete, python
from benchmarks.product import BenchmarkError
from benchmarks.report import Report, say
from config import embedded
from config.processes import Stack
from notifications.brokers import amqp
from tests.servers import rabbitmq

ROUNDS, LEAST = 3, 0.5
EXCHANGE, QUEUE, KEY = "events.topic", "bench", "auth.user.created"
PREFETCH = 200
BASELINES = {"row": False, "batch": True}


def envelope() -> bytes:
    """Return one event as the original's service publishes it."""
    user_id = str(uuid.uuid4())
    payload = {
        "user_id": user_id,
        "email": f"{user_id}@example.com",
        "first_name": "John",
        "last_name": "Doe",
        "role": "student",
        "created_at": datetime.now(UTC).isoformat(),
    }
    meta = {"timestamp": datetime.now(UTC).isoformat(), "routing_key": KEY, "source": "auth-service"}
    return orjson.dumps({"payload": payload, "_meta": meta})


def fill(url: str, count: int) -> None:
    """Put so many messages into the queue, persistent ones, and see that they are there."""
    connection = amqp.connect(url)
    channel = connection.channel()
    channel.exchange_declare(EXCHANGE, "topic", durable=True, auto_delete=False)
    channel.queue_declare(QUEUE, durable=True, auto_delete=False)
    channel.queue_bind(QUEUE, EXCHANGE, KEY)
    for _ in range(count):
        message = channel.prepare_message(
            envelope(), content_type="application/json", properties={"delivery_mode": 2}
        )
        channel.basic_publish(message, exchange=EXCHANGE, routing_key=KEY)
    deadline = time.monotonic() + 60
    while (waiting := channel.queue_declare(QUEUE, passive=True).message_count) != count:
        if time.monotonic() > deadline:
            raise BenchmarkError(f"{waiting:,} messages wait instead of {count:,}")
        time.sleep(0.1)
    connection.release()


def rate(command: str, order: Mapping[str, Any], count: int, env: Mapping[str, str], log: Path) -> float:
    """Have a child consume what waits; returns messages a second."""
    answer = complete(python("-m", command), question={**order, "count": count}, log=log, env=env)
    effects = {name: value for name, value in answer.items() if name != "seconds"}
    if any(value != count for value in effects.values()):
        raise BenchmarkError(f"{command} left {effects} of {count:,} messages")
    return count / float(answer["seconds"])


def benchmark(options: argparse.Namespace) -> Report:
    if not rabbitmq.is_installed():
        raise BenchmarkError("RabbitMQ is not installed: apt-get install rabbitmq-server")
    rates: dict[str, list[float]] = {"ours": [], **{name: [] for name in BASELINES}}
    with home.throwaway("consume") as place, rabbitmq.RabbitMQ(place / "rabbitmq") as broker:
        sources = {"events": {"queue": QUEUE, "keys": [KEY], "prefetch": PREFETCH}}
        env = {**product.ENVIRONMENT, "RABBITMQ_URL": broker.url, "SOURCES": orjson.dumps(sources).decode()}
        with Stack(place, web=False, workers=0, scheduler=False, env=env) as stack:
            database_url = embedded.database_url(at=place)
            bare = {
                "broker_url": broker.url,
                "queue": QUEUE,
                "prefetch": PREFETCH,
                "database_url": database_url,
            }
            for number in range(options.rounds):
                for name in rates:
                    fill(broker.url, options.events)
                    machine.settle()
                    command = "benchmarks.consuming" if name == "ours" else "benchmarks.baselines.kombu_rows"
                    order = {} if name == "ours" else {**bare, "batch": BASELINES[name]}
                    rates[name].append(rate(command, order, options.events, stack.env, place / f"{name}.log"))
                    say(f"  round {number + 1}, {name}: {rates[name][-1]:,.0f} messages/s")
    return conclusion({name: statistics.median(each) for name, each in rates.items()})


def conclusion(found: Mapping[str, float]) -> Report:
    titles = {
        "ours": "event, account and run, by batches",
        "row": "bare kombu, one row and one acknowledgement each",
        "batch": "bare kombu, one row each, by batches",
    }
    report.table(
        ["consumer (one process)", "messages/s", "ours is"],
        [[titles[name], f"{each:,.0f}", f"{found['ours'] / each:.2f} ×"] for name, each in found.items()],
    )
    baselines = {name: found[name] for name in BASELINES}
    ratios = {name: found["ours"] / each for name, each in baselines.items()}
    return Report(
        name="consume",
        unit="messages/s",
        ours=found["ours"],
        baselines=baselines,
        ratios=ratios,
        musts={f"row >= {LEAST}": ratios["row"] >= LEAST},
    )


def main() -> int:
    parser = report.parser(__doc__)
    parser.add_argument("--events", type=int, default=20_000)
    parser.add_argument("--rounds", type=int, default=ROUNDS)
    return report.run(benchmark, parser.parse_args())


if __name__ == "__main__":
    sys.exit(main())
