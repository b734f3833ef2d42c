"""What a body would make, and why. Nothing is stored."""

from collections.abc import Mapping
from datetime import datetime
from typing import NamedTuple

from escalation.groups.matching import Decision, decided, labels_of
from escalation.groups.selectors import routes_asked, silences_begun
from escalation.groups.silences import silenced
from escalation.intake.occurrence import Act, Occurrence
from escalation.models import AlertGroup, GroupedAlert, Integration, Silence
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
    routes, silences = routes_asked(), silences_begun(now)
    firing = GroupedAlert.objects.filter(
        integration=integration, ended_at=None, key__in={each.key for each in occurrences}
    )
    alerts = set(firing.values_list("key", flat=True))
    labels = [labels_of(each, integration, each.severity or integration.severity) for each in occurrences]
    decisions = [
        decided(each, its_labels, routes=routes, integration=integration)
        for each, its_labels in zip(occurrences, labels, strict=True)
    ]
    there = AlertGroup.objects.filter(integration=integration, key__in={each.key for each in decisions})
    groups = set(there.exclude(state=AlertGroup.State.RESOLVED).values_list("key", flat=True))
    tried = []
    for each, its_labels, decision in zip(occurrences, labels, decisions, strict=True):
        if each.act != Act.TRIGGER:
            tried.append(Tried(each, _acted(each, alerts), None, None))
            continue
        found = silenced(its_labels, silences, now)
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
