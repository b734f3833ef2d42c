"""An evening as those see it who run it: the groups, the rounds, who is where, and who is missing."""

import hashlib
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final
from uuid import UUID

from django.db.models import Prefetch
from django.utils.translation import gettext, gettext_lazy, ngettext

from dating.evening.presence import Signs
from dating.evening.timeline import LIVE
from dating.meetings.registry import LABELS
from dating.models import Date, Event, Group, Registration, Room, Round, Step

_State = Registration.State
_NO_CALL: Final = gettext_lazy("No call in this round")
_WORDS: Final = {
    Date.Status.PLANNED: "not held",
    Date.Status.TOOK_PLACE: "held",
    Date.Status.NO_SHOW: "somebody did not come",
    Date.Status.MISSED: "missed",
}


@dataclass(frozen=True, slots=True)
class Member:
    """One person: ``sign`` is what is known of them now, and ``place`` where they are in this round."""

    id: UUID
    name: str
    sign: str
    label: str
    place: str
    no_shows: int
    can_be_dropped: bool
    #: How to reach them, of those of whom there is no sign, while it is on: for the staff.
    phone: str = ""
    email: str = ""


@dataclass(frozen=True, slots=True)
class Pair:
    first: str
    second: str
    room: int | None
    first_in: bool
    second_in: bool
    outcome: str


@dataclass(frozen=True, slots=True)
class RoundSheet:
    number: int
    status: str
    pairs: Sequence[Pair]
    byes: Sequence[str]


@dataclass(frozen=True, slots=True)
class GroupSheet:
    number: int
    members: Sequence[Member]
    now: RoundSheet | None
    ahead: Sequence[RoundSheet]
    past: Sequence[RoundSheet]
    #: Dates that have lost their round, until one is found in which both are free.
    unplaced: int


@dataclass(frozen=True, slots=True)
class RunSheet:
    event: Event
    rounds: int
    counts: dict[str, int]
    groups: Sequence[GroupSheet]
    missing: Sequence[str]
    #: Of so many who are expected, so many have given a sign; None before there are groups.
    here: tuple[int, int] | None
    #: Which rooms their provider has not made, and why.
    troubles: Sequence[str]
    pace: str
    actions: frozenset[str]

    @property
    def heading(self) -> str:
        said = {"number": self.event.current_round, "rounds": self.rounds}
        match self.event.step:
            case Step.ROUND:
                return gettext("Round %(number)d of %(rounds)d") % said
            case Step.BREAK:
                return gettext("Break after round %(number)d of %(rounds)d") % said
            case _:
                return str(Step(self.event.step).label)

    @property
    def fingerprint(self) -> str:
        """Stays the same for as long as the page would."""
        event = self.event
        life = (event.step, event.deadline_at, event.paused_at, event.current_round, event.is_ending)
        shown = (life, sorted(self.counts.items()), self.groups, self.troubles, self.pace)
        return hashlib.blake2b(repr(shown).encode(), digest_size=8).hexdigest()


def run_sheet_of(event: Event, *, pace: str) -> RunSheet:
    """Return what the page shows; a fixed number of queries, however many take part."""
    people = Registration.objects.select_related("user").order_by("user__first_name", "id")
    dates = (
        Date.objects.select_related("round", "room")
        .prefetch_related("seats")
        .order_by("round__number", "room__number", "id")
    )
    groups = Group.objects.filter(event=event).prefetch_related(
        Prefetch("members", people), Prefetch("dates", dates)
    )
    rounds = {round_.number: round_ for round_ in Round.objects.filter(event=event)}
    sheets = [_group(event, group, rounds) for group in groups]
    expected = [member.sign for sheet in sheets for member in sheet.members if member.sign != "dropped"]
    states = event.registrations.values_list("state", flat=True)
    # What can be done now, by the names of the routes.
    can = set()
    if not event.is_over and not event.is_ending:
        can.add("end")
    if event.step in LIVE:
        can.add("pause" if event.paused_at is None else "resume")
    if event.step == Step.ROUND:
        can.add("extend")
    return RunSheet(
        event=event,
        rounds=len(rounds),
        counts=dict(Counter(str(_State(state).label) for state in states)),
        groups=sheets,
        troubles=[] if event.is_over else _troubles(event),
        missing=[member.name for sheet in sheets for member in sheet.members if member.sign == "missing"],
        here=(expected.count("there"), len(expected)) if expected else None,
        pace=pace,
        actions=frozenset(can),
    )


def _troubles(event: Event) -> list[str]:
    """Say how many rooms the event's provider has not made, and what it answered."""
    rooms = Room.objects.filter(event=event).exclude(error="").values_list("made_at", "error")
    counts = Counter((made_at is not None, error) for made_at, error in rooms.order_by("number"))
    label = LABELS.get(event.provider, event.provider)
    said = []
    for (is_replaced, error), count in counts.items():
        words = (
            ngettext(
                "%(count)d room of %(provider)s is replaced by the built-in room: %(error)s",
                "%(count)d rooms of %(provider)s are replaced by the built-in room: %(error)s",
                count,
            )
            if is_replaced
            else ngettext(
                "%(count)d room of %(provider)s is not there yet and being tried again: %(error)s",
                "%(count)d rooms of %(provider)s are not there yet and being tried again: %(error)s",
                count,
            )
        )
        said.append(words % {"count": count, "provider": label, "error": error})
    return said


def _group(event: Event, group: Group, rounds: dict[int, Round]) -> GroupSheet:
    members = {member.pk: member for member in group.members.all()}
    names = {pk: name_of(member) for pk, member in members.items()}
    by_round: dict[int, list[Date]] = {}
    unplaced = 0
    for date in group.dates.all():
        if date.round is not None:
            by_round.setdefault(date.round.number, []).append(date)
        elif date.status == Date.Status.PLANNED:
            unplaced += 1
    sheets = {
        number: _round(round_, by_round.get(number, []), names, members) for number, round_ in rounds.items()
    }
    in_order = sorted(sheets.items())
    begun = max(rounds, default=0) if event.is_over else event.current_round
    on = sheets.get(event.current_round) if event.step in (Step.ROUND, Step.BREAK) else None
    places = _places(by_round.get(event.current_round, []), names) if event.step == Step.ROUND else {}
    elsewhere = str(_NO_CALL) if event.step == Step.ROUND else ""
    return GroupSheet(
        number=group.number,
        members=[_member(event, member, places.get(pk, elsewhere)) for pk, member in members.items()],
        now=on,
        ahead=[sheet for number, sheet in in_order if number > begun],
        past=[sheet for number, sheet in reversed(in_order) if number <= begun and sheet is not on],
        unplaced=unplaced,
    )


def _round(
    round_: Round, dates: Sequence[Date], names: dict[UUID, str], members: dict[UUID, Registration]
) -> RoundSheet:
    busy = {pk for date in dates for pk in (date.first_id, date.second_id)}
    is_over = round_.status not in (Round.Status.PLANNED, Round.Status.RUNNING)
    joined = {seat.registration_id for date in dates for seat in date.seats.all() if seat.joined_at}
    taking_part = [pk for pk, member in members.items() if member.state == _State.CONFIRMED]
    return RoundSheet(
        number=round_.number,
        status=str(Round.Status(round_.status).label),
        pairs=[
            Pair(
                first=names[date.first_id],
                second=names[date.second_id],
                room=date.room.number if date.room else None,
                first_in=date.first_id in joined,
                second_in=date.second_id in joined,
                # From its start on a date counts as held; what became of it is known at its end.
                outcome=_WORDS[Date.Status(date.status)] if is_over else "",
            )
            for date in dates
        ],
        byes=[names[pk] for pk in taking_part if pk not in busy],
    )


def _places(dates: Sequence[Date], names: dict[UUID, str]) -> dict[UUID, str]:
    """Return where each person is in a round; who is not named has no call in it."""
    joined = {seat.registration_id for date in dates for seat in date.seats.all() if seat.joined_at}
    places = {}
    for date in dates:
        room = date.room.number if date.room else "–"
        for own, other in ((date.first_id, date.second_id), (date.second_id, date.first_id)):
            said = (
                gettext("In room %(room)s, with %(name)s")
                if own in joined
                else gettext("Expected in room %(room)s, with %(name)s")
            )
            places[own] = said % {"room": room, "name": names[other]}
    return places


def _member(event: Event, member: Registration, place: str) -> Member:
    if member.state == _State.DROPPED:
        sign, label = "dropped", gettext("Dropped")
    elif not Signs(member.last_sign_at, member.missed_at).is_present:
        sign, label = "missing", gettext("Missing")
    elif member.last_sign_at is not None:
        is_asked = event.step == Step.READY_CHECK
        label = gettext("Ready") if is_asked else gettext("There")
        sign, label = "there", gettext("Came") if event.is_over else label
    else:
        sign, label = "silent", gettext("No sign") if event.is_over else gettext("No sign yet")
    is_sought = event.step in LIVE and sign in ("missing", "silent")
    return Member(
        id=member.pk,
        name=name_of(member),
        sign=sign,
        label=label,
        place=place if member.state == _State.CONFIRMED else "",
        no_shows=member.no_shows,
        can_be_dropped=member.state == _State.CONFIRMED and not event.is_over,
        phone=member.user.phone if is_sought else "",
        email=member.user.email if is_sought else "",
    )


def name_of(member: Registration) -> str:
    user = member.user
    return f"{user.first_name} {user.last_name}".strip() or user.email
