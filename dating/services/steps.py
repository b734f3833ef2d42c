"""The steps of evenings that are on: of all at once that take them at the same time, in a few statements."""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from uuid import UUID

from django.db.models import Count

from dating.evening.timeline import Position, following, next_poll
from dating.meetings import knows_participants
from dating.models import Date, Event, Room, Round, Seat
from dating.services.breaks import ratings_of, rounds_judge
from dating.services.finishing import events_finish
from dating.services.planning import Outlook, events_with_dates, rounds_plan
from dating.services.rounds import (
    RoundAt,
    links_cancel,
    links_scheduled,
    links_seal,
    links_were_sent,
    members_of,
    rounds_give_up,
    rounds_numbered,
    rounds_schedule,
)
from dating.services.telling import Notice, tell_each


@dataclass(slots=True, eq=False)
class DueStep:
    """An event that is held at its deadline: where it is, and, once the step is taken, where it goes."""

    event: Event
    here: Position
    there: Position | None = None

    @property
    def at(self) -> datetime:
        """When the step was to be taken."""
        assert self.here.deadline_at
        return self.here.deadline_at


def rounds_begin(due_steps: Sequence[DueStep], now: datetime) -> None:
    """Begin the next round. Its links have been scheduled; see dating.services.next_links.

    A round that was over before anybody was sent to it counts as missed, but for those who came to it all the
    same: its dates are not held later.
    """
    rounds = rounds_numbered({due.event.pk: due.here.round + 1 for due in due_steps})
    starts = [_start_of(due, rounds[due.event.pk], now) for due in due_steps]
    rounds_schedule([start for start in starts if start.round.starts_at != start.at], now=now)
    held: list[Round] = []
    missed: list[Round] = []
    for due, start in zip(due_steps, starts, strict=True):
        begun = replace(due.here, deadline_at=start.at)
        due.there = following(due.event, begun, now=now, more_rounds=True)
        round_ = start.round
        assert due.there.deadline_at
        is_missed = due.there.deadline_at <= now and not links_were_sent(round_)
        (missed if is_missed else held).append(round_)
    links_cancel(missed)
    _settle(held, Round.Status.RUNNING, Date.Status.TOOK_PLACE)
    _settle(missed, Round.Status.MISSED, Date.Status.MISSED)
    # Have rounds that nobody was sent to count for those who came to them. An earlier link, and the API, lead
    # to whatever call there is by the clock. Who stayed away is no no-show.
    if missed:
        came = Seat.objects.filter(round__in=missed, joined_at__isnull=False).order_by()
        Date.objects.filter(seats__in=came).update(status=Date.Status.NO_SHOW)
        both = came.values("date").annotate(people=Count("pk")).filter(people=2).values("date")
        full = Date.objects.filter(pk__in=both)
        full.update(status=Date.Status.TOOK_PLACE)
        Round.objects.filter(pk__in=full.values("round")).update(status=Round.Status.RUNNING)
    # An end that comes now would end this call.
    ending = Room.objects.filter(dates__round__in=rounds.values(), end_at__isnull=False)
    ending.update(end_at=None)
    for due, start in zip(due_steps, starts, strict=True):
        assert due.there
        assert due.there.deadline_at
        if knows_participants(start.event.provider):
            poll_at = next_poll(start.at, due.there.deadline_at, now=now)
            of_round = Room.objects.filter(dates__round=start.round, dates__status=Date.Status.TOOK_PLACE)
            of_round.update(look_at=poll_at)


def _start_of(due: DueStep, round_: Round, now: datetime) -> RoundAt:
    """Return when a round starts: by its links, if those have gone out by now.

    It is brought forward when the last is ready; whoever has been sent to it by then is not sent again.
    """
    scheduled_at = round_.starts_at
    return RoundAt(
        due.event, round_, scheduled_at if scheduled_at and due.at < scheduled_at <= now else due.at
    )


def _settle(rounds: Sequence[Round], status: Round.Status, of_dates: Date.Status) -> None:
    if rounds:
        Round.objects.filter(pk__in=[round_.pk for round_ in rounds]).update(status=status)
        Date.objects.filter(round__in=rounds).update(status=of_dates)


def rounds_end(due_steps: Sequence[DueStep], now: datetime) -> None:
    """End the calls, ask for ratings, and plan the next round anew where somebody is missing or came back."""
    rounds = rounds_numbered({due.event.pk: due.here.round for due in due_steps})
    ended = [
        RoundAt(due.event, rounds[due.event.pk], due.at)
        for due in due_steps
        if rounds[due.event.pk].status == Round.Status.RUNNING
    ]
    members = members_of((end.event for end in ended), dropped=True)
    links_seal(rounds.values())
    rounds_judge(ended, members)
    ratings = ratings_of(ended, members)
    alike: dict[datetime, list[Round]] = defaultdict(list)
    for due in due_steps:
        alike[due.at].append(rounds[due.event.pk])
    for at, those in alike.items():
        running = [round_ for round_ in those if round_.status == Round.Status.RUNNING]
        Room.objects.filter(dates__round__in=running).update(end_at=at)
        Round.objects.filter(pk__in=[round_.pk for round_ in those]).update(ends_at=at)
        Round.objects.filter(pk__in=[round_.pk for round_ in running]).update(status=Round.Status.OVER)
    outlooks = rounds_plan({due.event: due.here.round + 1 for due in due_steps if not due.event.is_ending})
    # What is cancelled comes before what is told: see notifications.engine.stop.
    links = _reschedule_where_changed(due_steps, outlooks, now)
    tell_each([*ratings, *links])


def _reschedule_where_changed(
    due_steps: Sequence[DueStep], outlooks: Mapping[UUID, Outlook], now: datetime
) -> list[Notice]:
    upcoming = rounds_numbered({due.event.pk: due.here.round + 1 for due in due_steps})
    void, starts = [], []
    for due in due_steps:
        outlook = outlooks.get(due.event.pk, Outlook(anybody=False))
        due.there = following(due.event, due.here, now=now, more_rounds=outlook.anybody)
        round_, at = upcoming.get(due.event.pk), due.there.deadline_at
        if round_ is None:
            continue
        if not outlook.anybody:
            void.append(round_)
        elif at and (outlook.has_changed or round_.starts_at != at):
            starts.append(RoundAt(due.event, round_, at))
    links_cancel(void)
    return links_scheduled(starts, now=now)


def breaks_end(due_steps: Sequence[DueStep], now: datetime) -> None:
    """Begin the next round, or finish where nobody meets any more."""
    ahead = events_with_dates({due.event: due.here.round + 1 for due in due_steps if not due.event.is_ending})
    going_on = [due for due in due_steps if due.event.pk in ahead]
    over = [due for due in due_steps if due.event.pk not in ahead]
    if going_on:
        rounds_begin(going_on, now)
    if over:
        rounds_give_up([due.event for due in over])
        events_finish(events=[due.event for due in over], now=now)
        for due in over:
            due.there = following(due.event, due.here, now=now, more_rounds=False)
