"""The periodic check, killed at random points and run again: every exposure is told exactly once."""

import random
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest
import requests

from config.processes import REPOSITORY
from tests.flows.product import Product

pytestmark = pytest.mark.flow

FIRST = 10_000  # devices of this test
CASES = 40
ROUNDS = 6
CONTACT_S = 1200
# A check in small batches, so that there are many moments between commits to be killed at.
CHECKER = """
import os, signal, sys, time
import django
django.setup()
from tracing import jobs
from tracing.services import searches
searches.BATCH, jobs.SLICE_S = 4, 600
print("ready", flush=True)
for line in sys.stdin:
    child = os.fork()
    if not child:
        jobs.check()
        os._exit(0)
    if delay := float(line):
        time.sleep(delay)
        os.kill(child, signal.SIGKILL)
    _, status = os.waitpid(child, 0)
    print("killed" if os.WIFSIGNALED(status) else f"done {os.WEXITSTATUS(status)}", flush=True)
"""
DEVICES = """
WITH device AS (
    INSERT INTO tracing_device (id, push_token, platform, language, status, created_at, updated_at)
    SELECT number, '', '', 'en', 0, now(), now() FROM generate_series(%(first)s::int, %(last)s::int) AS number
    RETURNING id
)
INSERT INTO tracing_devicecontact (device_id, channel, address)
SELECT id, 'webhook', %(origin)s || '/device/' || id FROM device
"""
SEARCHED = "SELECT count(*) FILTER (WHERE searched_at IS NULL), count(*) FROM tracing_casesearch"
EXPOSURES = "SELECT device_id, count(*), count(told_at) FROM tracing_exposure GROUP BY device_id"


class Checker:
    """Runs the check in a process of its own, and kills it after so many seconds, if told to."""

    def __init__(self, process: "subprocess.Popen[str]") -> None:
        self._process = process

    def run(self, kill_after_s: float = 0) -> str:
        assert self._process.stdin is not None
        print(kill_after_s, file=self._process.stdin, flush=True)
        return self.line()

    def line(self) -> str:
        assert self._process.stdout is not None
        return self._process.stdout.readline().strip()


@contextmanager
def checker(product: Product) -> Iterator[Checker]:
    env = {**product.stack.env, "DJANGO_SETTINGS_MODULE": "config.settings", "LOG_LEVEL": "ERROR"}
    with subprocess.Popen(
        [sys.executable, "-c", CHECKER],
        cwd=REPOSITORY, env=env, text=True, stdin=subprocess.PIPE, stdout=subprocess.PIPE,
    ) as process:  # fmt: skip
        try:
            running = Checker(process)
            assert running.line() == "ready"
            yield running
        finally:
            process.kill()


@pytest.fixture
def health(product: Product) -> Iterator[requests.Session]:
    """A health service: sets the filter, marks, uploads."""
    session = product.new_session()
    key = product.new_key("health", "tracing:write", "tracing:filters")
    session.headers["Authorization"] = f"Bearer {key}"
    yield session
    session.close()


def contact_of(case: int, number: int) -> int:
    return FIRST + CASES + case * ROUNDS + number


def record(case: int, number: int) -> dict[str, Any]:
    start = int(time.time()) - 86_400 + number * 3600
    return {
        "my_id": FIRST + case,
        "other_id": contact_of(case, number),
        "timestamp_start": start,
        "timestamp_end": start + CONTACT_S,
        "interval": CONTACT_S,
        "rssi": -60,
        "distance": 1.5,
        "platform": "android",
    }


def test_a_check_that_is_killed_at_random_points_tells_every_exposure_exactly_once(
    product: Product, health: requests.Session, chance: random.Random
) -> None:
    product.third_party.reset()
    product.third_party.behave("ok")
    last = contact_of(CASES - 1, ROUNDS - 1)
    product.sql(DEVICES, first=FIRST, last=last, origin=product.third_party.origin)
    text = {"title": "You were near", "shortDescription": "Stay at home."}
    made = {"name": "flow", "is_active": True, "content": {"en": text}}
    assert product.call("POST", "/api/v1/tracing/filters/", json=made, session=health).status_code == 201
    for case in range(CASES):
        mark = {"device_id": FIRST + case, "status": 1}
        assert product.call("POST", "/api/v1/tracing/statuses/", json=mark, session=health).ok
    product.wait_for(lambda: product.sql(SEARCHED) == [(0, CASES)], 20, "not every case was searched")

    with checker(product) as check:
        ends = []
        for number in range(ROUNDS):
            rows = [record(case, number) for case in range(CASES)]
            answer = product.call("POST", "/api/v1/tracing/interactions/", json=rows, session=health)
            assert answer.status_code == 201, answer.text
            ends.append(check.run(kill_after_s=chance.uniform(0.001, 0.4)))
        print(Counter(ends))
        contacts = {contact_of(case, number) for case in range(CASES) for number in range(ROUNDS)}

        def all_found() -> bool:
            # Once more and again: what the last one had locked is passed over until PostgreSQL lets it go.
            assert check.run() == "done 0"
            return len(product.sql(EXPOSURES)) == len(contacts)

        product.wait_for(all_found, 20, "not everybody was found")

    found = {device: (count, told) for device, count, told in product.sql(EXPOSURES)}
    assert found == dict.fromkeys(contacts, (1, 1))
    product.settle()
    arrived = Counter(each.path for each in product.third_party.requests if each.path.startswith("/device/"))
    assert arrived == {f"/device/{device}": 1 for device in contacts}
