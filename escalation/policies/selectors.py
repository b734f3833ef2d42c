"""Policies as lists show them, and the people that a plan needs: a few queries, however many there are."""

from dataclasses import fields
from datetime import datetime

from django.core.exceptions import ValidationError
from django.db.models import OuterRef, Prefetch, QuerySet, Subquery

from accounts.models import User
from config import clock
from escalation.models.policy import Policy, PolicyVersion
from escalation.models.schedule import Schedule
from escalation.policies.definition import Definition, steps_of, targets_of
from escalation.policies.plan import World
from escalation.policies.problems import Problem, problems_of
from escalation.schedules.selectors import people_by_id, roster_of, with_layers
from notifications.engine.recipients import people_with_preferences


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


def world_of(definition: Definition, *, since: datetime) -> World:
    """Return the people and schedules that a policy names, with who is on call from a time on."""
    named = Schedule.objects.filter(pk__in=definition.ids("schedule", "rotation"), deleted_at=None)
    schedules = list(with_layers(named, since=since))
    on_call = {person for each in schedules for person in people_by_id(each)}
    return World(
        people=people_with_preferences(User.objects.filter(pk__in=definition.ids("user") | on_call)),
        schedules={each.pk: roster_of(each) for each in schedules},
        names={each.pk: each.name for each in schedules},
    )
