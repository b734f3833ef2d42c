"""Fills a throwaway database: shops, their people, and a webhook contact point for each.

A program of its own, since it needs Django set up for the stack's database. Reads one line of
JSON, ``{"shops": {slug: [address, …]}}``, and answers with ``{"key": API key, "seconds": …}``.
"""

import json
import sys
import time
from collections.abc import Sequence

import django

django.setup()

from django.db import connection, transaction  # noqa: E402

from accounts.models import Membership, Scope, Shop, User  # noqa: E402
from accounts.services import api_key_create  # noqa: E402
from config import clock  # noqa: E402
from notifications.channels import registry  # noqa: E402
from notifications.models import ContactPoint  # noqa: E402

BATCH = 5_000


def shop_with_members(slug: str, addresses: Sequence[str]) -> None:
    """Make a shop with one member per address, told there by webhook."""
    shop = Shop.objects.create(slug=slug, name=f"Shop {slug}")
    webhook = registry.get("webhook")
    for first in range(0, len(addresses), BATCH):
        batch = addresses[first : first + BATCH]
        emails = [f"member-{first + number}@{slug}.example.com" for number in range(len(batch))]
        # "!" is Django's mark of a password that can't be used.
        User.objects.bulk_create(User(email=email, password="!") for email in emails)
        # Ids are the database's to give, and bulk_create doesn't bring them back.
        users = list(User.objects.filter(email__in=emails).values_list("uuid", flat=True))
        Membership.objects.bulk_create(Membership(shop=shop, user_id=user) for user in users)
        # Lane and address as clean() and save() make them, which bulk_create leaves out.
        normal = [webhook.normalised_address(address) for address in batch]
        ContactPoint.objects.bulk_create(
            ContactPoint(
                user_id=user,
                channel="webhook",
                address=address,
                lane=webhook.lane(address),
                confirmed_at=clock.now(),
            )
            for user, address in zip(users, normal, strict=True)
        )


def main() -> None:
    order = json.loads(sys.stdin.readline())
    started = time.perf_counter()
    with transaction.atomic():
        for slug, addresses in order["shops"].items():
            shop_with_members(slug, addresses)
        _, key = api_key_create(name="benchmark", scopes=[Scope.ALERTS_WRITE, Scope.ESCALATIONS_WRITE])
    with connection.cursor() as cursor:
        # As autovacuum would within seconds: a database that is in use knows its own size.
        cursor.execute("VACUUM ANALYZE")
    print(json.dumps({"key": key, "seconds": time.perf_counter() - started}), flush=True)


if __name__ == "__main__":
    main()
