"""Doing what a request asks for: the same for HTTP and for a broker."""

from datetime import datetime
from typing import Final, NamedTuple
from uuid import UUID

import structlog
from django.core.exceptions import ValidationError

from accounts.models import ApiKey
from escalation.models import EscalationProcess, PolicyVersion
from escalation.policies import selectors as policy_selectors
from escalation.policies.people import ways
from escalation.requests import USER, Request, Wanted
from escalation.services import policies
from escalation.services.messages import Item
from escalation.services.processes import process_start, process_stop
from notifications.models import Severity

log = structlog.get_logger(__name__)

STARTED: Final = "started"
STOPPED: Final = "stopped"
IGNORED: Final = "ignored"


class Answer(NamedTuple):
    """What came of a request: ``result`` in a word, ``detail`` in a sentence where nothing changed."""

    result: str
    detail: str
    process: EscalationProcess | None


def request_run(
    request: Request,
    *,
    now: datetime,
    by: str = "",
    via: str = "api",
    api_key: ApiKey | None = None,
    run: UUID | None = None,
) -> Answer:
    """Start or stop what a request asks for.

    Args:
        run: stop this run alone.

    Raises:
        ValidationError: it names a user or a policy that there isn't, or nobody would be told; nothing was
            changed.
    """
    if request.action == "stop":
        stopped = process_stop(process_id=request.process_id, by=by, via=via, now=now, run=run)
        if stopped is None:
            return Answer(IGNORED, "No process of this id is active; this stop was ignored.", None)
        return Answer(STOPPED, "", stopped)
    version: PolicyVersion | None = None
    if request.policy:
        version = policy_selectors.version_named(request.policy)
        items = policies.planned(version, started_at=now, process_id=request.process_id)
    else:
        items = items_of(request.notifications)
    started = process_start(
        process_id=request.process_id,
        notifications=items,
        now=now,
        policy_version=version,
        severity=version.severity if version else Severity.CRITICAL,
        started_by=api_key,
    )
    if started.created:
        return Answer(STARTED, "", started.process)
    detail = "A process of this id is active already; this start was ignored."
    return Answer(IGNORED, detail, started.process)


def items_of(wanted: tuple[Wanted, ...]) -> list[Item]:
    """Return the notifications of a start, a user's own contact points and inbox in place of each user.

    Somebody who has switched escalations off everywhere is left out, and that is logged.

    Raises:
        ValidationError: there is no such user, or nobody would be told.
    """
    ids = {each.user_id for each in wanted if each.user_id is not None}
    people = policy_selectors.people(ids, severity=Severity.CRITICAL) if ids else {}
    items: list[Item] = []
    unknown: list[str] = []
    silenced: list[str] = []
    for index, each in enumerate(wanted):
        if each.channel != USER or each.user_id is None:
            items.append(Item(each.channel, each.at, each.address))
            continue
        person = people.get(each.user_id)
        if person is None or not person.user.is_active:
            unknown.append(f"{index}: user-id: There is no such user.")
            continue
        told = [way for way in ways(person, at=each.at, severity=Severity.CRITICAL) if way.is_told]
        items += [Item(way.channel, way.due_at, way.address, person.user, way.contact_point) for way in told]
        if not told:
            silenced.append(f"{index}: user-id: This person has switched escalations off everywhere.")
            log.warning("escalation_person_silenced", user=str(person.user.pk))
    if unknown or not items:
        raise ValidationError({"notifications": unknown or silenced})
    return items
