"""Who sees which alert groups, and what was said of them."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from functools import lru_cache
from typing import Any, Final, TypeVar
from uuid import UUID

import orjson
from django.db.models import F, Model, Q, QuerySet

from config.sql import run_prepared
from config.statements import named
from escalation.groups.matching import labels_of_group, matches
from escalation.models import AlertGroup, AlertOccurrence, GroupedAlert, Policy, Route, Silence
from escalation.selectors import processes_telling
from notifications.selectors import Principal, sees_all

M = TypeVar("M", bound=Model)

#: Of notifications that tell of a group.
SOURCE: Final = "alert_group"
# Of each group, so much is shown.
_MOST_ALERTS: Final = 200
_MOST_SAID: Final = 100
#: The routes that are asked, in their order, with the policies that they lead to: one value, as JSON.
ROUTES: Final = """
SELECT coalesce(json_agg(json_build_array(it, policy) ORDER BY it.position, it.id), '[]')::text
  FROM escalation_route AS it
  LEFT JOIN escalation_policy AS policy ON policy.id = it.policy_id
 WHERE it.is_enabled
"""
named("groups.routes", "Fetch the routes that are asked.", ROUTES)
_RELATED: Final = ("integration", "shop", "policy", "route", "process", "silence", "storm")


def groups_visible_to(principal: Principal) -> QuerySet[AlertGroup]:
    """All groups, or those of which a person was told."""
    groups = AlertGroup.objects.all() if sees_all(principal) else groups_telling(principal.pk)
    return groups.select_related(*_RELATED)


def groups_telling(person: UUID) -> QuerySet[AlertGroup]:
    """Return those of which a person was told: by themselves, or in the summary of a storm."""
    told = processes_telling(person).values("pk")
    return AlertGroup.objects.filter(Q(process__in=told) | Q(storm__process__in=told))


def routes_asked() -> tuple[Route, ...]:
    """Return the routes of what comes, in the order in which they are asked."""
    ((stored,),) = run_prepared(ROUTES, {})
    return routes_read(stored)


@lru_cache(maxsize=4)
def routes_read(stored: str) -> tuple[Route, ...]:
    """Return the routes of what ``ROUTES`` fetches, for reading only: whoever asks next gets the same.

    Each body of a storm asks, and they hardly ever change.
    """
    routes = []
    for route, policy in orjson.loads(stored):
        routes.append(_row(Route, route))
        if policy:
            routes[-1].policy = _row(Policy, policy)
    return tuple(routes)


def _row(model: type[M], stored: Mapping[str, Any]) -> M:
    """Return the row that PostgreSQL has written as JSON."""
    fields = model._meta.concrete_fields
    values = [field.to_python(stored[str(field.column)]) for field in fields]
    return model.from_db("default", [field.attname for field in fields], values)


def open_groups_matching(matchers: Sequence[Mapping[str, Any]]) -> list[AlertGroup]:
    """Return the groups that aren't over and of which all matchers hold, the newest first."""
    is_open = AlertGroup.objects.exclude(state=AlertGroup.State.RESOLVED).order_by("-opened_at", "-pk")
    return [
        each
        for each in is_open.select_related("integration", "shop")
        if matches(matchers, labels_of_group(each))
    ]


def held_by(silences: QuerySet[Silence]) -> QuerySet[AlertGroup, UUID]:
    """Return the silence of each open group that one of these holds back."""
    held = AlertGroup.objects.filter(silence__in=silences, quiet=AlertGroup.Quiet.SILENCED)
    return held.exclude(state=AlertGroup.State.RESOLVED).values_list("silence", flat=True)


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
    stormed = AlertGroup.objects.filter(storm=group).select_related("process")
    return stormed.order_by(is_open, "opened_at", "pk")[:_MOST_ALERTS]
