"""Escalations on the real processes: whoever is killed, what is stopped stays silent and the rest is told."""

import random
import threading
import time
from collections import Counter

import pytest
import requests

from tests.flows.product import Product

pytestmark = pytest.mark.flow

PROCESSES, NOTIFICATIONS = 24, 5
BEGUN = """
SELECT process.process_id, extract(epoch FROM attempt.started_at)::float8
  FROM escalation_escalationprocess AS process
  JOIN notifications_notification AS told
    ON told.source_type = 'escalation' AND told.source_id = process.id::text
  JOIN notifications_delivery AS delivery ON delivery.notification_id = told.id
  JOIN notifications_attempts AS attempt ON attempt.delivery_id = delivery.id AND attempt.outcome <> 'lost'
"""
HELD = """
SELECT address FROM notifications_delivery AS delivery
  JOIN notifications_outgoing AS outgoing ON outgoing.delivery_id = delivery.id
 WHERE lease_until IS NOT NULL
"""
STATES = "SELECT process_id, state FROM escalation_escalationprocess"


class Desk:
    """Who starts and stops escalations."""

    def __init__(self, product: Product) -> None:
        self.product = product
        self.session = product.new_session()
        key = product.new_key("desk", "escalations:write")
        self.session.headers["Authorization"] = f"Bearer {key}"

    def post(self, body: dict[str, object]) -> requests.Response:
        return self.product.call("POST", "/escalations", json=body, session=self.session)

    def start(self, process_id: str, at: float) -> None:
        url = f"{self.product.third_party.origin}/{process_id}"
        notifications = [
            {"channel": "webhook", "at": at + number * 0.2, "url": f"{url}/{number}"}
            for number in range(NOTIFICATIONS)
        ]
        body = {"process-id": process_id, "action": "start", "notifications": notifications}
        assert self.post(body).status_code == 201

    def stop(self, process_id: str) -> float:
        """Stop a process; returns when the answer was there."""
        assert self.post({"process-id": process_id, "action": "stop"}).status_code == 200
        return time.time()


def test_a_killed_worker_neither_loses_a_notification_nor_rings_after_a_stop(
    product: Product, chance: random.Random
) -> None:
    third_party, desk = product.third_party, Desk(product)
    third_party.reset()
    third_party.behave("slow:20")
    names = [f"order-{chance.randrange(2**32)}-{number}" for number in range(PROCESSES)]
    start_at = time.time() + 3
    for name in names:
        desk.start(name, start_at + chance.random())
    stopped: dict[str, float] = {}

    def stop_some() -> None:
        for name in chance.sample(names, PROCESSES // 2):
            time.sleep(0.08)
            stopped[name] = desk.stop(name)

    third_party.wait_until(lambda: len(third_party.requests) >= 10, 60, lambda: "too few were told")
    stopping = threading.Thread(target=stop_some)
    stopping.start()
    time.sleep(chance.random() * 0.5)
    product.stack.kill("worker-1")
    held = {address for (address,) in product.sql(HELD)}
    stopping.join()
    product.stack.start("worker-1")
    product.settle()
    product.wait_for(lambda: not active(product, names), 20, "still active")

    begun = [(name, at) for name, at in product.sql(BEGUN) if name in stopped]
    assert [(name, at - stopped[name]) for name, at in begun if at > stopped[name]] == []
    rung = Counter(f"{third_party.origin}{request.path}" for request in third_party.requests)
    for name in set(names) - set(stopped):
        wanted = {f"{third_party.origin}/{name}/{number}" for number in range(NOTIFICATIONS)}
        assert wanted <= set(rung)
    assert {address for address, count in rung.items() if count > 1} <= held


def active(product: Product, names: list[str]) -> list[str]:
    return [name for name, state in product.sql(STATES) if name in names and state == "active"]
