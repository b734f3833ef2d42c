"""Tells people something, as the product itself does: one notice each, at a pace.

A program of its own, since it needs Django set up for the stack's database. Reads orders as lines of JSON:
``{"do": "people", "count": …}`` makes people and answers with their ``tokens``;
``{"do": "tell", "first": …, "count": …, "per_s": …}`` tells them in turn, and answers with ``told``:
``[person, key, Unix seconds before, after]`` for each, and how late they were begun.
"""

import json
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from typing import Any
from uuid import UUID

import django

django.setup()

from django.db import connection  # noqa: E402
from django.utils import timezone  # noqa: E402
from rest_framework_simplejwt.tokens import AccessToken  # noqa: E402

from accounts.models import User  # noqa: E402
from notifications.engine import fanout  # noqa: E402
from notifications.models import Notification  # noqa: E402

THREADS = 4
BODY = "The company has accepted your application. It begins on the first Monday of March."

people: list[UUID] = []


def make_people(count: int) -> dict[str, Any]:
    made = [User(email=f"listener-{number}@example.com", password="!") for number in range(count)]
    User.objects.bulk_create(made)
    found = list(User.objects.filter(email__startswith="listener-").order_by("email"))
    people.extend(user.pk for user in found)
    with connection.cursor() as cursor:
        # As autovacuum would within seconds: a database that is in use knows its own size.
        cursor.execute("VACUUM ANALYZE")
    return {"tokens": [str(AccessToken.for_user(user)) for user in found]}


def tell(person: int, key: int) -> tuple[int, int, float, float]:
    notice = Notification(
        kind="stage.accepted",
        title="Your internship was accepted",
        body=BODY,
        data={"key": key, "stage_id": str(people[person])},
        source_type="benchmark",
        source_id=str(key),
        dedup_key=f"benchmark:{key}",
    )
    before = time.time()
    fanout.notify(notice, fanout.people([people[person]], as_of=timezone.now()), inbox=True)
    return person, key, before, time.time()


def tell_in_turn(first: int, count: int, per_s: float) -> dict[str, Any]:
    """Begin each when it is due, whatever became of those before."""
    lags, under_way = [], []
    with ThreadPoolExecutor(THREADS) as threads:
        start = time.perf_counter() + 0.2
        for number in range(count):
            due_at = start + number / per_s
            time.sleep(max(0.0, due_at - time.perf_counter()))
            lags.append(time.perf_counter() - due_at)
            key = first + number
            under_way.append(threads.submit(tell, key % len(people), key))
    return {"told": [each.result() for each in under_way], "lags": lags}


def main() -> None:
    for line in sys.stdin:
        order = json.loads(line)
        work = make_people if order.pop("do") == "people" else tell_in_turn
        print(json.dumps(work(**order)), flush=True)


if __name__ == "__main__":
    main()
