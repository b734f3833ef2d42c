"""Asking others to stand in, and answering. Only the answer changes who is on call."""

from datetime import datetime
from typing import Any, Final
from uuid import UUID

from django.conf import settings
from django.core.exceptions import PermissionDenied, ValidationError
from django.db import transaction
from django.utils.translation import gettext, gettext_lazy

from accounts.models import User
from config.rest.exceptions import Conflict
from config.zones import local_time
from escalation.models import CoverRequest, Schedule
from escalation.policies.words import name_of
from escalation.schedules.row import Roster, final_row
from escalation.schedules.selectors import people_by_id, roster_of, with_layers
from escalation.services.schedules import override_create
from notifications.engine.fanout import notify, people
from notifications.messages.compose import notification_of

State = CoverRequest.State

SOURCE: Final = "cover_request"
ASKED, ANSWERED = "on_call.cover_asked", "on_call.cover_answered"
NOT_ON_CALL: Final = gettext_lazy("You are not on call by this schedule all that time.")
OVER: Final = gettext_lazy("It is too late for that: it is over.")
CHANGED: Final = gettext_lazy("Who is on call then has changed since it was asked.")


def cover_ask(
    *,
    schedule: Schedule,
    by: User,
    starts_at: datetime,
    ends_at: datetime,
    now: datetime,
    asked_id: UUID | None = None,
    return_starts_at: datetime | None = None,
    return_ends_at: datetime | None = None,
    note: str = "",
) -> tuple[CoverRequest, bool]:
    """Ask others of a schedule to stand in; the second value is False where the very same is open already.

    Args:
        asked_id: one of them; None: all.
        return_starts_at, return_ends_at: what is taken of the other's in return.

    Raises:
        ValidationError: it is over, one of the two isn't on call then, or that person isn't in the schedule.
    """
    request = CoverRequest(
        schedule=schedule,
        asked_by=by,
        asked_id=asked_id,
        starts_at=starts_at,
        ends_at=ends_at,
        return_starts_at=return_starts_at,
        return_ends_at=return_ends_at,
        note=note,
    )
    with transaction.atomic():
        locked = _locked(schedule)
        _check(request, locked, now)
        same = CoverRequest.objects.filter(
            schedule=schedule, asked_by=by, asked=asked_id, starts_at=starts_at, ends_at=ends_at,
            return_starts_at=return_starts_at, return_ends_at=return_ends_at, state=State.OPEN,
        ).first()  # fmt: skip
        if same is not None:
            return same, False
        request.clean_fields()
        request.save(force_insert=True)
        for person in _asked(request, locked):
            _tell(request, person, ASKED, now, who=name_of(by), is_swap=request.is_swap, note=note)
    return request, True


def cover_accept(*, request: CoverRequest, by: User, now: datetime) -> CoverRequest:
    """Stand in from now on, or from when it begins.

    Raises:
        PermissionDenied: somebody else was asked.
        Conflict: it isn't open any more, it is over, or who is on call then has changed.
    """
    with transaction.atomic():
        schedule, request = _open(request, now)
        if by not in _asked(request, schedule):
            raise PermissionDenied
        roster = roster_of(schedule)
        begin = max(request.starts_at, now)
        if not is_on_call(roster, request.asked_by_id, begin, request.ends_at):
            raise Conflict(CHANGED)
        _stand_in(schedule, by, request.asked_by, begin, request.ends_at)
        if request.return_starts_at and request.return_ends_at:
            if request.return_starts_at <= now or not is_on_call(
                roster, by.pk, request.return_starts_at, request.return_ends_at
            ):
                raise Conflict(CHANGED)
            _stand_in(schedule, request.asked_by, by, request.return_starts_at, request.return_ends_at)
        return _answered(request, State.ACCEPTED, by, now)


def cover_decline(*, request: CoverRequest, by: User, now: datetime) -> CoverRequest:
    """Say no, as the one who was asked; where all were, whoever doesn't want to says nothing.

    Raises:
        PermissionDenied: somebody else was asked, or all were.
        Conflict: it isn't open any more, or it is over.
    """
    with transaction.atomic():
        _, request = _open(request, now)
        if request.asked_id != by.pk:
            raise PermissionDenied
        return _answered(request, State.DECLINED, by, now)


def cover_withdraw(*, request: CoverRequest, by: User, now: datetime) -> CoverRequest:
    """Take back what one has asked.

    Raises:
        PermissionDenied: somebody else asked.
        Conflict: it isn't open any more.
    """
    with transaction.atomic():
        _, request = _open(request, now)
        if request.asked_by_id != by.pk:
            raise PermissionDenied
        request.state, request.answered_at = State.WITHDRAWN, now
        request.save(update_fields=["state", "answered_at"])
    return request


def is_on_call(roster: Roster, user_id: UUID, begin: datetime, end: datetime) -> bool:
    """Return whether somebody is on call from one time until another without a gap. Pure."""
    at = begin
    for duty in final_row(roster, begin, end):
        if duty.starts_at <= at and user_id in duty.user_ids:
            at = max(at, duty.ends_at)
    return at >= end


def _locked(schedule: Schedule) -> Any:
    """Read a schedule, and keep it as it is until the transaction ends.

    Raises:
        Conflict: it has been removed.
    """
    there = Schedule.objects.filter(pk=schedule.pk, deleted_at=None)
    if there.select_for_update(no_key=True).first() is None:
        raise Conflict(gettext("The schedule has been removed in the meantime."))
    return with_layers(there).get()


def _open(request: CoverRequest, now: datetime) -> tuple[Any, CoverRequest]:
    schedule = _locked(request.schedule)
    request = CoverRequest.objects.select_related("asked_by", "asked", "schedule").get(pk=request.pk)
    if request.state != State.OPEN:
        raise Conflict(gettext("This has been answered or withdrawn already."))
    if request.ends_at <= now:
        raise Conflict(OVER)
    return schedule, request


def _check(request: CoverRequest, schedule: Any, now: datetime) -> None:
    roster = roster_of(schedule)
    if request.ends_at <= max(now, request.starts_at):
        raise ValidationError({"ends_at": [OVER]})
    if not is_on_call(roster, request.asked_by_id, max(now, request.starts_at), request.ends_at):
        raise ValidationError({"starts_at": [NOT_ON_CALL]})
    others = {person.pk for person in _others(request, schedule)}
    if request.asked_id is not None and request.asked_id not in others:
        raise ValidationError({"asked_id": [gettext("There is no such other person in this schedule.")]})
    begin, end = request.return_starts_at, request.return_ends_at
    if begin is None and end is None:
        return
    if begin is None or end is None or not now < begin < end:
        raise ValidationError(
            {"return_starts_at": [gettext("Say from when until when; both still to come.")]}
        )
    if request.asked_id is None or not is_on_call(roster, request.asked_id, begin, end):
        raise ValidationError(
            {"return_starts_at": [gettext("The person you ask is not on call all that time.")]}
        )


def _others(request: CoverRequest, schedule: Any) -> list[User]:
    people = people_by_id(schedule)
    return [user for user in people.values() if user.is_active and user.pk != request.asked_by_id]


def _asked(request: CoverRequest, schedule: Any) -> list[User]:
    """Return whoever may accept: the one who was asked, or everybody else in the schedule."""
    return [each for each in _others(request, schedule) if request.asked_id in (None, each.pk)]


def _stand_in(schedule: Schedule, user: User, instead_of: User, begin: datetime, end: datetime) -> None:
    override_create(
        schedule=schedule, user_id=user.pk, instead_of_id=instead_of.pk, starts_at=begin, ends_at=end
    )


def _answered(request: CoverRequest, state: str, by: User, now: datetime) -> CoverRequest:
    request.state, request.answered_by, request.answered_at = state, by, now
    request.save(update_fields=["state", "answered_by", "answered_at"])
    is_accepted = state == State.ACCEPTED
    _tell(request, request.asked_by, ANSWERED, now, who=name_of(by), is_accepted=is_accepted)
    return request


def _tell(request: CoverRequest, person: User, kind: str, now: datetime, **more: Any) -> None:
    def local(moment: datetime | None) -> str:
        return local_time(moment, person.time_zone) if moment else ""

    notification = notification_of(
        kind=kind,
        data={
            "schedule": request.schedule.name,
            "starts": local(request.starts_at),
            "ends": local(request.ends_at),
            "return_starts": local(request.return_starts_at),
            "return_ends": local(request.return_ends_at),
            "page": f"{settings.PUBLIC_URL}/on-call/",
            **more,
        },
        source_type=SOURCE,
        source_id=str(request.pk),
        dedup_key=f"{kind}:{request.pk}:{person.pk}",
    )
    notify(notification, people([person.pk], as_of=now), inbox=True, expires_at=request.ends_at)
