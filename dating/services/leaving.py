"""Somebody leaves for good: dropped by the organiser, or because their account is deleted or locked."""

from datetime import datetime
from uuid import UUID

from django.db import transaction
from django.db.models import Q
from django.utils.translation import gettext

from accounts.models import User
from config.rest.exceptions import Conflict
from dating.evening.steps import OVER
from dating.models import Date, Event, Registration, Room, Round, Step
from dating.services.advance import event_call_off
from dating.services.closing import TOO_FEW
from dating.services.inviting import tell_parts
from dating.services.locking import event_lock, registration_lock
from dating.services.places import COMING, places_fill
from dating.services.planning import LEFT
from dating.services.registrations import registration_end
from dating.services.replanning import begin_if_all_are_ready, next_round_replan, note
from dating.services.rounds import SOURCE
from dating.services.telling import notice, tell_each

_State = Registration.State


@transaction.atomic
def event_drop(*, event: Event, registration_id: UUID, now: datetime) -> Registration:
    """Take somebody out of an evening: their call is ended, and their partners meet others. Again: nothing.

    Raises:
        Conflict: they don't take part, or it is over.
    """
    event = event_lock(event.pk)
    among = event.registrations.select_for_update(of=("self",)).select_related("user")
    member = among.filter(pk=registration_id).first()
    if member is None or member.group_id is None:
        raise Conflict(gettext("No one with that id is in a group of this event."))
    if member.state == _State.DROPPED:
        return member
    if event.is_over:
        raise Conflict(gettext("The event is over."))
    note(event, "dropped", now, registration_id=str(member.pk))
    _take_out(event, member, now)
    tell_parts(event, "dating.dropped", [member], now)
    return member


@transaction.atomic
def person_leaves(*, user: User, now: datetime) -> None:
    """Take somebody out of every event that is not over, and have others take their places.

    They are told nothing of it: their account is deleted, or locked.
    """
    theirs = Registration.objects.filter(user=user, state__in=COMING).exclude(event__step__in=OVER)
    for event_id in theirs.order_by("event_id").values_list("event_id", flat=True):
        event = event_lock(event_id)
        member = registration_lock(event, user.pk)
        if member is None or member.state not in COMING or event.is_over:
            continue
        if member.group_id is None:
            registration_end(member, now)
            places_fill(event=event, now=now)
        else:
            note(event, LEFT, now)
            _take_out(event, member, now)


def _take_out(event: Event, member: Registration, now: datetime) -> None:
    """Take a member out of an event that is held; whoever is in a call with them hears of it."""
    member.state = _State.DROPPED
    member.sequence += 1
    member.save(update_fields=["state", "sequence"])
    running = Q(round__status=Round.Status.RUNNING)
    # By the clock a round may go on before anybody has taken that step.
    begun = Q(round__status=Round.Status.PLANNED, round__starts_at__lte=now, round__ends_at__gt=now)
    here = Date.objects.filter(running | begun, seats__registration=member)
    alone = [
        (date.partner_of(member.pk), date.round)
        for date in here.select_related("round", "first__user", "second__user")
        if date.round
    ]
    Room.objects.filter(dates__in=here).update(end_at=now)
    gone = Q(first__state=_State.DROPPED) | Q(second__state=_State.DROPPED)
    dates_left = Date.objects.filter(group__event=event).exclude(gone)
    if event.step in (Step.CLOSED, Step.READY_CHECK) and not dates_left.exists():
        event_call_off(event_id=event.pk, now=now, reason=TOO_FEW)
        return
    # What is cancelled comes before what is told: see notifications.engine.stop.
    next_round_replan(event, now)
    tell_each(
        [
            notice(
                event,
                partner.user,
                "dating.partner_left",
                key=partner.pk,
                source=(SOURCE, round_.pk),
                expires_at=round_.ends_at,
                round=round_.number,
            )
            for partner, round_ in alone
            if partner.state == _State.CONFIRMED
        ]
    )
    begin_if_all_are_ready(event, now)
