"""Who sees which alert groups, and what was said of them."""

from datetime import datetime
from typing import Final
from uuid import UUID

from django.db.models import F, Q, QuerySet

from config.rows import Columns
from config.sql import run_prepared
from config.statements import named
from escalation.models import AlertGroup, AlertOccurrence, GroupedAlert, Policy, Route, Silence
from escalation.selectors import processes_telling
from notifications.selectors import Principal, sees_all

#: Of notifications that tell of a group.
SOURCE: Final = "alert_group"
# Of each group, so much is shown.
_MOST_ALERTS: Final = 200
_MOST_SAID: Final = 100
_ROUTE, _POLICY = Columns(Route), Columns(Policy)
_ROUTES: Final = f"""
SELECT {_ROUTE.of("it")}, {_POLICY.of("policy")}
  FROM escalation_route AS it
  LEFT JOIN escalation_policy AS policy ON policy.id = it.policy_id
 WHERE it.is_enabled
 ORDER BY it.position, it.id
"""  # noqa: S608
named("groups.routes", "Fetch the routes that are asked.", _ROUTES)
_RELATED: Final = ("integration", "shop", "policy", "route", "process", "silence", "storm")


def groups_visible_to(principal: Principal) -> QuerySet[AlertGroup]:
    """All groups, or those of which a person was told."""
    groups = AlertGroup.objects.all() if sees_all(principal) else groups_telling(principal.pk)
    return groups.select_related(*_RELATED)


def groups_telling(person: UUID) -> QuerySet[AlertGroup]:
    """Return those of which a person was told: by themselves, or in the summary of a storm."""
    told = processes_telling(person).values("pk")
    return AlertGroup.objects.filter(Q(process__in=told) | Q(storm__process__in=told))


def routes_asked() -> list[Route]:
    """Return the routes of what comes, in the order in which they are asked."""
    routes = []
    for row in run_prepared(_ROUTES, {}):
        route = _ROUTE.row(row)
        if route.policy_id:
            route.policy = _POLICY.row(row[len(_ROUTE) :])
        routes.append(route)
    return routes


def silences_begun(now: datetime) -> list[Silence]:
    """Return those of which some may hold now."""
    return list(Silence.objects.filter(cancelled_at=None, starts_at__lte=now))


def alerts_of(group: AlertGroup) -> QuerySet[GroupedAlert]:
    """Return its first 200 alerts, those that still fire before the others."""
    fires = F("ended_at").desc(nulls_first=True)
    return GroupedAlert.objects.filter(group=group).order_by(fires, "first_at", "pk")[:_MOST_ALERTS]


def said_of(group: AlertGroup) -> QuerySet[AlertOccurrence]:
    """Return the last 100 that were said of its alerts, the newest first."""
    said = AlertOccurrence.objects.filter(alert__group=group)
    return said.select_related("alert").order_by("-pk")[:_MOST_SAID]


def stormed_of(group: AlertGroup) -> QuerySet[AlertGroup]:
    """Return the first 200 groups that the summary of a storm tells of, open ones before the others."""
    is_open = F("resolved_at").desc(nulls_first=True)
    return AlertGroup.objects.filter(storm=group).order_by(is_open, "opened_at", "pk")[:_MOST_ALERTS]
