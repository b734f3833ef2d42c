"""Makes heartbeats in a throwaway database, pings them by the product's own service, and lets some be missed.

A program of its own, since it needs Django set up for the stack's database. Reads lines of JSON:
``{"heartbeats": N, "spare": M}`` begins the pings, and is answered with the process id of their session;
``{"miss_over_s": S}`` lets the spare ones be missed within so long, and is answered with how late each was
noticed, in seconds, and the pings a second.
"""

import json
import sys
import threading
import time
from uuid import UUID

import django

django.setup()

from django.db import connection  # noqa: E402

from config import clock  # noqa: E402
from escalation.heartbeats.pinging import Ping, heartbeat_ping  # noqa: E402
from escalation.models import Heartbeat, HeartbeatPing  # noqa: E402

PERIOD_S, GRACE_S = 60, 30
POLL_S = 0.05
TIMEOUT_S = 60.0
# As if each had been pinged within the last minute.
MAKE = """
INSERT INTO escalation_heartbeat
       (id, name, slug, ping_uuid, severity, tags, period_s, grace_s, cron, time_zone, state, pings,
        created_at, last_ping_at, expected_at, due_at)
SELECT uuidv7(), 'Job ' || number, 'job-' || number, gen_random_uuid(), 'critical', '{}', %(period)s,
       %(grace)s, '', 'UTC', CASE WHEN number < %(pinged)s THEN 'up' ELSE 'paused' END, 1, now(), now(),
       now() + number * interval '1 s' * %(period)s / %(pinged)s,
       CASE WHEN number < %(pinged)s
            THEN now() + (%(grace)s + number * %(period)s::float8 / %(pinged)s) * interval '1 s' END
  FROM generate_series(0, %(pinged)s + %(spare)s - 1) AS number
"""
MISS = """
UPDATE escalation_heartbeat
   SET state = 'up', due_at = clock_timestamp() + random() * %(over)s * interval '1 s'
 WHERE state = 'paused' RETURNING id, due_at
"""
NOTICED = """
SELECT id, clock_timestamp() FROM escalation_heartbeat WHERE id = ANY (%(ids)s) AND state = 'down'
"""


class Pinging:
    """Pings each in its turn, so that all are pinged once in a period."""

    def __init__(self, ping_uuids: list[UUID]) -> None:
        self._ping_uuids = ping_uuids
        self.count = 0
        self.pid = 0
        self._has_begun = threading.Event()
        self._thread = threading.Thread(target=self._run, daemon=True)

    def start(self) -> None:
        self._thread.start()
        self._has_begun.wait(TIMEOUT_S)

    def _run(self) -> None:
        with connection.cursor() as cursor:
            cursor.execute("SELECT pg_backend_pid()")
            (self.pid,) = cursor.fetchone()
        ping, began = Ping(HeartbeatPing.Kind.SUCCESS, "GET"), time.monotonic()
        self._has_begun.set()
        while True:
            for place, ping_uuid in enumerate(self._ping_uuids):
                due = began + place * PERIOD_S / len(self._ping_uuids)
                if (wait := due - time.monotonic()) > 0.01:
                    time.sleep(wait)
                heartbeat_ping(ping_uuid=ping_uuid, ping=ping, now=clock.now())
                self.count += 1
            began += PERIOD_S


def make(pinged: int, spare: int) -> Pinging:
    with connection.cursor() as cursor:
        order = {"period": PERIOD_S, "grace": GRACE_S, "pinged": pinged, "spare": spare}
        cursor.execute(MAKE, order)
        cursor.execute("VACUUM ANALYZE escalation_heartbeat")
    up = Heartbeat.objects.filter(state="up").order_by("expected_at")
    return Pinging(list(up.values_list("ping_uuid", flat=True)))


def miss(over_s: float) -> list[float]:
    """Return by how many seconds each was noticed too late, as another session sees it."""
    with connection.cursor() as cursor:
        cursor.execute(MISS, {"over": over_s})
        waiting = dict(cursor.fetchall())
        late, until = [], time.monotonic() + over_s + TIMEOUT_S
        while waiting and time.monotonic() < until:
            cursor.execute(NOTICED, {"ids": list(waiting)})
            late += [(at - waiting.pop(pk)).total_seconds() for pk, at in cursor.fetchall()]
            time.sleep(POLL_S)
    return late + [TIMEOUT_S] * len(waiting)


def main() -> None:
    order = json.loads(sys.stdin.readline())
    pinging = make(order["heartbeats"], order["spare"])
    pinging.start()
    print(json.dumps({"pid": pinging.pid}), flush=True)
    began = time.monotonic()
    order = json.loads(sys.stdin.readline())
    late = miss(order["miss_over_s"])
    rate = pinging.count / (time.monotonic() - began)
    print(json.dumps({"late": late, "pings_a_s": rate}), flush=True)


if __name__ == "__main__":
    main()
