"""What a body would make, and why. Nothing is stored."""

from collections.abc import Mapping
from datetime import datetime
from typing import NamedTuple

from accounts.ids import uuid7
from escalation.groups import known
from escalation.groups.known import Alert
from escalation.groups.matching import Decision, decided, labels_of
from escalation.groups.selectors import routes_asked, silences_begun
from escalation.groups.silences import silenced
from escalation.intake.occurrence import Act, Occurrence
from escalation.models import AlertGroup, Integration, Silence
from escalation.receiving import reading


class Tried(NamedTuple):
    """``decision`` and ``silence`` are those of a trigger that isn't ignored; outcomes as of taking.Made."""

    occurrence: Occurrence
    outcome: str
    decision: Decision | None = None
    silence: Silence | None = None


def body_try(
    *, integration: Integration, body: bytes, headers: Mapping[str, str], now: datetime
) -> list[Tried]:
    """Return what would come of each occurrence of a body, if it came now.

    Raises:
        Malformed: the body is not as the format has it.
    """
    occurrences = reading.occurrences_of(integration, body, headers)
    routes, silences = routes_asked(), silences_begun(now)
    alerts = known.newest(integration, list({each.key for each in occurrences}))
    led = []
    for each in occurrences:
        labels = labels_of(each, integration, each.severity or integration.severity)
        led.append((each, labels, decided(each, labels, routes=routes, integration=integration)))
    there = AlertGroup.objects.filter(
        integration=integration, key__in={decision.key for _, _, decision in led}
    )
    groups = set(there.exclude(state=AlertGroup.State.RESOLVED).values_list("key", flat=True))
    tried = []
    for each, labels, decision in led:
        if each.act != Act.TRIGGER:
            tried.append(Tried(each, _acted(each, alerts, now)))
        elif (outcome := _triggered(each, decision, alerts, groups, now)) == "ignored":
            tried.append(Tried(each, outcome))
        else:
            found = silenced(labels, silences, now)
            tried.append(Tried(each, outcome, decision, found and found.silence))
    return tried


def _triggered(
    occurrence: Occurrence, decision: Decision, alerts: dict[str, Alert], groups: set[str], now: datetime
) -> str:
    """Say what comes of a trigger, and count what it would make as there."""
    alert = alerts.get(occurrence.key)
    if alert and alert.ended_at is None:
        return "repeated" if alert.is_repeated_by(occurrence.at) else "counted"
    if alert and alert.covers(occurrence.at):
        return "ignored"
    outcome = "joined" if decision.key in groups else "opened"
    alerts[occurrence.key] = Alert(uuid7(), uuid7(), occurrence.key, last_at=now, began_at=occurrence.at)
    groups.add(decision.key)
    return outcome


def _acted(occurrence: Occurrence, alerts: Mapping[str, Alert], now: datetime) -> str:
    """Say what comes of what is no trigger, and count an alert that it resolves no more."""
    alert = alerts.get(occurrence.key)
    if alert is None or alert.ended_at is not None:
        return "ignored"
    match occurrence.act:
        case Act.RESOLVE if alert.is_ended_by(occurrence.at):
            alert.ended_at = now
            return "resolved"
        case Act.RESOLVE:
            return "ignored"
        case Act.ACKNOWLEDGE:
            return "acknowledged"
        case _:
            return "noted"
