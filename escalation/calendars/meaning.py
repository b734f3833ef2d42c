"""Whom the events of a calendar mean: people here, by their confirmed email addresses. Pure.

As in Grafana OnCall, an event means those whom it invites and those whose address is in its title. Its
organiser doesn't count: a calendar's owner organises everybody's shifts. Our own calendars name people by id.
"""

from collections import Counter
from collections.abc import Collection, Iterable, Mapping
from datetime import datetime
from typing import Final
from uuid import UUID

from escalation.calendars.facts import UNKNOWN, Happening, Meant, Read, Spell

#: So many problems are listed; beyond them, only their number is known.
MOST: Final = 50


def meant(read: Read, *, by_email: Mapping[str, UUID], known: Collection[UUID]) -> Meant:
    """Return who is on call by what was read.

    Args:
        by_email: people by their confirmed addresses, in lower case.
        known: the ids of people.
    """
    spells: dict[Spell, None] = {}
    problems = Counter((each.reason, each.summary, "") for each in read.problems)
    first: dict[tuple[str, str, str], datetime] = {}
    for each in read.happenings:
        people, unknown = _people(each, by_email, known)
        for user_id in people:
            spells[Spell(user_id, each.starts_at, each.ends_at, each.priority)] = None
        for name in unknown:
            problem = (UNKNOWN, each.summary, name)
            problems[problem] += 1
            first.setdefault(problem, each.starts_at)
    listed = [
        {
            "reason": reason,
            "summary": summary,
            "email": name,
            "times": times,
            "first_at": first[key].isoformat() if (key := (reason, summary, name)) in first else None,
        }
        for (reason, summary, name), times in list(problems.items())[:MOST]
    ]
    return Meant(list(spells), listed, len(problems))


def _people(
    each: Happening, by_email: Mapping[str, UUID], known: Collection[UUID]
) -> tuple[list[UUID], Iterable[str]]:
    """Return whom an event means, in its order, and what it names that means nobody."""
    ids = [user_id for user_id in each.ids if user_id in known]
    if ids:
        return ids, [""] * (len(ids) < len(each.ids))
    people = dict.fromkeys(by_email[email] for email in each.emails if email in by_email)
    unknown = [email for email in each.emails if email not in by_email]
    return list(people), unknown or [""] * (not people)
