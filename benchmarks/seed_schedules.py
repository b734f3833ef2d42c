"""Fills a throwaway database with schedules, by the product's own services.

A program of its own, since it needs Django set up for the stack's database. Reads one line of JSON,
``{"schedules": N}``, and answers with ``{"key": API key, "ids": [id, …], "seconds": …}``.
"""

import json
import sys
import time
from datetime import date, timedelta
from datetime import time as clock_time

import django

django.setup()

from django.db import connection, transaction  # noqa: E402

from accounts.models import Scope, User  # noqa: E402
from accounts.services import api_key_create  # noqa: E402
from config import clock  # noqa: E402
from escalation.schedules.hours import WEEKDAYS, Restriction  # noqa: E402
from escalation.services.schedules import LayerSaid, override_create, schedule_create  # noqa: E402

PEOPLE = 200
ZONES = ("Europe/Paris", "America/New_York", "Australia/Lord_Howe", "Africa/Casablanca", "Asia/Tehran")


def layers(number: int, people: list[User]) -> list[LayerSaid]:
    """Weeks at the bottom, working days by two over them, and nights by twelve-hour shifts over those."""
    zone = ZONES[number % len(ZONES)]
    first = date.fromordinal(clock.now().date().toordinal() - 365)
    members = tuple(people[(number + place) % PEOPLE].pk for place in range(8))
    workdays = (Restriction(WEEKDAYS[:5], clock_time(9), clock_time(17)),)
    nights = (Restriction(WEEKDAYS[4:6], clock_time(22), clock_time(6)),)
    return [
        LayerSaid(zone, first, clock_time(8), 168, members),
        LayerSaid(zone, first, clock_time(9), 24, members[::-1], per_turn=2, restrictions=workdays),
        LayerSaid(zone, first, clock_time(20), 12, members[2:], restrictions=nights),
    ]


def main() -> None:
    order = json.loads(sys.stdin.readline())
    started = time.perf_counter()
    with transaction.atomic():
        for number in range(PEOPLE):
            User.objects.create(email=f"on-call-{number}@example.com", password="!")
        people = list(User.objects.filter(email__startswith="on-call-"))
        ids = []
        for number in range(order["schedules"]):
            schedule, _ = schedule_create(name=f"Schedule {number}", layers=layers(number, people))
            for day in range(10):
                at = clock.now() + timedelta(days=3 * day)
                person = people[(number + day) % PEOPLE]
                override_create(
                    schedule=schedule, user_id=person.pk, starts_at=at, ends_at=at + timedelta(hours=5)
                )
            ids.append(str(schedule.pk))
        _, key = api_key_create(name="benchmark-schedules", scopes=[Scope.ESCALATIONS_READ])
    with connection.cursor() as cursor:
        # As autovacuum would within seconds: a database that is in use knows its own size.
        cursor.execute("VACUUM ANALYZE")
    print(json.dumps({"key": key, "ids": ids, "seconds": time.perf_counter() - started}), flush=True)


if __name__ == "__main__":
    main()
