"""The figures of a period, as one value that the API, the page and the monthly message show."""

from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Final
from uuid import UUID

from config import sql
from escalation.figures.statements import NOISE, SUMS
from notifications.ids import first_id

#: The period by default, and the longest.
USUAL: Final = timedelta(days=30)
LONGEST: Final = timedelta(days=366)
#: What was acknowledged, or over by itself, so soon was hardly worth a call.
SOON: Final = timedelta(minutes=5)
#: Alert groups, and escalations of none, that are looked at: the newest of a period.
MOST: Final = 100_000
# Rows of the sums: hours of the week, and policies, sources and shops.
_MOST_ROWS: Final = 1_000
#: Sources, and keys, among the noisy ones.
NOISIEST: Final = 20
SOURCES: Final = {
    "heartbeat": "Heartbeats",
    "storm": "Summaries of storms",
    "key": "A key that is gone",
    "other": "No API key",
    "integration": "An integration that is gone",
}
_NOTHING: Final = {"policy": "No policy", "shop": "No shop"}
_DAYS: Final = ("Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday")


@dataclass(frozen=True, slots=True)
class Spread:
    """Durations in seconds: their mean, their median, and what nine of ten don't exceed."""

    mean_s: float
    median_s: float
    p90_s: float


@dataclass(frozen=True, slots=True)
class Sums:
    """What came of incidents: alert groups of which people were told, and escalations that tell of none.

    ``acknowledged`` counts those that somebody acknowledged, ``over`` those that were over before,
    ``unanswered`` those whose escalation ended without either, and ``open`` the rest. ``resolved`` counts
    all of which it is known when they were over. The spreads are over those counted in ``acknowledged`` and
    ``resolved``; None where there are none.
    """

    id: UUID | None
    source: str
    name: str
    incidents: int
    acknowledged: int
    over: int
    unanswered: int
    open: int
    to_acknowledge: Spread | None
    resolved: int
    to_resolve: Spread | None
    #: Of the hours of the week: 0 is Monday from midnight, in the zone that was asked for.
    hour_of_week: int | None = None

    @property
    def hour(self) -> int:
        return (self.hour_of_week or 0) % 24

    @property
    def weekday(self) -> str:
        return _DAYS[(self.hour_of_week or 0) // 24]


@dataclass(frozen=True, slots=True)
class Noise:
    """What a source, or one key of it, brought and whom it disturbed; ``key`` is empty for a whole source."""

    source: str
    id: UUID | None
    name: str
    key: str
    title: str
    incidents: int
    occurrences: int
    pages: int
    pages_at_night: int
    acknowledged_soon: int
    over_soon: int


@dataclass(frozen=True, slots=True)
class Figures:
    """``is_cut``: there are more than MOST in the period, and only the newest are counted."""

    since: datetime
    until: datetime
    time_zone: str
    is_cut: bool
    total: Sums
    policies: Sequence[Sums]
    sources: Sequence[Sums]
    shops: Sequence[Sums]
    hours: Sequence[Sums]
    noisy_sources: Sequence[Noise]
    noisy_keys: Sequence[Noise]


def figures_of(*, since: datetime, until: datetime, time_zone: str = "UTC") -> Figures:
    """Return the figures of what began in a period: two statements.

    Args:
        time_zone: of the hours of the week.
    """
    period: dict[str, Any] = {"since": since, "until": until, "most": MOST}
    by: dict[str, list[Sums]] = defaultdict(list)
    is_cut = False
    for row in sql.rows(SUMS, {**period, "time_zone": time_zone, "rows": _MOST_ROWS}):
        kind, is_cut = row[0], row[-1]
        by[kind].append(_sums(row))
    total = by["all"][0] if by["all"] else Sums(None, "", "", 0, 0, 0, 0, 0, None, 0, None)
    parameters = {**period, "soon": SOON, "first_id": first_id(since), "rows": NOISIEST}
    noise = [(row[0], _noise(row)) for row in sql.rows(NOISE, parameters)]
    return Figures(
        since=since,
        until=until,
        time_zone=time_zone,
        is_cut=is_cut,
        total=total,
        policies=by["policy"],
        sources=by["source"],
        shops=by["shop"],
        hours=sorted(by["hour"], key=lambda each: each.hour_of_week or 0),
        noisy_sources=[each for is_source, each in noise if is_source],
        noisy_keys=[each for is_source, each in noise if not is_source],
    )


def _sums(row: Sequence[Any]) -> Sums:
    kind, source, pk, name, hour, incidents, acknowledged, over, unanswered, open_, *rest = row
    measured = iter(rest)
    to_acknowledge = _spread(measured)
    resolved = next(measured)
    return Sums(
        id=pk,
        source=source,
        name=name or SOURCES.get(source, "") or _NOTHING.get(kind, ""),
        incidents=incidents,
        acknowledged=acknowledged,
        over=over,
        unanswered=unanswered,
        open=open_,
        to_acknowledge=to_acknowledge,
        resolved=resolved,
        to_resolve=_spread(measured),
        hour_of_week=hour,
    )


def _spread(values: Iterator[Any]) -> Spread | None:
    mean, median, p90 = next(values), next(values), next(values)
    return None if mean is None else Spread(mean, median, p90)


def _noise(row: Sequence[Any]) -> Noise:
    _, source, pk, name, key, title, *counts = row
    return Noise(source, pk, name or SOURCES[source], key or "", title if key else "", *counts)
