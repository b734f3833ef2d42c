"""Fills a throwaway database with evenings that are about to begin, all people registered and confirmed.

A program of its own, since it needs Django set up for the stack's database. Reads one line of JSON,
``{"addresses": [one list per evening], "lead_s": …, "round_s": …, "break_s": …}``, and answers with
``{"starts_at": Unix time, "events": {event: {address: registration}}}``.
"""

import json
import sys
import time
from collections.abc import Sequence
from datetime import UTC, date, datetime, timedelta

import django

django.setup()

from django.db import connection, transaction  # noqa: E402
from django.utils import timezone  # noqa: E402

from accounts.models import User  # noqa: E402
from config import clock  # noqa: E402
from dating.models import DatingProfile, Event, Registration, State, Step  # noqa: E402
from notifications.channels import registry  # noqa: E402
from notifications.models import ContactPoint  # noqa: E402

CLOSE_BEFORE_S, RULES_BEFORE_S = 12, 6


def people(number: int, addresses: Sequence[str]) -> list[User]:
    """Make an evening's people, half of each pool, who are told by webhook."""
    webhook = registry.get("webhook")
    emails = [f"dancer-{each}@{number}.example.com" for each in range(len(addresses))]
    User.objects.bulk_create(User(email=email, first_name="Ana", password="!") for email in emails)
    users = list(User.objects.filter(email__in=emails))
    DatingProfile.objects.bulk_create(
        DatingProfile(user=user, birthday=date(1996, 5, 1), seeks=("men", "women")[each % 2])
        for each, user in enumerate(users)
    )
    ContactPoint.objects.bulk_create(
        ContactPoint(
            user=user,
            channel="webhook",
            address=address,
            lane=webhook.lane(address),
            confirmed_at=clock.now(),
        )
        for user, address in zip(users, map(webhook.normalised_address, addresses), strict=True)
    )
    return users


def evening(number: int, users: Sequence[User], starts_at: datetime, round_s: int, break_s: int) -> Event:
    event = Event(
        title=f"Evening {number}",
        starts_at=starts_at,
        two_pools=True,
        round_s=round_s,
        break_s=break_s,
        close_before_s=CLOSE_BEFORE_S,
        rules_before_s=RULES_BEFORE_S,
        state=State.REG_CONFIRM,
        step=Step.CONFIRMING,
    )
    event.deadline_at = event.close_at
    event.save()
    now = timezone.now()
    Registration.objects.bulk_create(
        Registration(event=event, user=user, state="confirmed", asked_at=now, confirmed_at=now)
        for user in users
    )
    return event


def main() -> None:
    order = json.loads(sys.stdin.readline())
    with transaction.atomic():
        made = [people(number, addresses) for number, addresses in enumerate(order["addresses"])]
    with connection.cursor() as cursor:
        cursor.execute("VACUUM ANALYZE")
    starts_at = datetime.fromtimestamp(round(time.time()) + order["lead_s"], UTC)
    assert timezone.now() < starts_at - timedelta(seconds=CLOSE_BEFORE_S), "the lead is too short"
    answer = {}
    with transaction.atomic():
        for number, (users, addresses) in enumerate(zip(made, order["addresses"], strict=True)):
            event = evening(number, users, starts_at, order["round_s"], order["break_s"])
            parts = dict(event.registrations.values_list("user_id", "id"))
            answer[str(event.pk)] = {
                address: str(parts[user.pk]) for user, address in zip(users, addresses, strict=True)
            }
    print(json.dumps({"starts_at": starts_at.timestamp(), "events": answer}), flush=True)


if __name__ == "__main__":
    main()
