"""RQ's own worker with Django loaded, on a Redis database of its own: forking, or not (`--simple`)."""

import os
import sys

import django

django.setup()

from redis import Redis  # noqa: E402
from rq import Queue, SimpleWorker, Worker  # noqa: E402

# Imported here so that each forked job finds it loaded, requests and all.
from benchmarks.baselines.rq_jobs import QUEUE  # noqa: E402


def main() -> None:
    connection = Redis.from_url(os.environ["BENCHMARK_REDIS_URL"])
    queue = Queue(QUEUE, connection=connection, serializer="json")
    kind = SimpleWorker if "--simple" in sys.argv else Worker
    kind([queue], connection=connection, serializer="json").work(logging_level="WARNING")


if __name__ == "__main__":
    main()
