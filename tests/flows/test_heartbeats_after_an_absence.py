"""All of Tocsin is killed for longer than heartbeats have time: only what is dead is told on the return."""

import time
from pathlib import Path

import pytest
import requests

from tests import templates
from tests.flows.product import Product
from tests.flows.test_heartbeats import POLICY

pytestmark = pytest.mark.flow

PERIOD_S, GRACE_S = 4, 6
AWAY_S = 20.0
SET = "UPDATE escalation_heartbeat SET period_s = %(period)s, grace_s = %(grace)s WHERE ping_uuid = %(uuid)s"
STATES = "SELECT name, state FROM escalation_heartbeat ORDER BY name"
LOOKED = "SELECT count(*) FROM escalation_heartbeatwatch WHERE looked_at > %(since)s"
LIVING = ("living-1", "living-2", "living-3")


def kill_all(product: Product) -> None:
    for name in product.stack.processes:
        product.stack.kill(name)
    product.stack.kill_redis()
    product.stack.kill_postgres()


def start_all(product: Product) -> None:
    product.stack.ensure_servers()
    # The web process last: the others look before it takes pings.
    for name in sorted(product.stack.processes, key=lambda name: name == "web"):
        product.stack.start(name)


def test_only_what_is_dead_is_told_on_the_return(tmp_path: Path) -> None:
    templates.furnish(tmp_path)
    with Product(tmp_path, migrate=False) as product:
        pings = {}
        for name in (*LIVING, "dead"):
            url = f"{product.third_party.origin}/{name}"
            ((uuid,),) = product.sql(POLICY, name=name, url=url)
            product.sql(SET, period=PERIOD_S, grace=GRACE_S, uuid=uuid)
            pings[name] = f"{product.stack.base_url}/ping/{uuid}"

        def ping(*names: str) -> None:
            for name in names:
                assert requests.get(pings[name], timeout=10).status_code == 200

        def told() -> list[str]:
            return [request.path for request in product.third_party.requests]

        def wait_for_a_look() -> None:
            ((since,),) = product.sql("SELECT now()")
            product.wait_for(lambda: product.sql(LOOKED, since=since) == [(1,)], 30, "nobody looked")

        wait_for_a_look()
        ping(*pings)
        kill_all(product)
        time.sleep(AWAY_S)
        start_all(product)
        wait_for_a_look()
        returned_at = time.monotonic()
        # As they did before, until the dead one's time is over.
        while "/dead" not in told():
            ping(*LIVING)
            assert time.monotonic() - returned_at < 60, "nobody was told of the dead one"
            time.sleep(PERIOD_S / 4)
        product.settle()
        assert told() == ["/dead"]
        assert product.sql(STATES) == [("dead", "down"), *((name, "up") for name in LIVING)]
