"""What ``/metrics`` shows of escalations."""

from collections.abc import Iterator

from django.db.models import Count, Q
from prometheus_client import Metric
from prometheus_client.core import GaugeMetricFamily

from config import clock
from escalation.holes.reading import holes_soon
from escalation.models import EscalationProcess, Heartbeat, Hole, LayerCalendar
from escalation.services import hang_ups
from escalation.services.ending import SILENCE, UNANSWERED
from escalation.services.last_resorts import LAST_RESORTS
from notifications.families import Counted, counter, gauge, histogram


def families(counted: Counted) -> Iterator[Metric]:
    active = EscalationProcess.objects.filter(state=EscalationProcess.State.ACTIVE, is_drill=False).count()
    yield gauge("escalations_active", "Escalations under way.", active)
    yield _heartbeats()
    yield _holes()
    yield _calendars()
    yield counter(
        "escalations_unanswered",
        "Escalations that ended without a stop or an acknowledgement, by whether anybody was told.",
        ("outcome",),
        {key[1:]: value for key, value in counted.items() if key[0] == UNANSWERED},
    )
    yield counter(
        "escalation_last_resorts",
        "Last resorts that were told, and those that reached nobody.",
        ("outcome",),
        {key[1:]: value for key, value in counted.items() if key[0] == LAST_RESORTS},
    )
    yield histogram(
        "escalation_silence_seconds",
        "From a stop or an acknowledgement to the end of the last send.",
        SILENCE,
        counted,
    )
    yield histogram(
        "escalation_hang_up_seconds",
        "From a stop or an acknowledgement to the end of a call that rang then.",
        hang_ups.SECONDS,
        counted,
    )


def _holes() -> Metric:
    counts = dict(holes_soon(clock.now()).order_by().values_list("kind").annotate(Count("pk")))
    text = "Holes in schedules in the next week, and steps of policies that reach nobody, by kind."
    family = GaugeMetricFamily("tocsin_on_call_holes", text, labels=["kind"])
    for kind in Hole.Kind.values:
        family.add_metric([kind], counts.get(kind, 0))
    return family


def _calendars() -> Metric:
    live = LayerCalendar.objects.filter(layer__schedule__deleted_at=None)
    failing = Count("pk", filter=Q(failing_since__isnull=False))
    counts = live.aggregate(all=Count("pk"), failing=failing, stale=Count("told_at"))
    family = GaugeMetricFamily(
        "tocsin_external_calendars", "External calendars of schedules, by state.", labels=["state"]
    )
    family.add_metric(["read"], counts["all"] - counts["failing"])
    family.add_metric(["failing"], counts["failing"] - counts["stale"])
    family.add_metric(["stale"], counts["stale"])
    return family


def _heartbeats() -> Metric:
    late = Heartbeat.objects.filter(state=Heartbeat.State.UP, expected_at__lte=clock.now())
    counts = dict(Heartbeat.objects.order_by().values_list("state").annotate(Count("pk")))
    counts[Heartbeat.LATE] = late.count()
    counts[Heartbeat.State.UP] = counts.get(Heartbeat.State.UP, 0) - counts[Heartbeat.LATE]
    family = GaugeMetricFamily("tocsin_heartbeats", "Heartbeats, by state.", labels=["state"])
    for state in (*Heartbeat.State.values, Heartbeat.LATE):
        family.add_metric([state], counts.get(state, 0))
    return family
