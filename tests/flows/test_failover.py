"""The primary dies and its standby takes over: what was answered is kept, and nothing is done by halves."""

import os
import signal
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from typing import Any

import pytest

from config.embedded import postgres
from config.embedded.system import processes_of
from tests import templates
from tests.flows.product import Product, told_since
from tests.servers.postgres_pair import Pair

# The first test waits for two servers and the product.
pytestmark = [pytest.mark.flow, pytest.mark.timeout(480)]

# What a statement may take in web, and longer than that.
STATEMENT_S, LONGER_S = 2, 3
RECEIVER = "SELECT pid FROM pg_stat_wal_receiver"


@pytest.fixture(scope="module")
def pair(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Pair]:
    home = tmp_path_factory.mktemp("pair")
    templates.furnish(home / "one")
    with Pair(home) as running:
        yield running


@pytest.fixture(scope="module")
def product(pair: Pair, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Product]:
    env = {"DATABASE_URL": pair.url, "WEB_STATEMENT_TIMEOUT_S": str(STATEMENT_S)}
    with Product(tmp_path_factory.mktemp("flows"), env=env, migrate=False) as running:
        yield running
        running.settle()
        running.audit()


@contextmanager
def lagging(pair: Pair) -> Iterator[None]:
    """Have the standby receive nothing for a while."""
    ((receiver,),) = pair.execute(RECEIVER, on_standby=True)
    os.kill(receiver, signal.SIGSTOP)
    try:
        yield
    finally:
        os.kill(receiver, signal.SIGCONT)


def post(product: Product, alert: dict[str, Any], path: str = "/webhooks/alerts/") -> Any:
    with product.new_session() as session:
        session.headers.update(product.http.headers)
        return product.call("POST", path, json=alert, session=session)


@pytest.mark.parametrize("path", ["/webhooks/alerts/", "/api/v1/alerts/batch/"])
def test_an_answer_waits_until_the_standby_has_it(product: Product, pair: Pair, path: str) -> None:
    alert = product.shop(1).alert()
    body: Any = [alert] if "batch" in path else alert
    with ThreadPoolExecutor(1) as thread:
        with lagging(pair):
            answer = thread.submit(post, product, body, path)
            # Told already, since that may be done again, but not answered.
            product.wait_for(lambda: len(product.arrivals(alert)) == 1, 20, "not told")
            # Nor when its time is up: a wait that is cut short would confirm what the standby doesn't have.
            time.sleep(LONGER_S)
            assert not answer.done()
        assert answer.result(20).ok


def test_what_was_answered_outlives_the_primary(product: Product, pair: Pair) -> None:
    product.third_party.reset()
    product.third_party.behave("slow:20")
    shop = product.shop(20)
    alerts: list[dict[str, Any]] = []
    answers: list[Any] = []
    stopping = threading.Event()

    def post_until_it_fails() -> None:
        while not stopping.is_set():
            alert = shop.alert()
            answer = post(product, alert)
            answers.append(answer)
            if answer.status_code != 201:
                return
            alerts.append(alert)

    with ThreadPoolExecutor(1) as thread:
        posting = thread.submit(post_until_it_fails)
        try:
            product.wait_for(lambda: len(alerts) >= 30, 60, "too few accepted")
            killed_at = time.monotonic()
            pair.kill_primary()
            posting.result(60)
        finally:
            stopping.set()
    refused = answers[-1]
    assert refused.status_code == 503
    assert refused.headers["Retry-After"]
    # The standby is there, but it only reads.
    assert post(product, shop.alert()).status_code == 503
    assert product.call("GET", "/health/ready").status_code == 503
    held = told_since(product, killed_at)
    pair.fail_over()
    held |= product.in_flight()
    product.wait_until_ready()
    stored = {row.alert for row in product.rows(*alerts)}
    product.settle()
    product.assert_told_once({each["alert_uuid"]: shop.staff for each in alerts}, may_repeat=held)
    product.audit()
    assert stored <= {each["alert_uuid"] for each in alerts}


def test_the_primary_of_old_comes_back_as_the_standby_and_takes_over_again(
    product: Product, pair: Pair
) -> None:
    pair.rejoin()
    for _ in range(2):
        pair.kill_primary()
        pair.fail_over()
        pair.rejoin()
        product.wait_until_ready()
        shop = product.shop(3)
        alert = shop.alert()
        assert product.post(alert) == 201
        product.settle()
        product.assert_told_once({alert["alert_uuid"]: shop.staff})
    assert pair.execute("SELECT pg_is_in_recovery()") == [(False,)]
    assert pair.execute("SELECT pg_is_in_recovery()", on_standby=True) == [(True,)]
    assert list(processes_of(postgres.PROGRAM, working_directory=pair.primary.data))
