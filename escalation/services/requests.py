"""Doing what a request asks for: the same for HTTP and for a broker."""

from datetime import datetime
from typing import Any, Final, NamedTuple
from uuid import UUID

import structlog
from django.core.exceptions import ValidationError
from django.db import transaction

from accounts.models import ApiKey, User
from escalation.models import EscalationProcess
from escalation.policies import selectors as policy_selectors
from escalation.policies.plan import KIND
from escalation.requests import USER, Request
from escalation.services import policies
from escalation.services.processes import Started, process_start, process_stop
from notifications.engine.own_steps import recipients_in_steps
from notifications.engine.recipients import Recipient, people_with_preferences
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
    started_by: ApiKey | User | None = None,
    run: UUID | None = None,
) -> Answer:
    """Start or stop what a request asks for.

    Args:
        run: stop this run alone; or start it with this id, once.

    Raises:
        ValidationError: it names a user or a policy that there isn't, or nobody would be told; nothing was
            changed.
    """
    if request.action == "stop":
        stopped = process_stop(process_id=request.process_id, by=by, via=via, now=now, run=run)
        if stopped is None:
            return Answer(IGNORED, "No process with this id is active; this stop was ignored.", None)
        return Answer(STOPPED, "", stopped)
    # The plan and the start are one: whose turn it is may depend on it.
    with transaction.atomic():
        started = _start(request, now=now, started_by=started_by, run=run)
    if started.created:
        return Answer(STARTED, "", started.process)
    detail = "A process with this id is already active; this start was ignored."
    return Answer(IGNORED, detail, started.process)


def _start(request: Request, *, now: datetime, started_by: ApiKey | User | None, run: UUID | None) -> Started:
    said: dict[str, Any] = {
        "process_id": request.process_id,
        "now": now,
        "started_by": started_by,
        "run": run,
    }
    if not request.policy:
        return process_start(notifications=recipients_of(request.notifications), **said)
    version = policy_selectors.version_named(request.policy)
    severity = request.severity or version.severity
    plan = policies.planned(version, started_at=now, process_id=request.process_id, severity=severity)
    return process_start(
        policy_version=version, severity=severity, details=request.details, **said, **plan._asdict()
    )


def recipients_of(wanted: tuple[Recipient, ...]) -> list[Recipient]:
    """Return whom a start tells, a user's own contact points and inbox in place of each user.

    Somebody who has switched escalations off everywhere is there, but not told; that is logged too.

    Raises:
        ValidationError: there is no such user, or nobody would be told.
    """
    ids = {UUID(each.address) for each in wanted if each.channel == USER}
    people = people_with_preferences(User.objects.filter(pk__in=ids)) if ids else {}
    found: list[Recipient] = []
    unknown: list[str] = []
    silenced: list[str] = []
    for index, each in enumerate(wanted):
        if each.channel != USER:
            found.append(each)
            continue
        person = people.get(UUID(each.address))
        if person is None or not person.user.is_active:
            unknown.append(f"{index}: user-id: There is no such user.")
            continue
        theirs = list(recipients_in_steps(person, kind=KIND, severity=Severity.CRITICAL, at=each.due_at))
        told = [recipient for recipient in theirs if recipient.is_told]
        found += told or theirs
        if not told:
            silenced.append(f"{index}: user-id: This person has switched escalations off everywhere.")
            log.warning("escalation_person_silenced", user=str(person.user.pk))
    if unknown or not any(recipient.is_told for recipient in found):
        raise ValidationError({"notifications": unknown or silenced})
    return found
