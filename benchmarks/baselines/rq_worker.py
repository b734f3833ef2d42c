"""Baseline `rq-per-user`: RQ's own forking worker with Django loaded, on a Redis database of its own."""

import os

import django

django.setup()

from redis import Redis  # noqa: E402
from rq import Queue, Worker  # noqa: E402

# Imported here so that each forked job finds it loaded, requests and all.
from benchmarks.baselines.rq_jobs import QUEUE  # noqa: E402


def main() -> None:
    connection = Redis.from_url(os.environ["BENCHMARK_REDIS_URL"])
    Worker([Queue(QUEUE, connection=connection)], connection=connection).work(logging_level="WARNING")


if __name__ == "__main__":
    main()
