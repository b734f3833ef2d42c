"""An evening as somebody who takes part sees it: what happens next, and what there is to do now."""

import hashlib
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any, Final
from uuid import UUID

from django.utils.translation import gettext, gettext_lazy, ngettext

from accounts.models import User
from accounts.names import shown as shown_name
from dating.links import join_token
from dating.models import Event, Reaction, Registration, Seat, Step
from dating.services import partners_of, profile_lacks
from dating.services.places import COMING
from dating.services.reactions import matches_of_person

_State, _LeftOut, _Kind = Registration.State, Registration.LeftOut, Reaction.Kind

#: From so long before its rules on, an evening is looked at every few seconds.
_NEAR: Final = timedelta(minutes=10)
_PACE_NEAR, _PACE_FAR = "3s", "30s"

_OUT: Final[dict[Any, Any]] = {
    _State.DECLINED: gettext_lazy("You've said that you won't come."),
    _State.CANCELLED: gettext_lazy("You have cancelled."),
    _State.DROPPED: gettext_lazy("The organiser has removed you from this evening."),
}
_LEFT_OUT: Final[dict[Any, Any]] = {
    _LeftOut.UNCONFIRMED: gettext_lazy("You did not confirm in time, so you are not taking part."),
    _LeftOut.NO_PLACE: gettext_lazy("No place became free."),
    _LeftOut.NO_BIRTHDAY: gettext_lazy("Your birthday was missing, so we couldn't match you."),
    _LeftOut.TOO_YOUNG: gettext_lazy("You are too young to take part."),
    _LeftOut.NO_PARTNER: gettext_lazy("There was nobody for you to meet."),
    _LeftOut.ELSEWHERE: gettext_lazy("You are taking part in another evening at that time."),
    _LeftOut.SKIPPED: gettext_lazy("The evening is not taking place."),
}
_SKIPPED: Final[dict[Any, Any]] = {
    "too_few": gettext_lazy("Too few people could come."),
    "pool_empty": gettext_lazy("Everyone who could come wants to meet the same people."),
    "called_off": gettext_lazy("The organiser has called it off."),
    "paused": gettext_lazy("It was paused and not resumed."),
}


@dataclass(frozen=True, slots=True)
class Moment:
    """What happens now, in words; ``until`` is when something else does, and ``then`` what."""

    title: str
    text: str = ""
    then: str = ""
    until: datetime | None = None
    #: What there is to do, by the names of the routes.
    actions: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Met:
    """Somebody whom one has met, and what one has said of them."""

    id: UUID
    name: str
    opinion: str = ""
    is_reported: bool = False


@dataclass(frozen=True, slots=True)
class Evening:
    """What the page shows."""

    event: Event
    registration: Registration | None
    moment: Moment
    #: Where to enter the call that goes on.
    token: str = ""
    partner: str = ""
    #: Whom one has just met, in a break.
    just_met: Met | None = None
    met: Sequence[Met] = ()
    #: With whom one had a date to which one of the two did not come, as far as is known.
    missed: Sequence[Met] = ()
    matches: Sequence[str] = ()
    lacks: Sequence[str] = ()
    pace: str = field(default="", compare=False)

    @property
    def fingerprint(self) -> str:
        """Stays the same for as long as the page would."""
        people = (self.partner, self.just_met, self.met, self.missed, self.matches)
        shown = (self.moment, self.token, people, self.lacks)
        event = (self.event.title, self.event.starts_at, self.event.paused_at, self.event.step, self.pace)
        return hashlib.blake2b(repr((shown, event)).encode(), digest_size=8).hexdigest()


def evening_of(event: Event, user: User, *, now: datetime) -> Evening:
    registration = event.registrations.filter(user=user).select_related("user").first()
    pace = pace_of(event, now)
    if registration is None or registration.group_id is None:
        asks = registration is not None and registration.state in COMING and not event.is_over
        moment = _moment_before(event, registration)
        return Evening(event, registration, moment, lacks=profile_lacks(user) if asks else (), pace=pace)
    of_rounds = registration.seats.select_related("round", "date__first__user", "date__second__user")
    seats = {seat.round.number: seat for seat in of_rounds}
    here = seats.get(event.current_round)
    ahead = next((seat for number, seat in sorted(seats.items()) if number > event.current_round), None)
    said: dict[UUID, set[str]] = defaultdict(set)
    for about, kind in registration.reactions.values_list("about_id", "kind"):
        said[about].add(kind)
    partners = partners_of(registration)
    met = [_as_met(partner, said) for partner in partners.met]
    token = ""
    if here is not None and event.step == Step.ROUND and registration.state == _State.CONFIRMED:
        token = join_token(here.round_id, registration.pk, registration.user.links_version)
    just_met = None
    if event.step == Step.BREAK and here is not None:
        people = {here.date.first_id, here.date.second_id}
        just_met = next((person for person in met if person.id in people), None)
    return Evening(
        event,
        registration,
        _moment_with_group(event, registration, here, ahead),
        token=token,
        partner=_partner(here) if here else "",
        just_met=just_met,
        met=met,
        missed=[_as_met(partner, said) for partner in partners.missed],
        matches=_matches(registration) if event.step == Step.FINISHED else (),
        pace=pace,
    )


def pace_of(event: Event, now: datetime) -> str:
    """Return how often to look again; empty where nothing will change."""
    if event.is_over:
        return ""
    return _PACE_NEAR if now >= event.rules_at - _NEAR else _PACE_FAR


def _moment_before(event: Event, registration: Registration | None) -> Moment:
    """Say where somebody is who is in no group: not yet, or not at all."""
    if event.step == Step.SKIPPED:
        return Moment(gettext("The evening is not taking place"), _SKIPPED.get(event.skipped_reason, ""))
    state = registration.state if registration else None
    is_open = event.step in (Step.OPEN, Step.CONFIRMING)
    if is_open and state in (None, _State.CANCELLED, _State.DECLINED):
        said = _OUT[_State(state)] if state else gettext("You are not registered.")
        return Moment(
            gettext("Registration is open"),
            said,
            gettext("Registration closes"),
            event.close_at,
            ("register",),
        )
    if state is None:
        over = gettext("The evening is over") if event.is_over else gettext("Registration is closed")
        return Moment(over, gettext("You are not taking part."))
    assert registration is not None
    if is_open:
        if registration.state == _State.WAITING:
            text = (
                gettext(
                    "All places that you could have are taken. You move up when one becomes free, and "
                    "we'll tell you."
                )
                if event.two_pools
                else gettext("All places are taken. You move up when one becomes free, and we'll tell you.")
            )
            actions: tuple[str, ...] = ("cancel",)
            if registration.confirmed_at is not None:
                text += " You have said that you will come."
            elif event.step == Step.CONFIRMING:
                text += " " + gettext(
                    "Unconfirmed places go to people on this list who have said here that they'll come."
                )
                actions = ("confirm", "cancel")
            return Moment(
                gettext("You are on the waiting list"),
                text,
                gettext("Registration closes"),
                event.close_at,
                actions,
            )
        if registration.state == _State.CONFIRMED:
            text = gettext(
                "Thank you for confirming. After registration closes, we'll tell you who takes part."
            )
            return Moment(
                gettext("You are coming"), text, gettext("Groups are made"), event.close_at, ("cancel",)
            )
        if event.step == Step.CONFIRMING:
            text = gettext("You can only take part if you confirm.")
            return Moment(
                gettext("Will you come?"),
                text,
                gettext("You can confirm until"),
                event.close_at,
                ("confirm", "cancel"),
            )
        text = gettext("We'll ask you later to confirm that you're coming.")
        return Moment(
            gettext("You are registered"), text, gettext("Confirmation opens"), event.confirm_at, ("cancel",)
        )
    why = _LEFT_OUT.get(_LeftOut(registration.left_out)) if registration.left_out else None
    return Moment(
        gettext("You are not taking part"), why or _OUT.get(_State(state), gettext("Registration is closed."))
    )


def _moment_with_group(
    event: Event, registration: Registration, here: Seat | None, ahead: Seat | None
) -> Moment:
    if event.step == Step.FINISHED:
        return Moment(gettext("The evening is over"), gettext("Thank you for coming."))
    if registration.state == _State.DROPPED:
        return Moment(gettext("You are not taking part"), _OUT[_State.DROPPED])
    if event.paused_at is not None:
        return Moment(
            gettext("The evening is paused"), gettext("The organiser has stopped the clock. Stay nearby.")
        )
    match event.step:
        case Step.CLOSED:
            text = gettext("Shortly before the start, we'll send you the rules and ask whether you're ready.")
            return Moment(gettext("You are taking part"), text, gettext("It begins"), event.starts_at)
        case Step.READY_CHECK:
            ready = registration.ready_at is not None
            title = gettext("You are ready") if ready else gettext("Are you ready?")
            text = (
                gettext("It begins early if everyone is ready.")
                if ready
                else gettext(
                    "You meet one person after another, for %(round)s each. Then the call ends, and you have "
                    "%(break)s to say whether you liked them. If both of you did, you learn it."
                )
                % {"round": _minutes(event.round_s), "break": _minutes(event.break_s)}
            )
            return Moment(
                title, text, gettext("Round 1 begins"), event.deadline_at, () if ready else ("ready",)
            )
        case Step.ROUND:
            number = event.current_round
            if here is None:
                text = gettext("You have no call in this round.")
                return Moment(
                    gettext("Round %(number)d: a break for you") % {"number": number},
                    text,
                    gettext("The round ends"),
                    event.deadline_at,
                )
            return Moment(
                gettext("Round %(number)d: you meet %(name)s") % {"number": number, "name": _partner(here)},
                "",
                gettext("The call ends"),
                event.deadline_at,
            )
        case _:
            return _moment_in_break(event, here, ahead)


def _moment_in_break(event: Event, here: Seat | None, ahead: Seat | None) -> Moment:
    title = gettext("Did you like %(name)s?") % {"name": _partner(here)} if here else gettext("Break")
    if event.is_ending:
        return Moment(
            title, gettext("That was the last round."), gettext("The evening ends"), event.deadline_at
        )
    number = event.current_round + 1
    begins = gettext("Round %(number)d begins") % {"number": number}
    if ahead is None:
        return Moment(
            title, gettext("That was your last call."), gettext("The evening goes on"), event.deadline_at
        )
    if ahead.round.number == number:
        return Moment(
            title, gettext("Next you meet %(name)s.") % {"name": _partner(ahead)}, begins, event.deadline_at
        )
    text = gettext("You have no call in round %(number)d; in round %(next)d you meet %(name)s.") % {
        "number": number,
        "next": ahead.round.number,
        "name": _partner(ahead),
    }
    return Moment(title, text, begins, event.deadline_at)


def _minutes(seconds: int) -> str:
    if seconds % 60:
        return ngettext("a second", "%(count)d seconds", seconds) % {"count": seconds}
    return ngettext("a minute", "%(count)d minutes", seconds // 60) % {"count": seconds // 60}


def _partner(seat: Seat) -> str:
    return shown_name(seat.date.partner_of(seat.registration_id).user.first_name)


def _as_met(partner: Registration, said: Mapping[UUID, set[str]]) -> Met:
    of_them = said.get(partner.pk, set())
    return Met(
        id=partner.pk,
        name=shown_name(partner.user.first_name),
        opinion=next(iter(of_them - {_Kind.REPORT}), ""),
        is_reported=_Kind.REPORT in of_them,
    )


def _matches(registration: Registration) -> list[str]:
    """Return the names of those whom somebody matched and who have stayed."""
    matched = Registration.objects.filter(pk__in=matches_of_person(registration.pk), state=_State.CONFIRMED)
    names = matched.order_by("user__first_name", "id").values_list("user__first_name", flat=True)
    return [shown_name(name) for name in names]
