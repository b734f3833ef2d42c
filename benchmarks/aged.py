"""`make bench-aged`: does a long history, or a transaction that somebody keeps open, slow the delivering?

Alerts to 10,000 people one after the other, on a database that knows no past; then beside a transaction that
is held open from before the first of them until after the last, so that PostgreSQL can remove nothing that is
dead; then on one with millions of past deliveries and attempts, made by SQL. Each rate is of all its alerts.
"""

import argparse
import sys
from collections.abc import Iterator
from contextlib import contextmanager

import psycopg

from benchmarks import fanout, product, report
from benchmarks.product import Product
from benchmarks.report import Report, say
from benchmarks.sink import Sink, local_sink

LEAST = 0.9
# Ids of half a year ago until now, so that they lie all over the indexes.
HISTORY = """
WITH past AS (
    SELECT uuidv7((interval '180 days' * (n::float8 / %(rows)s)) - interval '181 days') AS id,
           told.id AS notification_id, told.shop_id,
           person.user_id, person.contact_point_id, person.address
      FROM generate_series(%(first)s::int, %(last)s::int) AS n
      JOIN (SELECT user_id, id AS contact_point_id, address, row_number() OVER () AS place
              FROM notifications_contactpoint) AS person ON person.place = n %% %(people)s + 1
     CROSS JOIN (SELECT id, shop_id FROM notifications_notification LIMIT 1) AS told
), delivered AS (
    INSERT INTO notifications_delivery
           (id, shop_id, notification_id, user_id, contact_point_id, channel, address, language, status,
            reason, revocable, due_at, expires_at, created_at, sent_at, attempts, replays)
    SELECT id, shop_id, notification_id, user_id, contact_point_id, 'webhook', address, 'en', 'sent', '',
           false, now(), now(), now(), now(), 1, 0 FROM past
)
INSERT INTO notifications_attempt
       (delivery_id, shop_id, number, started_at, duration_ms, outcome, status_code, error, reference)
SELECT id, shop_id, 1, now(), 1, 'sent', 200, '', '' FROM past
"""
AT_ONCE = 500_000
DEAD = """
SELECT substring(relname FROM 'notifications_[a-z]+') AS name, sum(n_dead_tup) FROM pg_stat_user_tables
 WHERE relname ~ '^notifications_(outgoing$|(delivery|attempt)(_|$))'
 GROUP BY name ORDER BY name
"""


def rate(tocsin: Product, sink: Sink, members: int, alerts: int) -> float:
    """Return the deliveries a second of so many alerts to everybody."""
    seconds = sum(members / fanout.ours(tocsin, sink, members, settle=False) for _ in range(alerts))
    return members * alerts / seconds


@contextmanager
def held_open(tocsin: Product) -> Iterator[None]:
    """Keep a transaction with a snapshot open."""
    with psycopg.connect(tocsin.database_url) as connection:
        connection.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ")
        connection.execute("SELECT pg_current_xact_id()")
        yield


def dead_rows(tocsin: Product) -> str:
    with psycopg.connect(tocsin.database_url) as connection:
        rows = connection.execute(DEAD).fetchall()
    return ", ".join(f"{name.removeprefix('notifications_')} {count:,}" for name, count in rows)


def make_history(tocsin: Product, rows: int, people: int) -> None:
    """Store so many past deliveries, each with its attempt, as if they had been sent long ago."""
    with psycopg.connect(tocsin.database_url, autocommit=True) as connection:
        for first in range(0, rows, AT_ONCE):
            last = min(first + AT_ONCE, rows) - 1
            connection.execute(HISTORY, {"first": first, "last": last, "rows": rows, "people": people})
        connection.execute("VACUUM ANALYZE notifications_delivery, notifications_attempt")
    say(f"  {rows:,} past deliveries are there")


def benchmark(options: argparse.Namespace) -> Report:
    alerts = max(1, options.deliveries // options.members)
    with product.running("aged") as tocsin, local_sink(tocsin.stack.home) as sink:
        tocsin.seed(fanout.shops(sink, options.members))
        fanout.warm_up(tocsin, sink)
        rate(tocsin, sink, options.members, 1)
        rates = {"empty": rate(tocsin, sink, options.members, alerts)}
        say(f"  empty: {rates['empty']:,.0f} deliveries/s; dead rows: {dead_rows(tocsin)}")
        with held_open(tocsin):
            rates["beside an open transaction"] = rate(tocsin, sink, options.members, alerts)
            say(f"  beside an open transaction: {rates['beside an open transaction']:,.0f} deliveries/s")
            say(f"  dead rows: {dead_rows(tocsin)}")
        make_history(tocsin, options.history, options.members)
        fanout.warm_up(tocsin, sink)
        rates["with a past"] = rate(tocsin, sink, options.members, alerts)
        say(f"  with a past: {rates['with a past']:,.0f} deliveries/s; dead rows: {dead_rows(tocsin)}")
    empty = rates.pop("empty")
    ratios = {name: value / empty for name, value in rates.items()}
    report.table(
        ["deliveries/s", "rate", "of empty"],
        [["empty", f"{empty:,.0f}", ""]]
        + [[name, f"{value:,.0f}", f"{ratios[name]:.2f}"] for name, value in rates.items()],
    )
    return Report(
        name="aged",
        unit="deliveries/s",
        ours=min(rates.values()),
        baselines={"empty": empty},
        ratios=ratios,
        musts={f"{name} >= {LEAST}": ratio >= LEAST for name, ratio in ratios.items()},
    )


def main() -> int:
    parser = report.parser(__doc__)
    parser.add_argument("--members", type=int, default=10_000)
    parser.add_argument("--deliveries", type=int, default=200_000, help="of each part")
    parser.add_argument("--history", type=int, default=20_000_000, help="past deliveries")
    return report.run(benchmark, parser.parse_args())


if __name__ == "__main__":
    sys.exit(main())
