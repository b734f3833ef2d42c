"""The holes that there are, of many schedules and policies at once."""

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Final

import structlog
from django.db.models import Q, QuerySet

from config.zones import zone_of
from escalation.holes.finding import Found, Kind, holes_of
from escalation.models import Hole, Policy, Schedule
from escalation.policies.problems import problems_of
from escalation.policies.selectors import definition_of, policies, world_of
from escalation.schedules.selectors import people_by_id, roster_of, schedules_visible_to
from notifications import looks
from notifications.engine.recipients import people_with_preferences
from notifications.selectors import sees_all

#: How far ahead holes are counted.
SOON: Final = timedelta(days=7)

log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class OfOne:
    """What a schedule or a policy has; ``holes`` is None where it can't be read."""

    of: Schedule | Policy
    holes: Sequence[Found] | None

    @property
    def time_zone(self) -> str:
        return zone_name(self.of)

    def shown(self) -> Iterator[dict[str, Any]]:
        """Yield each hole with what has it, as the API and the pages show it."""
        schedule = self.of if isinstance(self.of, Schedule) else None
        policy = self.of if isinstance(self.of, Policy) else None
        for hole in self.holes or ():
            yield {
                "schedule_id": schedule and schedule.pk,
                "policy_id": policy and policy.pk,
                "of": self.of.name,
                "kind": hole.kind,
                "starts_at": hole.starts_at,
                "ends_at": hole.ends_at,
                "times": hole.times,
                "people": [
                    {"user_id": pk, "name": name} for pk, name in zip(hole.user_ids, hole.names, strict=True)
                ],
                "explanation": hole.explanation,
            }


def holes_of_schedules(schedules: Iterable[Any], *, now: datetime) -> list[OfOne]:
    """Return the holes of each schedule that was read by ``with_layers``: three more queries."""
    schedules = list(schedules)
    users = {pk: user for each in schedules for pk, user in people_by_id(each).items()}
    people = people_with_preferences(users.values())

    def found(schedule: Any) -> list[Found]:
        theirs = {pk: people[pk] for pk in people_by_id(schedule)}
        return holes_of(
            roster_of(schedule), theirs, zone_of(zone_name(schedule)),
            may_have_gaps=schedule.may_have_gaps, now=now,
        )  # fmt: skip

    return [_read(each, found) for each in schedules]


def holes_seen_by(principal: Any, *, now: datetime) -> list[OfOne]:
    """Return the holes of all schedules that somebody sees, and for staff and machines of all policies."""
    schedules = schedules_visible_to(principal).order_by("name")
    found = holes_of_schedules(schedules, now=now)
    if sees_all(principal):
        found += holes_of_policies(policies().order_by("name"), now=now)
    return found


def holes_of_policies(among: Iterable[Any], *, now: datetime) -> list[OfOne]:
    """Return the steps of each policy that reach nobody; each was read by ``policies.selectors.policies``."""
    defined = {each: definition_of(each.newest[0]) for each in among}
    world = world_of(*defined.values(), since=now)

    def found(policy: Policy) -> list[Found]:
        problems = problems_of(defined[policy], world, now=now)
        # There may be several of the policy as a whole.
        places = Counter[int | None]()
        holes = []
        for problem in problems:
            places[problem.step] += 1
            key = f"{problem.step or 'policy'}:{places[problem.step]}"
            holes.append(Found(Kind.STEP, key, problem.explanation))
        return holes

    return [_read(each, found) for each in defined]


def holes_soon(now: datetime) -> QuerySet[Hole]:
    """Return the known holes of the next week, and the steps that reach nobody."""
    return Hole.objects.filter(Q(starts_at=None) | Q(starts_at__lt=now + SOON))


def zone_name(of: Any) -> str:
    """Return the time zone of a schedule: that of its lowest layer. A policy is in UTC."""
    layers = getattr(of, "in_layers", ())
    return layers[0].time_zone if layers else "UTC"


def _read(of: Any, found: Any) -> OfOne:
    try:
        return OfOne(of, found(of))
    except Exception as error:  # the others' holes are to be seen all the same
        if looks.is_away(error):
            raise
        log.exception("holes_not_found", of=str(of.pk))
        return OfOne(of, None)
