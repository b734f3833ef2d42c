"""What ``/metrics`` shows: the shared counters, the backlog, the queues and the workers."""

from collections.abc import Iterator
from datetime import datetime, timedelta
from typing import Final

import django_rq
from django.conf import settings
from prometheus_client import CollectorRegistry, Metric, generate_latest
from prometheus_client.registry import Collector
from redis import Redis
from rq.utils import utcparse
from rq.worker_registration import REDIS_WORKER_KEYS
from rq_scheduler import Scheduler

from config import clock, zones
from notifications import selectors, troubles
from notifications.events import selectors as event_selectors
from notifications.families import counter, gauge, gauges, histogram, registered
from notifications.metrics import clock_skews, totals
from notifications.standstill import standstill

#: With the sweep queued every second, each idle worker is heard of every few; a long job takes longer.
WORKER_SILENCE: Final = timedelta(minutes=2)
BY_CHANNEL: Final = ("channel", "outcome")
#: What is counted, with the labels and the meaning of each.
COUNTERS: Final = (
    ("deliveries", BY_CHANNEL, "Deliveries that came to an end, by channel and outcome."),
    ("attempts", BY_CHANNEL, "Attempts to send, by channel and outcome."),
    ("provider_reports", BY_CHANNEL, "Providers' reports on what they had accepted, by channel and outcome."),
    (
        "message_faults",
        ("kind", "origin"),
        "Messages whose text could not be rendered, so another one was used, by kind and origin.",
    ),
    ("events", ("known",), "Events published, by whether anyone handles their routing key."),
    ("event_runs", ("handler", "outcome"), "Ends of handlers' runs, by handler and outcome."),
)


def workers_alive(connection: Redis, *, now: datetime) -> int:
    """Count RQ's workers that were heard of lately: a killed one stays listed for minutes."""
    keys = connection.smembers(REDIS_WORKER_KEYS)
    pipeline = connection.pipeline(transaction=False)
    for key in keys:
        pipeline.hget(key, "last_heartbeat")
    beats = [utcparse(beat.decode()) for beat in pipeline.execute() if beat]
    return sum(now - beat <= WORKER_SILENCE for beat in beats)


def schedulers_alive(connection: Redis) -> int:
    """Count rq-scheduler's processes: a key lives for its interval and ten seconds, or says that it ended."""
    keys = list(connection.scan_iter(f"{Scheduler.redis_scheduler_namespace_prefix}*", count=1000))
    return sum(not connection.hexists(key, "death") for key in keys)


class TocsinCollector(Collector):
    """Everything that ``/metrics`` shows, as prometheus_client's registries collect it."""

    def collect(self) -> Iterator[Metric]:
        counted = totals()
        yield counter("alerts_accepted", "Alerts accepted.", (), {(): counted.get(("accepted",), 0.0)})
        for name, labels, help_text in COUNTERS:
            values = {
                key[1:]: value
                for key, value in counted.items()
                if key[0] == name and len(key) == 1 + len(labels)
            }
            yield counter(name, help_text, labels, values)
        yield histogram("delivery_lateness_seconds", "How late the first attempt began.", "lateness", counted)
        now, redis = clock.now(), django_rq.get_connection()
        due = selectors.due_backlog(now=now)
        yield gauge("due_backlog", "Deliveries that are due and waiting.", due.count)
        yield gauge("oldest_due_age_seconds", "How long the oldest of them has been due.", due.oldest_age_s)
        still = standstill(due, redis)
        yield gauge("due_untaken", "Due deliveries that no sender looks for.", still.untaken)
        help_text = "Deliveries whose lease has run out and that no sweep takes care of."
        yield gauge("leases_lost", help_text, still.lost)
        undone = event_selectors.backlog(now=now)
        yield gauge("dead_letters", "Handlers' runs on events that were given up.", undone.dead_letters)
        help_text = "How long the oldest waiting handler's run has been due."
        yield gauge("oldest_pending_run_age_seconds", help_text, undone.oldest_pending_age_s)
        lengths = [([name], django_rq.get_queue(name, connection=redis).count) for name in settings.RQ_QUEUES]
        yield gauges("queue_length", "Jobs that wait in a queue.", ["queue"], lengths)
        version = [([zones.package_version()], 1)]
        yield gauges("tzdata_info", "Version of the zones' data.", ["version"], version)
        skews = [([process], skew_s) for process, skew_s in sorted(clock_skews(redis).items())]
        help_text = "By how much the clock of a process's machine is ahead of PostgreSQL's."
        yield gauges("clock_skew_seconds", help_text, ["process"], skews)
        failing = [([each.channel], (now - each.since).total_seconds()) for each in troubles.channels(redis)]
        help_text = "How long a channel has been failing; working channels are left out."
        yield gauges("channel_failing_seconds", help_text, ["channel"], failing)
        closed = [
            ([each.channel, each.lane], (now - each.since).total_seconds()) for each in troubles.lanes(redis)
        ]
        help_text = f"How long a lane has been closed, for the {troubles.MOST_SHOWN} longest."
        yield gauges("lane_closed_seconds", help_text, ["channel", "lane"], closed)
        alive = workers_alive(redis, now=now)
        yield gauge("workers", "Workers heard from in the last two minutes.", alive)
        for families in registered:
            yield from families(counted)


def exposition() -> bytes:
    """Return all metrics in Prometheus' text format."""
    registry = CollectorRegistry(auto_describe=False)
    registry.register(TocsinCollector())
    return generate_latest(registry)
