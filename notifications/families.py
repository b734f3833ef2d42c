"""How an app adds metrics to ``/metrics``: what makes one, and the list of those who make some."""

from collections.abc import Callable, Iterable, Mapping, Sequence

from prometheus_client import Metric
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, HistogramMetricFamily

from notifications.metrics import BUCKETS

Counted = Mapping[tuple[str, ...], float]
#: What the apps have registered.
registered: list[Callable[[Counted], Iterable[Metric]]] = []


def register(families: Callable[[Counted], Iterable[Metric]]) -> None:
    """Show more, from ``AppConfig.ready``: metrics of the shared counters, or of what a function asks."""
    if families not in registered:
        registered.append(families)


def counter(
    name: str, help_text: str, labels: tuple[str, ...], values: Mapping[tuple[str, ...], float]
) -> Metric:
    family = CounterMetricFamily(f"tocsin_{name}", help_text, labels=labels)
    for label_values, value in sorted(values.items()):
        family.add_metric(label_values, value)
    return family


def gauge(name: str, help_text: str, value: float) -> Metric:
    return GaugeMetricFamily(f"tocsin_{name}", help_text, value=value)


def gauges(
    name: str, help_text: str, labels: Sequence[str], values: Iterable[tuple[Sequence[str], float]]
) -> Metric:
    family = GaugeMetricFamily(f"tocsin_{name}", help_text, labels=labels)
    for label_values, value in values:
        family.add_metric(label_values, value)
    return family


def histogram(name: str, help_text: str, counter: str, counted: Counted) -> Metric:
    """Return what ``metrics.observe`` has noted under ``counter``, as a metric of this name."""
    buckets, total = [], 0.0
    for bound in (*map(str, BUCKETS), "+Inf"):
        total += counted.get((counter, bound), 0.0)
        buckets.append((bound, total))
    return HistogramMetricFamily(
        f"tocsin_{name}", help_text, buckets=buckets, sum_value=counted.get((counter, "sum"), 0.0)
    )
