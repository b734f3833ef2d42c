"""What ``/metrics`` shows of brokers: messages, dead letters, and each consumer's connection and lag."""

from collections.abc import Iterator
from typing import Final

from prometheus_client import Metric

from config import clock
from notifications import queue
from notifications.brokers import dead_letters, health, outbox
from notifications.families import Counted, counter, gauge, gauges, histogram

COUNTERS: Final = (
    ("messages", "Messages taken from brokers, by source and what became of them."),
    ("messages_published", "Messages published, by source of the broker and outcome."),
)


def families(counted: Counted) -> Iterator[Metric]:
    """Make the metrics of brokers; nothing but zeros where there are none."""
    for name, help_text in COUNTERS:
        values: dict[tuple[str, ...], float] = {
            key[1:]: value for key, value in counted.items() if key[0] == name and len(key) == 3
        }
        yield counter(name, help_text, ("source", "outcome"), values)
    yield histogram("message_age_seconds", "From publishing to taking effect.", "message_age", counted)
    dead = [((source,), count) for source, count in dead_letters.waiting_by_source().items()]
    yield gauges("dead_messages", "Dead letters of brokers.", ("source",), dead)
    yield gauge("outgoing_messages", "Messages that wait to be published.", outbox.waiting())
    now = clock.timestamp()
    # One of which nobody is heard is shown too, or no alert could see that it is gone.
    by_source: dict[str, list[health.State]] = {name: [] for name in sorted(health.wanted())}
    for state in health.states(queue.redis(), now=now):
        by_source.setdefault(state.source, []).append(state)
    connected, lag, held = [], [], []
    for source, states in by_source.items():
        alive = [state for state in states if not state.is_silent(now)]
        connected.append(((source,), sum(state.connected for state in alive)))
        if states:
            lag.append(((source,), max((state.lag_s for state in alive), default=0.0)))
            held.append(((source,), sum(state.held for state in alive)))
    about = "Consumers that are connected to their broker."
    yield gauges("consumers_connected", about, ("source",), connected)
    yield gauges("message_lag_seconds", "Age of the oldest message of the last batch.", ("source",), lag)
    yield gauges("messages_held", "Messages held to be tried again.", ("source",), held)
