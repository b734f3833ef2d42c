"""A third party that is told in batches, through real processes, of which one is killed meanwhile."""

import random
from collections.abc import Iterator

import pytest

from tests import templates
from tests.flows.product import Product

pytestmark = pytest.mark.flow

STAFF, ALERTS, BATCH = 400, 5, 25
ENV = {"THIRD_PARTY_BATCH": str(BATCH), "THIRD_PARTY_LINGER_MS": "30", "THIRD_PARTY_BATCH_FORMAT": "ndjson"}


@pytest.fixture
def batching(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Product]:
    home = tmp_path_factory.mktemp("batches")
    templates.furnish(home)
    with Product(home, migrate=False, env=ENV) as running:
        yield running


def test_killed_worker_costs_at_most_a_repeat_of_what_it_held(
    batching: Product, chance: random.Random
) -> None:
    third_party = batching.third_party
    third_party.behave("slow:200")
    shop = batching.shop(STAFF)
    alerts = [shop.alert() for _ in range(ALERTS)]
    for alert in alerts:
        assert batching.post(alert) == 201
    moment = chance.randrange(5, STAFF * ALERTS // BATCH // 2)
    third_party.wait_until(lambda: len(third_party.requests) >= moment, 60, lambda: "too few were told")
    victim = chance.choice(["worker-1", "worker-2"])
    batching.stack.kill(victim)
    held = batching.in_flight()
    assert held
    batching.stack.start(victim)
    batching.settle()
    sizes = [len(request.ids) for request in third_party.requests]
    print(f"struck after {moment} requests, {len(held)} held; {len(sizes)} requests in all")
    assert max(sizes) == BATCH
    assert len(sizes) < STAFF * ALERTS / 4
    batching.assert_told_once({alert["alert_uuid"]: shop.staff for alert in alerts}, may_repeat=held)
    lost = batching.sql("SELECT count(*) FROM notifications_attempt WHERE outcome = 'lost'")
    assert 0 < lost[0][0] <= len(held)
    batching.audit()
