"""The senders that the fan-out is compared with, each started, warmed up, and ready at a word."""

import importlib
import os
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from subprocess import Popen

from redis import Redis
from rq import Queue

from benchmarks.baselines import rq_jobs
from benchmarks.children import ask, python, running, tell
from benchmarks.report import say
from benchmarks.sink import Sink

Start = Callable[[], float]
"""Sets the work going; returns the time at which it began to."""

CONCURRENCIES = (8, 16, 32, 64, 128, 256)
TUNING_POSTS = 2_000
WARM_UP = 200
WARM_UP_TIMEOUT_S = 60
JSON_HEADERS = {"Content-Type": "application/json"}


@dataclass(frozen=True)
class Setting:
    """What all contenders share: ``bodies`` are what ours sent, ``redis_url`` is for their own queues."""

    sink: Sink
    addresses: Sequence[str]
    bodies: Sequence[str]
    redis_url: str
    environment: Mapping[str, str]
    logs: Path

    def env(self) -> dict[str, str]:
        return {**self.environment, "BENCHMARK_REDIS_URL": self.redis_url}

    def messages(self, count: int | None = None) -> list[tuple[str, str]]:
        """The addresses and bodies of the first so many, or of all."""
        return list(zip(self.addresses[:count], self.bodies[:count], strict=True))


@contextmanager
def raw(setting: Setting, concurrency: int | None) -> Iterator[tuple[Start, int]]:
    """A bare aiohttp loop; with no concurrency given, the best of several is found first, and told."""
    with running(
        python("-m", "benchmarks.baselines.raw"), log=setting.logs / "raw.log", piped=True
    ) as process:
        order = {
            "addresses": list(setting.addresses),
            "bodies": list(setting.bodies),
            "headers": JSON_HEADERS,
            "most_connections": max(CONCURRENCIES),
        }
        ask(process, order)
        count = min(TUNING_POSTS, len(setting.addresses))
        best = concurrency or _best_concurrency(process, count)
        ask(process, {"count": min(WARM_UP, count), "concurrency": best})

        def start() -> float:
            started_at = time.time()
            tell(process, {"count": len(setting.addresses), "concurrency": best})
            return started_at

        yield start, best


def _best_concurrency(process: Popen[str], count: int) -> int:
    """The concurrency with the highest rate, each tried twice since a single short run says little."""
    rates = {
        concurrency: max(
            count / ask(process, {"count": count, "concurrency": concurrency})["seconds"] for _ in range(2)
        )
        for concurrency in (CONCURRENCIES[0], *CONCURRENCIES)
    }
    say("  raw at concurrency " + ", ".join(f"{each}: {rate:,.0f}/s" for each, rate in rates.items()))
    return max(rates, key=lambda each: rates[each])


@contextmanager
def dramatiq(setting: Setting, *, warm: bool = True) -> Iterator[Start]:
    """Two dramatiq processes of eight threads; starting is enqueueing one message per person."""
    # Only now, since importing the actors connects them to the Redis that the environment names.
    os.environ["BENCHMARK_REDIS_URL"] = setting.redis_url
    actors = importlib.import_module("benchmarks.baselines.dramatiq_actors")
    actors.broker.flush_all()
    command = python("-m", "dramatiq", "benchmarks.baselines.dramatiq_actors")
    command += ["--processes", "2", "--threads", "8"]

    def start(messages: Sequence[tuple[str, str]] | None = None) -> float:
        started_at = time.time()
        for address, body in setting.messages() if messages is None else messages:
            actors.deliver.send(address, body)
        return started_at

    with running(command, log=setting.logs / "dramatiq.log", env=setting.env()):
        if warm:
            _warm_up(setting, start, WARM_UP)
        yield start


@contextmanager
def rq_per_user(setting: Setting, count: int) -> Iterator[Start]:
    """Two of RQ's own forking workers; starting is enqueueing one job per person, in one pipeline."""
    queue = Queue(rq_jobs.QUEUE, connection=Redis.from_url(setting.redis_url), serializer="json")
    queue.empty()
    command = python("-m", "benchmarks.baselines.rq_worker")
    log = setting.logs / "rq.log"

    def start(messages: Sequence[tuple[str, str]] | None = None) -> float:
        started_at = time.time()
        queue.enqueue_many(
            Queue.prepare_data(rq_jobs.deliver, args=message)
            for message in (setting.messages(count) if messages is None else messages)
        )
        return started_at

    with running(command, log=log, env=setting.env()), running(command, log=log, env=setting.env()):
        _warm_up(setting, start, 4)
        yield start


def _warm_up(setting: Setting, start: Callable[[list[tuple[str, str]]], float], count: int) -> None:
    """Wait until the workers are up and have done some work: starting them is not what is measured."""
    setting.sink.reset()
    messages = setting.messages(count)
    start(messages)
    setting.sink.wait_for(len(messages), WARM_UP_TIMEOUT_S)
