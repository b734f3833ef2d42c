"""What ``/metrics`` shows of escalations."""

from collections.abc import Iterator

from prometheus_client import Metric

from escalation.models import EscalationProcess
from escalation.services import hang_ups
from escalation.services.ending import SILENCE, UNANSWERED
from notifications.families import Counted, counter, gauge, histogram


def families(counted: Counted) -> Iterator[Metric]:
    active = EscalationProcess.objects.filter(state=EscalationProcess.State.ACTIVE).count()
    yield gauge("escalations_active", "Escalations under way.", active)
    yield counter(
        "escalations_unanswered",
        "Escalations that ended without a stop or an acknowledgement, by whether anybody was told.",
        ("outcome",),
        {key[1:]: value for key, value in counted.items() if key[0] == UNANSWERED},
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
