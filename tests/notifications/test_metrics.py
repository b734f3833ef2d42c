"""Counters that all processes share."""

import os
import subprocess
import sys
import threading
import time

import django_rq
import pytest
from redis import Redis
from redis.exceptions import ConnectionError as RedisAway

from config.processes import free_port
from notifications import metrics


@pytest.fixture(autouse=True)
def _empty(redis: Redis) -> None:
    metrics.flush()
    redis.flushdb()


def test_increments_of_a_second_are_put_together(redis: Redis) -> None:
    for _ in range(1000):
        metrics.add("attempts", "webhook", "sent")
    metrics.add("attempts", "webhook", "sent", amount=5)
    metrics.flush()
    assert metrics.totals()[("attempts", "webhook", "sent")] == 1005


@pytest.mark.slow
def test_they_reach_redis_by_themselves() -> None:
    metrics.add("accepted")
    deadline = time.monotonic() + 10
    while not metrics.totals() and time.monotonic() < deadline:
        time.sleep(0.05)
    assert metrics.totals() == {("accepted",): 1}


def test_no_increment_is_lost_between_threads() -> None:
    threads = [
        threading.Thread(target=lambda: [metrics.add("accepted") for _ in range(5000)]) for _ in range(4)
    ]
    for thread in threads:
        thread.start()
    for _ in range(20):
        metrics.flush()
    for thread in threads:
        thread.join()
    metrics.flush()
    assert metrics.totals()[("accepted",)] == 20_000


def test_what_redis_does_not_take_is_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    def away() -> Redis:
        raise RedisAway("away")

    metrics.add("accepted", amount=3)
    with monkeypatch.context() as patched:
        patched.setattr(django_rq, "get_connection", away)
        metrics.flush()
    metrics.add("accepted")
    metrics.flush()
    assert metrics.totals() == {("accepted",): 4}


def test_a_forked_child_counts_only_its_own() -> None:
    metrics.add("accepted", amount=100)
    child = os.fork()
    if child == 0:
        metrics.add("accepted")
        metrics.flush()
        os._exit(0)
    os.waitpid(child, 0)
    metrics.flush()
    assert metrics.totals() == {("accepted",): 101}


@pytest.mark.slow
@pytest.mark.parametrize(("count", "said"), [("pass", False), ("metrics.add('accepted')", True)])
def test_a_process_that_counted_nothing_needs_no_redis_to_end(count: str, said: bool) -> None:
    program = f"""
import django
from django.conf import settings

settings.RQ_QUEUES["default"]["URL"] = "redis://127.0.0.1:{free_port()}/0"
django.setup()
from notifications import metrics

{count}
"""
    environment = {**os.environ, "DJANGO_SETTINGS_MODULE": "tests.settings"}
    done = subprocess.run(
        [sys.executable, "-c", program], env=environment, capture_output=True, text=True, check=True
    )
    assert ("metrics_not_flushed" in done.stdout + done.stderr) is said


@pytest.mark.slow
def test_counting_is_cheap() -> None:
    began = time.perf_counter()
    for _ in range(20_000):
        metrics.add("attempts", "webhook", "sent")
    assert time.perf_counter() - began < 1
