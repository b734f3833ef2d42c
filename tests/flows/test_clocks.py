"""Workers on machines whose clocks are a minute off, beside one that is right: PostgreSQL's clock decides."""

import subprocess
import sys
import time
from collections import defaultdict
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager

import pytest

from config.processes import REPOSITORY
from tests import templates
from tests.flows.product import Product
from tests.flows.test_escalation import Desk

pytestmark = pytest.mark.flow

SKEWS_S = (60, -60)
# Long enough for others to look meanwhile, every second.
RETRY_WAIT_S = 3
LOST = "SELECT count(*) FROM notifications_attempt WHERE outcome = 'lost'"

EXPIRES = """
UPDATE notifications_outgoing SET due_at = now() + make_interval(secs => %(due_in_s)s),
                                  expires_at = now() + make_interval(secs => %(expires_in_s)s)
"""
# As a worker does it, which has asked for the time when it started.
EXPIRE = """
from django.db import connection
from notifications import jobs
connection.ensure_connection()
jobs.expire()
"""
STATUSES = """
SELECT DISTINCT delivery.status
  FROM escalation_escalationprocess AS process
  JOIN notifications_notification AS told
    ON told.source_type = 'escalation' AND told.source_id = process.id::text
  JOIN notifications_delivery AS delivery ON delivery.notification_id = told.id
 WHERE process.process_id = ANY (%(names)s)
"""


@contextmanager
def skewed(product: Product, seconds: int, *command: str) -> Iterator[subprocess.Popen[bytes]]:
    """Run a command of manage.py with a clock so many seconds fast, for as long as the block lasts."""
    with (product.stack.log_dir / f"skewed{seconds:+}.log").open("ab") as log:
        process = subprocess.Popen(
            [sys.executable, "-m", "tests.flows.skewed", str(seconds), *command],
            cwd=REPOSITORY,
            env=product.stack.env,
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=subprocess.STDOUT,
        )
    try:
        yield process
    finally:
        process.terminate()
        process.wait(timeout=30)


@pytest.fixture(scope="module")
def product(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Product]:
    home, env = tmp_path_factory.mktemp("clocks"), {"RETRY_WAIT_S": str(RETRY_WAIT_S)}
    templates.furnish(home)
    with Product(home, env=env, workers=1, migrate=False) as running, ExitStack() as workers:
        for seconds in SKEWS_S:
            workers.enter_context(skewed(running, seconds, "rqworker", "urgent", "default"))
        running.wait_for(lambda: skews(running) == {-60, 0, 60}, 60, "not all have said their skew")
        yield running
        running.settle()
        running.audit()


def skews(product: Product) -> set[int]:
    """Return by how much the processes' clocks are ahead, in whole seconds, as ``/metrics`` has it."""
    lines = product.call("GET", "/metrics").text.splitlines()
    return {
        round(float(line.rpartition(" ")[2]))
        for line in lines
        if line.startswith("tocsin_clock_skew_seconds{")
    }


def test_readiness_names_them_and_all_workers_count(product: Product) -> None:
    components = product.call("GET", "/health/ready").json()["components"]
    assert components["clocks"]["detail"].startswith("warning")
    assert components["workers"]["detail"].startswith("3 ")


def test_nobody_is_told_twice_while_sends_take_long(product: Product) -> None:
    product.third_party.reset()
    product.third_party.behave("slow:3000")
    shop = product.shop(60)
    alerts = [shop.alert() for _ in range(3)]
    for alert in alerts:
        assert product.post(alert) == 201
    product.settle()
    product.assert_told_once({alert["alert_uuid"]: shop.staff for alert in alerts})
    assert product.sql(LOST) == [(0,)]


def test_what_failed_is_tried_again_when_it_is_due(product: Product) -> None:
    product.third_party.reset()
    product.third_party.behave("fail_each:1")
    shop = product.shop(90)
    alert = shop.alert()
    assert product.post(alert) == 201
    product.settle()
    times = defaultdict(list)
    for each in product.arrivals(alert):
        times[each.delivery_id].append(each.received_at)
    waits = [second - first for first, second in times.values()]
    assert len(waits) == 90
    assert min(waits) >= RETRY_WAIT_S - 0.1
    assert max(waits) <= RETRY_WAIT_S + 2


def test_escalations_ring_on_time(product: Product) -> None:
    product.third_party.reset()
    product.third_party.behave("ok")
    desk, begin_at = Desk(product), time.time() + 4
    planned = {f"on-time-{number}": begin_at + number * 0.3 for number in range(12)}
    for name, at in planned.items():
        desk.start(name, at)
    product.settle()
    assert len(product.third_party.requests) == len(planned) * 5
    lateness = [
        request.at - (planned[name] + int(number) * 0.2)
        for request in product.third_party.requests
        for _, name, number in [request.path.split("/")]
    ]
    assert min(lateness) > -0.05
    assert max(lateness) < 0.5


def test_what_is_too_old_expires_then_and_not_before(product: Product) -> None:
    product.third_party.reset()
    product.third_party.behave("ok")
    desk = Desk(product)
    desk.start("later", time.time() + 40)
    product.sql(EXPIRES, due_in_s=40, expires_in_s=55)
    expire(product, clock_is_ahead_s=60)
    assert statuses(product) == {"pending"}
    product.settle(timeout=90)
    assert statuses(product) == {"sent"}

    desk.start("too-late", time.time() + 3600)
    product.sql(EXPIRES, due_in_s=-2, expires_in_s=-1)
    expire(product, clock_is_ahead_s=-60)
    assert statuses(product) == {"sent", "expired"}


def expire(product: Product, *, clock_is_ahead_s: int) -> None:
    with skewed(product, clock_is_ahead_s, "shell", "--no-imports", "--command", EXPIRE) as running:
        assert running.wait(timeout=60) == 0


def statuses(product: Product) -> set[str]:
    names = ["later", "too-late"]
    return {status for (status,) in product.sql(STATUSES, names=names)}
