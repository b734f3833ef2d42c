"""What escalations, schedules and covers promise, in a few lines: the model of test_on_call_property."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Final, NamedTuple
from uuid import UUID

NOON: Final = datetime(2026, 3, 2, 12, tzinfo=UTC)
#: The shifts of the layers; the upper layer has its only person on call in certain hours of each day.
SHIFT: Final = timedelta(hours=1)
HOURS: Final = range(12, 15)

STEPS_S: Final = (0, 60)
ROUNDS: Final = 3
EVERY: Final = timedelta(seconds=300)
HOLDS: Final = timedelta(seconds=900)
AHEAD: Final = timedelta(seconds=2)
#: How long, and how often, somebody is looked for to go on with.
LOOK_FOR: Final = timedelta(seconds=300)
LOOK_EVERY: Final = timedelta(seconds=60)
#: How long a sender keeps what it takes, should it die.
LEASE: Final = timedelta(seconds=60)


class Span(NamedTuple):
    """From one time until just before another."""

    since: datetime
    until: datetime


class StandIn(NamedTuple):
    """An override: of two, the later one counts."""

    person: UUID
    span: Span
    instead_of: UUID | None = None


@dataclass(eq=False)
class Asked:
    """A request for cover: of one person or of all, as a swap for a span of theirs or as a favour."""

    by: UUID
    of: UUID | None
    span: Span
    back: Span | None
    state: str = "open"

    def is_open(self, now: datetime) -> bool:
        return self.state == "open" and self.span.until > now


@dataclass(eq=False)
class Ring:
    """A call to one person: not made yet, being made by a sender that died of it, heard, or lost."""

    at: datetime
    person: UUID
    lease_until: datetime | None = None
    is_stopped: bool = False
    is_made: bool = False
    is_heard: bool = False


@dataclass
class Run:
    """A process. Its ``resort`` is "not told", "due", "being told" until the next look, or "over"."""

    state: str = "active"
    round: int = 1
    next_at: datetime | None = None
    look_at: datetime = NOON
    resume_at: datetime | None = None
    acknowledged_at: datetime | None = None
    rings: list[Ring] = field(default_factory=list)
    resort: str = "not told"
    errors: int = 0

    @property
    def ran_out(self) -> bool:
        return self.state in ("unanswered", "reached_nobody")

    @property
    def has_nothing_left(self) -> bool:
        return self.state == "active" and self.next_at is None and all(ring.is_made for ring in self.rings)

    def begin(self, number: int, at: datetime, model: "Model") -> None:
        """Plan a round with whoever is on call at each of its steps."""
        self.round, self.next_at, self.look_at = number, at + EVERY if number < ROUNDS else None, at
        for due, person in model.rung_in(at):
            self.rings.append(Ring(due, person))
            self.look_at = due

    def end(self, state: str) -> None:
        self.state, self.next_at, self.resume_at = state, None, None
        self.stop([ring for ring in self.rings if not ring.is_made])
        self.resort = {"due": "not told", "being told": "over"}.get(self.resort, self.resort)

    def stop(self, rings: list[Ring]) -> None:
        """Make these calls no more; what a sender that died has is known to be over with its lease."""
        self.rings = [ring for ring in self.rings if ring not in rings or ring.lease_until]
        for ring in rings:
            ring.is_stopped = True

    def run_out(self) -> None:
        since = self.acknowledged_at
        heard = any(ring.is_heard and (since is None or ring.at > since) for ring in self.rings)
        self.state, self.errors = "unanswered" if heard else "reached_nobody", self.errors + 1
        self.next_at = self.resume_at = None
        self.resort = "due" if self.resort == "not told" else self.resort

    def send(self, now: datetime, *, sender: str) -> None:
        """Make the calls that are due: each is heard, or lost, or has its sender die."""
        for ring in [ring for ring in self.rings if not ring.is_made and ring.at <= now]:
            if ring.lease_until and ring.lease_until >= now:
                continue
            if ring.is_stopped:
                self.rings.remove(ring)
            elif sender == "dies":
                ring.lease_until = now + LEASE
            else:
                ring.is_made, ring.is_heard, ring.lease_until = True, sender == "is heard", None


class Model:
    """Three people who take turns in a schedule of one or two layers, and the escalations that ring them."""

    def __init__(self, people: list[UUID]) -> None:
        self.people = people
        self.locked_out: set[UUID] = set()
        self.layers: list[list[UUID]] = [people[:2]]
        self.stand_ins: list[StandIn] = []
        self.asked: list[Asked] = []
        self.runs: list[Run] = []

    # --- Who is on call ---------------------------------------------------------------------------------

    def on_call(self, at: datetime) -> UUID | None:
        found = self._by_turns(at)
        for one in self.stand_ins:
            applies = one.instead_of in (None, found) and one.person not in self.locked_out
            if applies and one.span.since <= at < one.span.until:
                found = one.person
        return found

    def _by_turns(self, at: datetime) -> UUID | None:
        turn = (at - NOON) // SHIFT
        for upper, layer in reversed(list(enumerate(self.layers))):
            if upper and at.hour not in HOURS:
                continue
            for further in range(len(layer)):
                if (person := layer[(turn + further) % len(layer)]) not in self.locked_out:
                    return person
        return None

    def is_on_call(self, person: UUID | None, span: Span) -> bool:
        """Whether somebody is on call all that time: at its beginning, and wherever others may take over."""
        edges = {edge for one in self.stand_ins for edge in one.span}
        hours = {NOON + number * SHIFT for number in range((span.until - NOON) // SHIFT + 1)}
        moments = {at for at in edges | hours if span.since < at < span.until} | {span.since}
        return all(person == self.on_call(at) for at in moments)

    def rung_in(self, begins_at: datetime) -> Iterator[tuple[datetime, UUID]]:
        for after_s in STEPS_S:
            due = begins_at + timedelta(seconds=after_s)
            if (person := self.on_call(due)) is not None:
                yield due, person

    def would_ring(self, now: datetime, *, first_round: int = 1) -> bool:
        return any(list(self.rung_in(now + number * EVERY)) for number in range(ROUNDS + 1 - first_round))

    # --- What people do about the schedule --------------------------------------------------------------

    def stand_in(self, one: StandIn) -> None:
        if one.person not in self.locked_out and one not in self.stand_ins[-1:]:
            self.stand_ins.append(one)

    def change_layers(self, layers: list[list[UUID]]) -> None:
        """Nobody who is locked out is added; whoever was in the schedule before may stay."""
        added = {each for layer in layers for each in layer} - {
            each for layer in self.layers for each in layer
        }
        if not added & self.locked_out:
            self.layers = layers

    def lock_out(self, person: UUID) -> None:
        self.locked_out.add(person)
        for run in self.runs:
            run.stop([ring for ring in run.rings if ring.person == person and not ring.is_made])

    def ask(self, asked: Asked, now: datetime) -> None:
        same = any(vars(asked) == vars(each) for each in self.asked)
        possible = self.is_on_call(asked.by, asked.span) and asked.of in (None, *self._others(asked))
        if asked.back:
            possible = possible and asked.back.since > now and self.is_on_call(asked.of, asked.back)
        if possible and not same:
            self.asked.append(asked)

    def accept(self, asked: Asked, by: UUID, now: datetime) -> None:
        span = Span(max(asked.span.since, now), asked.span.until)
        if not asked.is_open(now) or by not in self._others(asked) or asked.of not in (None, by):
            return
        if not self.is_on_call(asked.by, span):
            return
        if asked.back and (asked.back.since <= now or not self.is_on_call(by, asked.back)):
            return
        self.stand_in(StandIn(by, span, instead_of=asked.by))
        if asked.back:
            self.stand_in(StandIn(asked.by, asked.back, instead_of=by))
        asked.state = "accepted"

    def decline(self, asked: Asked, by: UUID, now: datetime) -> None:
        if asked.is_open(now) and asked.of == by:
            asked.state = "declined"

    def withdraw(self, asked: Asked, by: UUID, now: datetime) -> None:
        if asked.is_open(now) and asked.by == by:
            asked.state = "withdrawn"

    def _others(self, asked: Asked) -> set[UUID]:
        named = {one.person for one in self.stand_ins} | {each for layer in self.layers for each in layer}
        return named - self.locked_out - {asked.by}

    # --- What people do about escalations ---------------------------------------------------------------

    def start(self, now: datetime) -> None:
        if not self.would_ring(now):
            return
        for run in self.runs:
            if run.has_nothing_left:
                run.run_out()
        if any(run.state == "active" for run in self.runs):
            return
        for run in self.runs:
            run.resume_at = None
        self.runs.append(Run())
        self.runs[-1].begin(1, now, self)

    def acknowledge(self, now: datetime) -> None:
        run = self.runs[-1]
        if run.state == "active" or run.ran_out:
            run.end("acknowledged")
        elif run.resume_at is None:
            return
        run.acknowledged_at, run.resume_at = now, now + HOLDS

    def stop(self) -> None:
        for run in self.runs:
            if run.has_nothing_left:
                run.run_out()
            if run.state == "active" or run.resume_at or (run.ran_out and run.resort == "being told"):
                run.end("stopped")
            elif run.resort == "due":
                run.resort = "not told"

    # --- What time does ---------------------------------------------------------------------------------

    def next_at(self, now: datetime) -> datetime:
        """When the next thing is due; in a minute, where nothing is."""
        due = {at for run in self.runs for at in (run.next_at, run.resume_at, run.look_at) if at and at > now}
        due |= {ring.at for run in self.runs for ring in run.rings if ring.at > now}
        return min(due, default=now + timedelta(minutes=1))

    def time_is(self, now: datetime, *, sender: str) -> None:
        for run in self.runs:
            if run.next_at is not None and run.next_at <= now + AHEAD:
                run.begin(run.round + 1, max(run.next_at, now), self)
            run.send(now, sender=sender)
            if run.has_nothing_left and run.look_at <= now:
                run.run_out()
            run.resort = {"due": "being told", "being told": "over"}.get(run.resort, run.resort)
            if run.resume_at is not None and run.resume_at <= now:
                self._go_on(run, now)

    def _go_on(self, run: Run, now: datetime) -> None:
        assert run.acknowledged_at is not None
        if self.would_ring(now, first_round=run.round):
            run.state, run.resume_at = "active", None
            run.begin(run.round, now, self)
        elif now < run.acknowledged_at + HOLDS + LOOK_FOR:
            run.resume_at = now + LOOK_EVERY
        else:
            run.run_out()
