"""The steps of evenings that are on: of all at once that take them at the same time, in a few statements."""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from uuid import UUID

from django.db.models import Count

from dating.evening.timeline import Position, following, next_look, passed
from dating.meetings import knows_participants
from dating.models import Date, Event, Room, Round, Seat
from dating.services.breaks import Ended, ratings_of, rounds_judge
from dating.services.finishing import events_finish
from dating.services.planning import Outlook, events_with_dates, rounds_plan
from dating.services.rounds import (
    Start,
    links_cancel,
    links_laid,
    links_seal,
    links_were_sent,
    members_of,
    rounds_give_up,
    rounds_lay,
    rounds_numbered,
)
from dating.services.telling import Note, tell_each


@dataclass(slots=True, eq=False)
class Turn:
    """An event that is held at its deadline: where it is, and, once the step is taken, where it goes."""

    event: Event
    here: Position
    there: Position | None = None

    @property
    def at(self) -> datetime:
        """When the step was to be taken."""
        assert self.here.deadline_at
        return self.here.deadline_at


def rounds_begin(turns: Sequence[Turn], now: datetime) -> None:
    """Begin the next round. Its links have been laid ahead; see dating.services.ahead.

    A round that was over before anybody was sent to it counts as missed, but for those who came to it all the
    same: its dates are not held later.
    """
    rounds = rounds_numbered({turn.event.pk: turn.here.round + 1 for turn in turns})
    starts = [_start_of(turn, rounds[turn.event.pk], now) for turn in turns]
    rounds_lay([each for each in starts if each.round.starts_at != each.at], now=now)
    held: list[Round] = []
    missed: list[Round] = []
    for turn, start in zip(turns, starts, strict=True):
        begun = replace(turn.here, deadline_at=start.at)
        turn.there = following(turn.event, begun, now=now, more_rounds=True)
        round_ = start.round
        assert turn.there.deadline_at
        is_missed = passed(turn.there.deadline_at, now) and not links_were_sent(round_)
        (missed if is_missed else held).append(round_)
    links_cancel(missed)
    _settle(held, Round.Status.RUNNING, Date.Status.HELD)
    _settle(missed, Round.Status.MISSED, Date.Status.MISSED)
    _count_those_who_came(missed)
    # An end that comes now would end this call.
    ending = Room.objects.filter(dates__round__in=rounds.values(), end_at__isnull=False)
    ending.update(end_at=None)
    for turn, start in zip(turns, starts, strict=True):
        assert turn.there
        assert turn.there.deadline_at
        _have_looked_into(start, turn.there.deadline_at, now)


def _start_of(turn: Turn, round_: Round, now: datetime) -> Start:
    """Return when a round starts: by its links, if those have gone out by now.

    It is brought forward when the last is ready; whoever has been sent to it by then is not sent again.
    """
    laid = round_.starts_at
    return Start(turn.event, round_, laid if laid and turn.at < laid <= now else turn.at)


def _have_looked_into(start: Start, ends_at: datetime, now: datetime) -> None:
    """Have the provider be asked who came, if it knows."""
    if knows_participants(start.event.provider):
        at = next_look(start.at, ends_at, now=now)
        Room.objects.filter(dates__round=start.round, dates__status=Date.Status.HELD).update(look_at=at)


def _settle(rounds: Sequence[Round], status: Round.Status, of_dates: Date.Status) -> None:
    if rounds:
        Round.objects.filter(pk__in=[each.pk for each in rounds]).update(status=status)
        Date.objects.filter(round__in=rounds).update(status=of_dates)


def _count_those_who_came(missed: Sequence[Round]) -> None:
    """Have rounds that nobody was sent to count for those who came to them.

    An earlier link, and the API, lead to whatever call there is by the clock. Who stayed away is no no-show.
    """
    if not missed:
        return
    came = Seat.objects.filter(round__in=missed, joined_at__isnull=False).order_by()
    Date.objects.filter(seats__in=came).update(status=Date.Status.NO_SHOW)
    both = came.values("date").annotate(people=Count("pk")).filter(people=2).values("date")
    held = Date.objects.filter(pk__in=both)
    held.update(status=Date.Status.HELD)
    Round.objects.filter(pk__in=held.values("round")).update(status=Round.Status.RUNNING)


def rounds_end(turns: Sequence[Turn], now: datetime) -> None:
    """End the calls, ask for ratings, and plan the next round anew where somebody is missing or came back."""
    rounds = rounds_numbered({turn.event.pk: turn.here.round for turn in turns})
    ended = [
        Ended(turn.event, rounds[turn.event.pk], turn.at)
        for turn in turns
        if rounds[turn.event.pk].status == Round.Status.RUNNING
    ]
    members = members_of((each.event for each in ended), dropped=True)
    links_seal(rounds.values())
    rounds_judge(ended, members)
    ratings = ratings_of(ended, members)
    _end(turns, rounds)
    outlooks = rounds_plan({turn.event: turn.here.round + 1 for turn in turns if not turn.event.is_ending})
    # What is cancelled comes before what is told: see notifications.engine.stop.
    links = _lay_where_changed(turns, outlooks, now)
    tell_each([*ratings, *links])


def _end(turns: Iterable[Turn], rounds: Mapping[UUID, Round]) -> None:
    """Note that rounds are over (or were missed), and when, and have their calls ended."""
    alike: dict[datetime, list[Round]] = defaultdict(list)
    for turn in turns:
        alike[turn.at].append(rounds[turn.event.pk])
    for at, those in alike.items():
        running = [each for each in those if each.status == Round.Status.RUNNING]
        Room.objects.filter(dates__round__in=running).update(end_at=at)
        Round.objects.filter(pk__in=[each.pk for each in those]).update(ends_at=at)
        Round.objects.filter(pk__in=[each.pk for each in running]).update(status=Round.Status.OVER)


def _lay_where_changed(turns: Sequence[Turn], outlooks: Mapping[UUID, Outlook], now: datetime) -> list[Note]:
    upcoming = rounds_numbered({turn.event.pk: turn.here.round + 1 for turn in turns})
    void, starts = [], []
    for turn in turns:
        outlook = outlooks.get(turn.event.pk, Outlook(anybody=False))
        turn.there = following(turn.event, turn.here, now=now, more_rounds=outlook.anybody)
        round_, at = upcoming.get(turn.event.pk), turn.there.deadline_at
        if round_ is None:
            continue
        if not outlook.anybody:
            void.append(round_)
        elif at and (outlook.has_changed or round_.starts_at != at):
            starts.append(Start(turn.event, round_, at))
    links_cancel(void)
    return links_laid(starts, now=now)


def breaks_end(turns: Sequence[Turn], now: datetime) -> None:
    """Begin the next round, or finish where nobody meets any more."""
    ahead = events_with_dates({turn.event: turn.here.round + 1 for turn in turns if not turn.event.is_ending})
    going_on = [turn for turn in turns if turn.event.pk in ahead]
    over = [turn for turn in turns if turn.event.pk not in ahead]
    if going_on:
        rounds_begin(going_on, now)
    if over:
        rounds_give_up([turn.event for turn in over])
        events_finish(events=[turn.event for turn in over], now=now)
        for turn in over:
            turn.there = following(turn.event, turn.here, now=now, more_rounds=False)
