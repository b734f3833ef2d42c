"""Doing what a request asks for: the same for HTTP and for a broker."""

from datetime import datetime
from typing import Final, NamedTuple

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

STARTED: Final = "started"
STOPPED: Final = "stopped"
IGNORED: Final = "ignored"


class Answer(NamedTuple):
    """What came of a request: ``result`` in a word, ``detail`` in a sentence where nothing changed."""

    result: str
    detail: str
    process: EscalationProcess | None


def request_run(
    request: Request, *, now: datetime, by: str = "", via: str = "api", api_key: ApiKey | None = None
) -> Answer:
    """Start or stop what a request asks for.

    Raises:
        ValidationError: it names a user or a policy that there isn't; nothing was changed.
    """
    if request.action == "stop":
        stopped = process_stop(process_id=request.process_id, by=by, via=via, now=now)
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

    Raises:
        ValidationError: there is no such user.
    """
    ids = {each.user_id for each in wanted if each.user_id is not None}
    people = policy_selectors.people(ids, severity=Severity.CRITICAL) if ids else {}
    items: list[Item] = []
    unknown: list[str] = []
    for index, each in enumerate(wanted):
        if each.channel != USER or each.user_id is None:
            items.append(Item(each.channel, each.at, each.address))
            continue
        person = people.get(each.user_id)
        if person is None or not person.user.is_active:
            unknown.append(f"{index}: user-id: There is no such user.")
            continue
        items += [
            Item(way.channel, way.due_at, way.address, person.user, way.contact_point)
            for way in ways(person, at=each.at, severity=Severity.CRITICAL)
            if way.is_told
        ]
    if unknown:
        raise ValidationError({"notifications": unknown})
    return items
