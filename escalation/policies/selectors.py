"""Policies as lists show them, and the people that a plan needs: a few queries, however many there are."""

from collections.abc import Mapping
from dataclasses import fields
from datetime import datetime
from types import MappingProxyType
from typing import Final
from uuid import UUID

from django.core.exceptions import ValidationError
from django.db.models import OuterRef, Prefetch, QuerySet, Subquery

from accounts.models import User
from config import clock
from escalation.models.policy import Policy, PolicyVersion
from escalation.models.round_robin import RoundRobin
from escalation.models.schedule import Schedule
from escalation.policies.definition import Definition, rounds_shown
from escalation.policies.parsing import steps_of, targets_of
from escalation.policies.plan import World, plan
from escalation.policies.problems import Problem, problems_of
from escalation.schedules.row import Roster, members
from escalation.schedules.selectors import people_by_id, roster_of, with_layers
from notifications.engine.recipients import Recipient, people_with_preferences

NO_TURNS: Final[Mapping[UUID, UUID]] = MappingProxyType({})


def policies() -> QuerySet[Policy]:
    """Return the policies that there are, each with its newest version as ``newest[0]``."""
    newest = PolicyVersion.objects.filter(policy=OuterRef("policy")).order_by("-number").values("number")[:1]
    versions = PolicyVersion.objects.filter(number=Subquery(newest)).select_related("created_by")
    return Policy.objects.filter(deleted_at=None).prefetch_related(
        Prefetch("versions", versions, to_attr="newest")
    )


def newest_version(policy: Policy) -> PolicyVersion:
    version = policy.versions.select_related("created_by").order_by("-number").first()
    assert version is not None  # made with it, by policy_create
    return version


def version_named(name: str) -> PolicyVersion:
    """Return what a policy says now.

    Raises:
        ValidationError: there is no policy of that name.
    """
    versions = PolicyVersion.objects.filter(policy__name=name, policy__deleted_at=None)
    version = versions.select_related("policy").order_by("-number").first()
    if version is None:
        raise ValidationError({"policy": "There is no policy of that name."})
    return version


def definition_of(version: PolicyVersion) -> Definition:
    said = {field.name: getattr(version, field.name) for field in fields(Definition)}
    parsed = {"steps": steps_of(version.steps), "last_resort": targets_of(version.last_resort)}
    return Definition(**{**said, **parsed})


def problems_now(version: PolicyVersion) -> list[Problem]:
    """Return what is wrong now with what a policy says: steps that reach nobody."""
    now, definition = clock.now(), definition_of(version)
    return problems_of(definition, world_of(definition, since=now), now=now)


def simulated(version: PolicyVersion, *, at: datetime, severity: str = "") -> list[Recipient]:
    """Return all who would be told or not by a start at a time, as ``plan`` does; tells nobody.

    Args:
        severity: of the process; by default, the policy's.
    """
    definition = definition_of(version)
    return plan(
        definition,
        world_of(definition, since=at),
        started_at=at,
        severity=severity,
        last_round=rounds_shown(definition),
    )


def world_of(*definitions: Definition, since: datetime, turns: Mapping[UUID, UUID] = NO_TURNS) -> World:
    """Return the people and schedules that policies name, with who is on call from a time on.

    Args:
        turns: whose turn it is, by schedule, where that is settled already.
    """
    users = {pk for each in definitions for pk in each.ids("user")}
    named = {pk for each in definitions for pk in each.ids("schedule", "rotation")}
    schedules = list(with_layers(Schedule.objects.filter(pk__in=named, deleted_at=None), since=since))
    on_call = {person for each in schedules for person in people_by_id(each)}
    rosters = {each.pk: roster_of(each) for each in schedules}
    in_turn = {pk for each in definitions for pk in each.takes_turns_in()}
    return World(
        people=people_with_preferences(User.objects.filter(pk__in=users | on_call)),
        schedules=rosters,
        names={each.pk: each.name for each in schedules},
        next=_next(in_turn, rosters, turns),
    )


def _next(named: set[UUID], rosters: Mapping[UUID, Roster], given: Mapping[UUID, UUID]) -> dict[UUID, UUID]:
    """Return whose turn it is: as given, or after whoever had the last."""
    lasts = RoundRobin.objects.in_bulk(named) if named else {}
    found = {}
    for pk in named & rosters.keys():
        people, last = members(rosters[pk]), lasts.get(pk)
        if given.get(pk) in people:
            found[pk] = given[pk]
        elif people:
            found[pk] = last.next_of(people) if last else people[0]
    return found
