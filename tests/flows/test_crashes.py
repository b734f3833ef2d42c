"""Whatever is killed, at whatever moment: everyone is told, and only what was in flight comes twice."""

import queue
import random
import threading
import time
import uuid
from collections.abc import Callable
from typing import Any

import pytest
import requests

from config import embedded
from tests.flows.product import Product, Shop, told_since

pytestmark = pytest.mark.flow

STAFF = 500
ALERTS = 5  # 2,500 deliveries
LOST_JOB = """
INSERT INTO notifications_alert
       (alert_uuid, url, shop_id, location, label, time_spotted, received_at)
VALUES (%(alert)s, 'https://media.example.com/clip.mp4', %(shop)s, 'here', 'theft', now(), now())
"""


@pytest.fixture(autouse=True)
def _third_party_is_slow(product: Product) -> None:
    """Slow enough to have plenty in flight."""
    product.third_party.reset()
    product.third_party.behave("slow:20")


def storm(
    product: Product, chance: random.Random, strike: Callable[[], object]
) -> tuple[Shop, list[dict[str, Any]]]:
    """Post alerts to a large shop, and strike at a random moment while its staff is being told."""
    shop = product.shop(STAFF)
    alerts = [shop.alert() for _ in range(ALERTS)]
    for alert in alerts:
        assert product.post(alert) == 201
    moment = chance.randrange(100, STAFF * ALERTS * 3 // 4)
    third_party = product.third_party
    third_party.wait_until(lambda: len(third_party.requests) >= moment, 60, lambda: "too few were told")
    print(f"striking after {len(third_party.requests)} were told")
    strike()
    return shop, alerts


def assert_all_told(
    product: Product, shop: Shop, alerts: list[dict[str, Any]], *, may_repeat: set[str] | None = None
) -> None:
    started = time.monotonic()
    product.settle()
    print(f"settled after {time.monotonic() - started:.1f} s")
    expected = {alert["alert_uuid"]: shop.staff for alert in alerts}
    product.assert_told_once(expected, may_repeat=may_repeat or set())
    product.audit()


def assert_at_work(product: Product) -> None:
    """Assert that alerts go through as ever."""
    shop = product.shop(3)
    alert = shop.alert()
    assert product.post(alert) == 201
    product.settle()
    product.assert_told_once({alert["alert_uuid"]: shop.staff})


def test_killed_worker_costs_at_most_a_repeat_of_what_it_held(
    product: Product, chance: random.Random
) -> None:
    victim = chance.choice(["worker-1", "worker-2"])
    held: set[str] = set()

    def strike() -> None:
        product.stack.kill(victim)
        held.update(product.in_flight())

    shop, alerts = storm(product, chance, strike)
    product.stack.start(victim)
    assert_all_told(product, shop, alerts, may_repeat=held)
    lost = product.sql("SELECT count(*) FROM notifications_attempt WHERE outcome = 'lost'")
    assert 0 < lost[0][0] <= len(held)


def test_killed_scheduler_leaves_nothing_undone(product: Product, chance: random.Random) -> None:
    shop, alerts = storm(product, chance, lambda: product.stack.kill("scheduler"))
    lost = {"alert_uuid": str(uuid.uuid4())}
    product.sql(LOST_JOB, alert=lost["alert_uuid"], shop=shop.id)
    product.stack.start("scheduler")
    assert_all_told(product, shop, [*alerts, lost])


def test_redis_coming_back_empty_loses_nothing(product: Product, chance: random.Random) -> None:
    shop, alerts = storm(product, chance, product.stack.kill_redis)
    meanwhile = shop.alert()
    assert product.post(meanwhile) == 201
    product.stack.start_redis()
    assert_all_told(product, shop, [*alerts, meanwhile])
    product.wait_until_ready()
    assert_at_work(product)


def test_killed_postgres_repeats_only_what_was_in_flight(product: Product, chance: random.Random) -> None:
    held: set[str] = set()
    killed_at = 0.0

    def strike() -> None:
        nonlocal killed_at
        killed_at = time.monotonic()
        product.stack.kill_postgres()

    shop, alerts = storm(product, chance, strike)
    time.sleep(0.2)  # sends that were under way reach the third party while PostgreSQL is away
    held.update(told_since(product, killed_at))
    product.stack.start_postgres()
    assert_all_told(product, shop, alerts, may_repeat=held)
    product.wait_until_ready()
    assert_at_work(product)


READ_ONLY_S = 6.0


def set_read_only(product: Product, value: str) -> None:
    product.sql("SET default_transaction_read_only = off")  # for this session, to be able to
    product.sql(f"ALTER SYSTEM SET default_transaction_read_only = {value}")
    product.sql("SELECT pg_reload_conf()")
    time.sleep(0.5)  # each session hears of it by a signal


def test_a_postgres_that_takes_no_writes_for_a_while_stops_nothing_for_good(
    product: Product, chance: random.Random
) -> None:
    held: set[str] = set()
    meanwhile = product.shop(3).alert()

    def strike() -> None:
        set_read_only(product, "on")
        try:
            end = time.monotonic() + READ_ONLY_S
            while time.monotonic() < end:
                refused = product.call("POST", "/webhooks/alerts/", json=meanwhile)
                assert refused.status_code == 503
                assert refused.headers["Retry-After"]
                assert product.call("GET", "/health/ready").status_code == 503
            held.update(product.in_flight())
            product.stack.processes["worker-1"].terminate()
            product.stack.processes["worker-1"].wait(timeout=10)
        finally:
            set_read_only(product, "off")

    shop, alerts = storm(product, chance, strike)
    product.settle()  # by the worker that was there
    product.stack.start("worker-1")
    assert product.post(meanwhile) == 201
    assert_all_told(product, shop, alerts, may_repeat=held)
    product.wait_until_ready()
    assert_at_work(product)


def test_a_worker_ends_within_seconds_while_postgres_is_away(product: Product) -> None:
    product.stack.kill_postgres()
    try:
        product.stack.processes["worker-1"].terminate()
        product.stack.processes["worker-1"].wait(timeout=10)
    finally:
        product.stack.start_postgres()
    product.stack.start("worker-1")
    assert_at_work(product)


def test_everything_killed_at_once_loses_nothing(product: Product, chance: random.Random) -> None:
    held: set[str] = set()

    def strike() -> None:
        names = list(product.stack.processes)
        chance.shuffle(names)
        for name in names:
            product.stack.processes[name].kill()
        killed_at = time.monotonic()
        product.stack.kill_redis()
        product.stack.kill_postgres()
        for name in names:
            product.stack.kill(name)
        recent = told_since(product, killed_at)
        embedded.ensure_running(at=product.home)
        held.update(product.in_flight() | recent)
        for name in names:
            product.stack.start(name)

    shop, alerts = storm(product, chance, strike)
    assert_all_told(product, shop, alerts, may_repeat=held)
    assert_at_work(product)


# --- The web process, while alerts come in --------------------------------------------------------------


class Cameras:
    """Posts alerts from several connections, and notes which of them were answered with a 2xx."""

    def __init__(self, product: Product, alerts: list[dict[str, Any]], connections: int = 4) -> None:
        self.accepted: list[dict[str, Any]] = []
        self.unanswered: list[dict[str, Any]] = []
        self.web_is_up = threading.Event()
        self.web_is_up.set()
        self._product = product
        self._waiting: queue.SimpleQueue[dict[str, Any]] = queue.SimpleQueue()
        for alert in alerts:
            self._waiting.put(alert)
        self._threads = [threading.Thread(target=self._post_all, daemon=True) for _ in range(connections)]
        for thread in self._threads:
            thread.start()

    def finish(self) -> None:
        for thread in self._threads:
            thread.join(timeout=60)
            assert not thread.is_alive()

    def _post_all(self) -> None:
        with self._product.new_session() as session:
            session.headers.update(self._product.http.headers)
            while True:
                try:
                    alert = self._waiting.get_nowait()
                except queue.Empty:
                    return
                self.web_is_up.wait()
                self._post(session, alert)

    def _post(self, session: requests.Session, alert: dict[str, Any]) -> None:
        try:
            answered = self._product.post(alert, session=session) in (200, 201)
        except requests.RequestException:
            answered = False
        (self.accepted if answered else self.unanswered).append(alert)


def test_what_a_killed_web_process_had_answered_arrives(product: Product, chance: random.Random) -> None:
    shop = product.shop(20)
    alerts = [shop.alert() for _ in range(100)]
    moment = chance.randrange(10, 80)
    cameras = Cameras(product, alerts)
    product.wait_for(lambda: len(cameras.accepted) >= moment, 60, "too few accepted")
    cameras.web_is_up.clear()
    product.stack.kill("web")
    answered_before = len(cameras.accepted)
    product.stack.start("web")
    cameras.web_is_up.set()
    cameras.finish()
    print(f"killed after {answered_before} answers; {len(cameras.unanswered)} posts were left without one")
    assert len(cameras.accepted) + len(cameras.unanswered) == len(alerts)
    product.settle()
    stored = {row.alert for row in product.rows(*alerts)}
    assert stored >= {alert["alert_uuid"] for alert in cameras.accepted}
    for alert in cameras.unanswered:  # as any sender would do
        assert product.post(alert) == (200 if alert["alert_uuid"] in stored else 201)
    assert_all_told(product, shop, alerts)


def test_deliveries_go_on_while_the_web_process_is_dead(product: Product, chance: random.Random) -> None:
    shop, alerts = storm(product, chance, lambda: product.stack.kill("web"))
    started = time.monotonic()
    product.settle()
    print(f"all told {time.monotonic() - started:.1f} s after the web process died")
    product.stack.start("web")
    assert_all_told(product, shop, alerts)
