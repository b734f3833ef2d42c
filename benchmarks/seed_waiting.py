"""Fills a throwaway database with processes that wait for tomorrow, by the services' own parts.

A program of its own, since it needs Django set up for the stack's database. Reads one line of JSON,
``{"processes": N}``, and answers with ``{"seconds": …}``.
"""

import json
import sys
import time
from datetime import timedelta

import django

django.setup()

from django.db import connection, transaction  # noqa: E402
from django.utils import timezone  # noqa: E402

from escalation.models import EscalationProcess  # noqa: E402
from escalation.services.messages import planned  # noqa: E402
from notifications.engine.planned import deliver_many  # noqa: E402
from notifications.engine.recipients import Recipient  # noqa: E402

BATCH = 1_000


def batch(first: int, count: int) -> None:
    now = timezone.now()
    due_at = now + timedelta(days=1)
    processes = EscalationProcess.objects.bulk_create(
        EscalationProcess(process_id=f"waiting-{number}", started_at=now, look_at=due_at, told=1)
        for number in range(first, first + count)
    )
    # Every other one has a destination of its own: the many lanes must cost nothing either.
    items = [
        Recipient("phone", due_at, "+33612345678")
        if number % 2
        else Recipient("webhook", due_at, f"https://h{number}.example.com/")
        for number in range(first, first + count)
    ]
    told = [planned(process, [item])[0] for process, item in zip(processes, items, strict=True)]
    deliver_many(told)


def main() -> None:
    order = json.loads(sys.stdin.readline())
    started = time.perf_counter()
    for first in range(0, order["processes"], BATCH):
        with transaction.atomic():
            batch(first, min(BATCH, order["processes"] - first))
    with connection.cursor() as cursor:
        # As autovacuum would within a minute: it is not part of waiting.
        cursor.execute("VACUUM ANALYZE")
    print(json.dumps({"seconds": time.perf_counter() - started}), flush=True)


if __name__ == "__main__":
    main()
