"""A process as a line: where each of its messages stands on it, and in what state. Pure."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Final

from django.utils.translation import gettext, gettext_lazy

from escalation.models import EscalationProcess
from escalation.policies.words import name_of
from escalation.timelines.words import clock_of
from notifications.channels import registry
from notifications.channels.labels import channel_label
from notifications.explanations import explain
from notifications.models import Delivery

# Of the line's width, in percent: room for half a mark, and half a label, at both ends.
_LEFT, _WIDTH = 4.0, 92.0
# Marks that are closer than this, in percent, stand above each other; in pixels from one to the next.
_NEAR: Final = 5.6
_RISE: Final = 24
_LEVELS: Final = 8
_BASE: Final = 34
# Seconds from one label to the next: the first of these that leaves room for them all.
_STEPS: Final = (
    1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 900, 1800, 3600, 7200, 21_600, 43_200, 86_400, 604_800,
)  # fmt: skip
_MOST_TICKS: Final = 5
_LEAST_SPAN: Final = timedelta(seconds=10)

Status = Delivery.Status

WORDS: Final = {
    "due": gettext_lazy("Due"),
    "sending": gettext_lazy("Being sent"),
    "sent": gettext_lazy("Sent"),
    "arrived": gettext_lazy("Arrived"),
    "answered": gettext_lazy("Answered"),
    "voicemail": gettext_lazy("Voicemail"),
    "hung_up": gettext_lazy("Hung up"),
    "failed": gettext_lazy("Failed"),
    "cancelled": gettext_lazy("Cancelled"),
}
# What providers report of what they took (notifications.services.provider_reports).
_ARRIVED: Final[dict[str, str]] = {
    Delivery.Reason.DELIVERED: "arrived",
    Delivery.Reason.ANSWERED: "answered",
    Delivery.Reason.VOICEMAIL: "voicemail",
    Delivery.Reason.HUNG_UP: "hung_up",
}


@dataclass(frozen=True, slots=True)
class Mark:
    """One message: at ``x`` percent of the width, ``y`` pixels from the top."""

    x: str
    y: int
    state: str
    label: str


@dataclass(frozen=True, slots=True)
class Tick:
    x: str
    label: str


@dataclass(frozen=True, slots=True)
class Row:
    """One message in the table."""

    number: int
    step: str
    after: str
    due_at: datetime
    state: str
    words: str
    channel: str
    who: str
    address: str
    explanation: str
    attempts: int

    @property
    def label(self) -> str:
        to = self.who or self.address
        return f"{self.after}: {channel_label(self.channel)}{f' → {to}' if to else ''}. {self.words}"


@dataclass(frozen=True, slots=True)
class Timeline:
    """``line_y`` and ``height`` are in pixels; ``now_x`` is None once it is over, ``end_x`` until then."""

    rows: Sequence[Row]
    marks: Sequence[Mark]
    ticks: Sequence[Tick]
    states: Sequence[tuple[str, str]]
    height: int
    line_y: int
    start_x: str
    done_x: str
    end_x: str | None

    @property
    def tick_y(self) -> int:
        return self.line_y + 16

    @property
    def text_y(self) -> int:
        return self.line_y + 36


def timeline(process: EscalationProcess, deliveries: Sequence[Delivery], *, now: datetime) -> Timeline:
    """Return a process as it is at a time, of the deliveries that somebody may see."""
    rows = [_row(process, each) for each in sorted(deliveries, key=lambda each: each.due_at)]
    last = max([row.due_at for row in rows] + [process.ended_at or now, process.started_at + _LEAST_SPAN])
    span = max((last - process.started_at).total_seconds(), 1.0)

    def x(moment: datetime) -> float:
        return _LEFT + _WIDTH * min(max((moment - process.started_at).total_seconds() / span, 0.0), 1.0)

    # How high each mark stands, so that none covers another, but for more than there is room for.
    last_at: list[float] = []
    levels = []
    for place in [x(row.due_at) for row in rows]:
        free = (level for level, last in enumerate(last_at) if abs(place - last) >= _NEAR)
        level = min(next(free, len(last_at)), _LEVELS - 1)
        last_at[level : level + 1] = [place]
        levels.append(level)
    line_y = _BASE + _RISE * max(levels, default=0)
    marks = [
        Mark(_percent(x(row.due_at)), line_y - _RISE * level, row.state, row.label)
        for row, level in zip(rows, levels, strict=True)
    ]
    seen = {row.state for row in rows}
    step = next((each for each in _STEPS if span / each < _MOST_TICKS), span)
    places = (number * step for number in range(int(span / step) + 1))
    return Timeline(
        rows=rows,
        marks=marks,
        ticks=[Tick(_percent(_LEFT + _WIDTH * place / span), clock_of(place)) for place in places],
        states=[(state, str(word)) for state, word in WORDS.items() if state in seen],
        height=line_y + 44,
        line_y=line_y,
        start_x=_percent(_LEFT),
        done_x=_percent(x(process.ended_at or now)),
        end_x=_percent(x(process.ended_at)) if process.ended_at else None,
    )


def _row(process: EscalationProcess, delivery: Delivery) -> Row:
    told: dict[str, Any] = delivery.notification.data
    state = state_of(delivery)
    round_, step = told.get("round"), told.get("step")
    place = {"step": step, "round": round_}
    is_again = isinstance(round_, int) and round_ > 1
    named = gettext("Step %(step)s, round %(round)s") if is_again else gettext("Step %(step)s")
    return Row(
        number=told.get("number", 0),
        step=named % place if step else "",
        after=clock_of((delivery.due_at - process.started_at).total_seconds()),
        due_at=delivery.due_at,
        state=state,
        words=str(WORDS[state]),
        channel=delivery.channel,
        who=name_of(delivery.user),
        address=gettext("erased")
        if delivery.address_is_erased
        else registry.shown(delivery.channel, delivery.address),
        explanation=explain(delivery),
        attempts=delivery.attempts,
    )


def state_of(delivery: Delivery) -> str:
    """Return what became of a message in one of WORDS."""
    match delivery.state:
        case Status.SENT:
            return _ARRIVED.get(delivery.reason, "sent")
        case Status.PENDING:
            return "due"
        case Status.SENDING:
            return "sending"
        case Status.CANCELLED | Status.SUPPRESSED:
            return "cancelled"
        case _:
            return "failed"


def _percent(value: float) -> str:
    # Never by the person's own language: SVG knows points only.
    return f"{value:.2f}%"
