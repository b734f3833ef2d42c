"""From a camera's POST to somebody being told, over real processes and nothing but the public face."""

import os
import subprocess
import sys
from collections import Counter
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest

from tests.flows.product import RETRY_WAIT_S, Product, Row, Shop

pytestmark = pytest.mark.flow

# As it was written for the original system: its path, and no credentials in it.
ORIGINAL_SCRIPT = """
import sys, requests
response = requests.post("http://localhost:%(port)d/webhooks/alerts", json=%(alert)r)
print(response.status_code, response.json()["alert_uuid"])
"""


@pytest.fixture(autouse=True)
def _third_party_answers(product: Product) -> None:
    product.third_party.behave("ok")
    product.third_party.reset()


@pytest.fixture
def shop(product: Product) -> Shop:
    return product.shop(3)


def tell(product: Product, alert: dict[str, Any]) -> list[Row]:
    """Post an alert and return its deliveries once nothing is under way."""
    assert product.post(alert) == 201
    product.settle()
    return product.rows(alert)


def states(rows: list[Row]) -> Counter[tuple[str, str]]:
    return Counter((row.status, row.reason) for row in rows)


def set_level(product: Product, user: str, level: str) -> None:
    answer = product.call("PUT", "/preferences", json={"user_id": user, "level": level})
    assert answer.status_code == 200, answer.text


# --- Told, and told the right thing ---------------------------------------------------------------------


def test_each_member_is_told_once_in_the_originals_words(product: Product, shop: Shop) -> None:
    product.shop(2)  # whose people are strangers here
    alert = shop.alert("theft")
    rows = tell(product, alert)
    assert states(rows) == {("sent", ""): 3}
    product.assert_told_once({alert["alert_uuid"]: shop.staff})
    for request in product.arrivals(alert):
        assert request.json == {
            "target_user_uuid": request.json["target_user_uuid"],
            **{name: alert[name] for name in ("url", "alert_uuid", "location", "label")},
        }


def test_alert_is_told_at_the_speed_of_a_blink(product: Product, shop: Shop) -> None:
    alert = shop.alert()
    assert product.post(alert) == 201
    product.third_party.wait_for(3, timeout=3)


def test_same_alert_again_tells_nobody_again(product: Product, shop: Shop) -> None:
    alert = shop.alert()
    tell(product, alert)
    assert product.post(alert) == 200
    assert product.post({**alert, "label": "normal"}) == 409
    product.settle()
    product.assert_told_once({alert["alert_uuid"]: shop.staff})


def test_script_of_the_original_works_with_nothing_but_netrc(
    product: Product, shop: Shop, tmp_path: Path
) -> None:
    netrc = tmp_path / ".netrc"
    netrc.write_text(f"machine localhost login {product.new_key('cameras', 'alerts:write')} password x\n")
    netrc.chmod(0o600)
    alert = shop.alert()
    done = subprocess.run(
        [sys.executable, "-c", ORIGINAL_SCRIPT % {"port": product.stack.port, "alert": alert}],
        env={**os.environ, "HOME": str(tmp_path), "NETRC": str(netrc), "NO_PROXY": "localhost"},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.stdout.split() == ["201", alert["alert_uuid"]], done.stderr
    product.settle()
    product.assert_told_once({alert["alert_uuid"]: shop.staff})


def test_nobody_gets_in_without_a_key(product: Product, shop: Shop) -> None:
    with product.new_session() as stranger:
        assert product.post(shop.alert(), session=stranger) == 401


# --- Levels and contact points ---------------------------------------------------------------------------


def test_level_decides_who_is_told_and_the_rest_have_the_reason(product: Product, shop: Shop) -> None:
    critical, standard, _ = shop.staff
    set_level(product, critical, "critical")
    set_level(product, standard, "STANDARD")
    theft, normal = shop.alert("theft"), shop.alert("normal")
    assert states(tell(product, theft)) == {("sent", ""): 3}
    rows = tell(product, normal)
    assert states(rows) == {("sent", ""): 2, ("suppressed", "level"): 1}
    assert {row.user for row in rows if row.status == "suppressed"} == {critical}
    assert critical not in {request.user for request in product.arrivals(normal)}


def test_contact_points_take_the_place_of_the_third_party(product: Product, shop: Shop) -> None:
    by_hook, by_inbox, switched_off = shop.staff
    hook = f"{product.third_party.origin}/hooks/ana"
    product.contact_point(by_hook, "webhook", hook)
    product.contact_point(by_inbox, "inbox")
    product.contact_point(switched_off, "webhook", f"{hook}/off", enabled=False)
    rows = tell(product, shop.alert())
    assert states(rows) == {("sent", ""): 2, ("suppressed", "disabled"): 1}
    (request,) = product.third_party.requests
    assert (request.path, request.user) == ("/hooks/ana", by_hook)
    assert {"webhook-id", "webhook-timestamp", "webhook-signature"} <= request.headers.keys()


# --- Failures ---------------------------------------------------------------------------------------------


def test_failure_that_passes_is_tried_again_under_the_same_id(product: Product, shop: Shop) -> None:
    product.third_party.behave("fail_each:2")
    alert = shop.alert()
    rows = tell(product, alert)
    assert {(row.status, row.attempts) for row in rows} == {("sent", 3)}
    product.assert_told_once({alert["alert_uuid"]: shop.staff}, may_repeat=[row.id for row in rows])
    for row in rows:
        times = [each.received_at for each in product.third_party.requests if each.delivery_id == row.id]
        gaps = [later - earlier for earlier, later in pairwise(times)]
        assert len(gaps) == 2
        assert min(gaps) >= RETRY_WAIT_S


def test_retry_after_is_waited_for(product: Product, shop: Shop) -> None:
    product.third_party.behave("retry_after:2")
    alert = shop.alert()
    assert product.post(alert) == 201
    product.third_party.wait_for(3)
    product.third_party.behave("ok")
    product.settle()
    assert {(row.status, row.attempts) for row in product.rows(alert)} == {("sent", 2)}
    for row in product.rows(alert):
        first, second = (each for each in product.third_party.requests if each.delivery_id == row.id)
        assert second.received_at - first.received_at >= 2


def test_refusal_is_final_at_once(product: Product, shop: Shop) -> None:
    product.third_party.behave("status:404")
    rows = tell(product, shop.alert())
    assert states(rows) == {("failed", "rejected"): 3}
    assert len(product.third_party.requests) == 3


def test_failure_is_kept_and_replayed_under_the_same_id(product: Product, shop: Shop) -> None:
    product.third_party.behave("status:503")
    alert = shop.alert()
    rows = tell(product, alert)
    assert states(rows) == {("failed", "exhausted"): 3}
    assert product.third_party.counts() == {row.id: 3 for row in rows}
    product.third_party.behave("ok")
    product.third_party.reset()
    one, *others = (row.id for row in rows)
    assert product.call("POST", f"/api/v1/deliveries/{one}/replay/").status_code == 200
    many = product.call("POST", "/api/v1/deliveries/replay/", json={"ids": others})
    assert (many.status_code, many.json()["replayed"]) == (200, 2)
    product.settle()
    product.assert_told_once({alert["alert_uuid"]: shop.staff})
    assert set(product.third_party.counts()) == {row.id for row in rows}
    detail = product.call("GET", f"/api/v1/deliveries/{one}/").json()
    outcomes = [attempt["outcome"] for attempt in detail["attempt_list"]]
    assert (detail["status"], outcomes) == ("sent", ["unavailable"] * 3 + ["sent"])
