"""Our side of every benchmark: a whole Tocsin of real processes in a throwaway home, seeded."""

import http.client
import signal
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager

import psycopg

from benchmarks import home
from benchmarks.children import complete, python
from benchmarks.load import alert
from benchmarks.report import say
from config import embedded
from config.processes import Stack

# Everything else has its default, as in production: nothing is tuned for the benchmark.
ENVIRONMENT = {
    # Empty means the embedded servers, whatever the caller's environment names: never someone's data.
    "DATABASE_URL": "",
    "REDIS_URL": "",
    "WEBHOOK_ALLOWED_NETWORKS": "127.0.0.0/8",
}
ALERTS_PATH = "/api/v1/alerts/"
RECORDED_TIMEOUT_S = 60.0


class BenchmarkError(Exception):
    """What was measured did not do its work, so that a figure would be a lie."""


STAGES = """
SELECT extract(epoch FROM delivery.created_at - alert.received_at)::float8,
       extract(epoch FROM attempt.started_at - delivery.created_at)::float8,
       attempt.duration_ms / 1000
  FROM notifications_alert AS alert
  JOIN notifications_notification AS told ON told.dedup_key = 'alert:' || alert.alert_uuid
  JOIN notifications_delivery AS delivery ON delivery.notification_id = told.id
  JOIN notifications_attempts AS attempt ON attempt.delivery_id = delivery.id
 WHERE alert.alert_uuid = ANY (%(alerts)s::uuid[])
"""


class Product:
    """A running stack, the key to post alerts with, and a look into its database."""

    def __init__(self, stack: Stack) -> None:
        self.stack = stack
        self.database_url = embedded.database_url(at=stack.home)
        self.redis_url = embedded.redis_url(at=stack.home)
        self.key = ""

    @property
    def alerts_url(self) -> str:
        return self.stack.base_url + ALERTS_PATH

    @property
    def headers(self) -> dict[str, str]:
        return {"Authorization": f"Api-Key {self.key}"}

    def other_redis_url(self, database: int) -> str:
        """The same Redis, another of its databases: for a baseline that brings its own queue."""
        return self.redis_url.replace("db=0", f"db={database}")

    def seed(self, shops: Mapping[str, Sequence[str]]) -> None:
        """Make shops with one member per address, who is told there by webhook."""
        answer = complete(
            python("-m", "benchmarks.seed"),
            question={"shops": {slug: list(addresses) for slug, addresses in shops.items()}},
            log=self.stack.home / "seed.log",
            env=self.stack.env,
        )
        self.key = answer["key"]
        people = sum(len(addresses) for addresses in shops.values())
        say(f"  {people:,} people in {len(shops)} shops, made in {answer['seconds']:.1f} s")

    def post_alert(self, location: str) -> float:
        """Post one alert about a shop; return the time just before it was sent."""
        _, body = alert(location)
        connection = http.client.HTTPConnection("127.0.0.1", self.stack.port, timeout=30)
        try:
            connection.connect()
            sent_at = time.time()
            connection.request(
                "POST", ALERTS_PATH, body, {"Content-Type": "application/json", **self.headers}
            )
            response = connection.getresponse()
            said = response.read()
        finally:
            connection.close()
        if response.status != 201:
            raise BenchmarkError(f"the alert was answered with {response.status}: {said[:300]!r}")
        return sent_at

    def wait_until_recorded(self, timeout_s: float = RECORDED_TIMEOUT_S) -> None:
        """Wait until nothing is pending or under way any more, by the rows of the queue."""
        deadline = time.monotonic() + timeout_s
        while left := self.count("true", table="notifications_outgoing"):
            if time.monotonic() > deadline:
                raise BenchmarkError(f"{left:,} deliveries are still not done after {timeout_s:.0f} s")
            time.sleep(0.1)

    def count(self, condition: str, table: str = "notifications_delivery") -> int:
        """How many rows there are of that kind."""
        with psycopg.connect(self.database_url) as connection:
            row = connection.execute(f"SELECT count(*) FROM {table} WHERE {condition}").fetchone()
        return int(row[0]) if row else 0

    def log_position(self) -> int:
        """How many bytes of write-ahead log PostgreSQL has written so far."""
        with psycopg.connect(self.database_url) as connection:
            row = connection.execute("SELECT pg_current_wal_insert_lsn() - '0/0'::pg_lsn").fetchone()
        return int(row[0]) if row else 0

    def stages(self, alerts: list[str]) -> dict[str, list[float]]:
        """Return the seconds that each of the alerts' deliveries spent between two records of it."""
        with psycopg.connect(self.database_url) as connection:
            rows = connection.execute(STAGES, {"alerts": alerts}).fetchall()
        names = ("received until fanned out", "fanned out until sent", "the send")
        return dict(zip(names, map(list, zip(*rows, strict=True)), strict=True))

    def execute(self, statement: str) -> None:
        """Change its rows behind its back."""
        with psycopg.connect(self.database_url) as connection:
            connection.execute(statement)

    @contextmanager
    def paused(self) -> Iterator[None]:
        """Hold all its processes still, so that a baseline has the whole machine to itself."""
        processes = list(self.stack.processes.values())
        for process in processes:
            process.send_signal(signal.SIGSTOP)
        try:
            yield
        finally:
            # Also before they are stopped for good: a held process cannot end.
            for process in processes:
                process.send_signal(signal.SIGCONT)


@contextmanager
def running(
    name: str, *, workers: int = 2, scheduler: bool = True, env: Mapping[str, str] | None = None
) -> Iterator[Product]:
    """A fresh Tocsin, for as long as the block lasts; the ends of its logs are shown if it fails."""
    with home.throwaway(name) as place:
        say(f"starting Tocsin: web, {workers} workers{', scheduler' if scheduler else ''}")
        with Stack(place, workers=workers, scheduler=scheduler, env={**ENVIRONMENT, **(env or {})}) as stack:
            try:
                yield Product(stack)
            except Exception:
                for part in stack.processes:
                    say(f"--- the end of {part}'s log\n{stack.log_tail(part)}")
                raise
