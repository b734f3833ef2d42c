"""What a body would make, and why. Nothing is stored."""

from collections.abc import Mapping
from datetime import datetime
from typing import NamedTuple

from escalation.groups.matching import Decision, decided, labels_of
from escalation.groups.silences import silenced
from escalation.intake.occurrence import Act, Occurrence
from escalation.models import AlertGroup, GroupedAlert, Integration, Route, Silence
from escalation.receiving import reading


class Tried(NamedTuple):
    """``decision`` and ``silence`` are those of a trigger; outcomes are as taking.Made has them."""

    occurrence: Occurrence
    outcome: str
    decision: Decision | None
    silence: Silence | None


def body_try(
    *, integration: Integration, body: bytes, headers: Mapping[str, str], now: datetime
) -> list[Tried]:
    """Return what would come of each occurrence of a body, if it came now.

    Raises:
        Malformed: the body is not as the format has it.
    """
    occurrences = reading.occurrences_of(integration, body, headers)
    routes = list(Route.objects.filter(is_enabled=True).select_related("policy").order_by("position", "pk"))
    silences = list(Silence.objects.filter(cancelled_at=None, starts_at__lte=now))
    firing = GroupedAlert.objects.filter(
        integration=integration, ended_at=None, key__in={each.key for each in occurrences}
    )
    alerts = set(firing.values_list("key", flat=True))
    groups = set(
        AlertGroup.objects.filter(integration=integration)
        .exclude(state=AlertGroup.State.RESOLVED)
        .values_list("key", flat=True)
    )
    tried = []
    for each in occurrences:
        if each.act != Act.TRIGGER:
            tried.append(Tried(each, _acted(each, alerts), None, None))
            continue
        labels = labels_of(each, integration, each.severity or integration.severity)
        decision = decided(each, labels, routes=routes, integration=integration)
        found = silenced(labels, silences, now)
        outcome = "counted" if each.key in alerts else "joined" if decision.key in groups else "opened"
        alerts.add(each.key)
        groups.add(decision.key)
        tried.append(Tried(each, outcome, decision, found.silence if found else None))
    return tried


def _acted(occurrence: Occurrence, alerts: set[str]) -> str:
    """Say what comes of what is no trigger, and count an alert that it resolves no more."""
    if occurrence.key not in alerts:
        return "ignored"
    match occurrence.act:
        case Act.RESOLVE:
            alerts.discard(occurrence.key)
            return "resolved"
        case Act.ACKNOWLEDGE:
            return "acknowledged"
        case _:
            return "noted"
