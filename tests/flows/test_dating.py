"""An evening on the running product: it goes on when a worker and the scheduler die in it."""

import time
import uuid
from collections import Counter, defaultdict
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from tests.flows.product import Product

pytestmark = pytest.mark.flow

PROFILE = """
INSERT INTO dating_datingprofile (id, user_id, birthday, city, seeks, manual_score, created_at)
VALUES (uuidv7(), %(user)s, '1999-05-01', 'Paris', %(seeks)s, 2, now())
"""
INBOX = """
SELECT delivery.user_id::text, notification.kind, notification.data
  FROM notifications_delivery AS delivery
  JOIN notifications_notification AS notification ON notification.id = delivery.notification_id
 WHERE delivery.channel = 'inbox' AND delivery.status = 'sent'
   AND notification.data ->> 'event_id' = %(event)s
"""
LEAD_S, ROUND_S, BREAK_S, ROUNDS = 20, 2, 1, 3


def post(product: Product, key: str, path: str, body: dict[str, Any]) -> Any:
    session = product.new_session()
    session.headers["Authorization"] = f"Api-Key {key}"
    answer = product.call("POST", path, json=body, session=session)
    assert answer.ok, answer.text
    return answer.json()


def test_an_evening_goes_on_when_a_worker_and_the_scheduler_die_in_it(product: Product) -> None:
    key = product.new_key("dating", "dating:write", "dating:read")
    people = product.shop(2 * ROUNDS, slug=f"dating-{uuid.uuid4().hex[:8]}").staff
    for number, user in enumerate(people):
        product.sql(PROFILE, user=user, seeks=("men", "women")[number % 2])
    starts_at = datetime.now(UTC) + timedelta(seconds=LEAD_S)
    evening = {
        "title": "Friday at eight",
        "starts_at": starts_at.isoformat(),
        "two_pools": True,
        "confirm_before_s": 3600,
        "close_before_s": 2,
        "rules_before_s": 1,
        "round_s": ROUND_S,
        "break_s": BREAK_S,
    }
    event = post(product, key, "/api/v1/dating/events/", evening)["id"]
    path = f"/api/v1/dating/events/{event}"
    for user in people:
        assert post(product, key, f"{path}/register/", {"user_id": user}) == {"user_registered": True}
    product.wait_for(lambda: step_of(product, event) == ("confirming", 0), 10, "confirmations are asked for")
    for user in people:
        assert post(product, key, f"{path}/confirm/", {"user_id": user}) == {"registration_confirmed": True}

    product.wait_for(lambda: step_of(product, event)[1] >= 1, 60, "the first round begins")
    product.stack.kill("worker-1")
    product.stack.kill("scheduler")
    time.sleep(0.5)
    product.stack.start("worker-1")
    product.stack.start("scheduler")
    product.wait_for(lambda: step_of(product, event)[0] == "finished", 60, "the evening ends")
    told = told_of(product, event)
    once = {"dating.confirm": 1, "dating.taking_part": 1, "dating.rules": 1, "dating.finished": 1}
    partners: dict[int, dict[str, str]] = defaultdict(dict)
    for user in people:
        kinds = Counter(kind for kind, _ in told[user])
        assert {kind: kinds[kind] for kind in once} == once
        rounds = [data["round"] for kind, data in told[user] if kind == "dating.link"]
        met = [data["partner_id"] for kind, data in told[user] if kind == "dating.link"]
        assert len(set(rounds)) == len(rounds)
        assert len(set(met)) == len(met)
        for kind, data in told[user]:
            if kind == "dating.link":
                partners[data["round"]][user] = data["partner_id"]
    # Nobody is alone in a call: a round either was sent to both of each pair or to neither.
    assert all(len(pairs) % 2 == 0 for pairs in partners.values())
    assert len(partners[1]) == len(people)


def step_of(product: Product, event: str) -> tuple[str, int]:
    ((step, current_round),) = product.sql(
        "SELECT step, current_round FROM dating_event WHERE id = %(event)s", event=event
    )
    return step, current_round


def told_of(product: Product, event: str) -> dict[str, list[tuple[str, dict[str, Any]]]]:
    told: dict[str, list[tuple[str, dict[str, Any]]]] = defaultdict(list)
    for user, kind, data in product.sql(INBOX, event=event):
        told[user].append((kind, data))
    return told
