"""What goes out: by channel, how many deliveries came to what lately, and what doesn't get through."""

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from typing import Any, Final, NamedTuple

import django_rq
from django.utils.translation import gettext_lazy
from redis.exceptions import RedisError

from config import clock
from notifications import series, troubles
from notifications.channels.labels import channel_label
from notifications.series import MINUTES, QUARTERS, Counts
from notifications.troubles import Trouble
from notifications.web.console.panels import SENDING, Panel

#: Ends of deliveries that count as not reached.
FAILED: Final = ("failed", "expired")
#: Of a sparkline, in its own units.
WIDTH, HEIGHT = 120, 24
_RECENT_MINUTES: Final = 5


class Pace(NamedTuple):
    """How many, in the last five minutes, hour and day; ``points`` draws the hour, minute by minute."""

    minutes: int
    hour: int
    day: int
    points: str


class Channel(NamedTuple):
    name: str
    label: str
    sent: Pace
    failed: Pace
    trouble: Trouble | None

    @property
    def failing_share(self) -> int:
        """In percent, of what came to an end in the last hour."""
        ended = self.sent.hour + self.failed.hour
        return round(100 * self.failed.hour / ended) if ended else 0


def read(now: datetime) -> Mapping[str, Any]:
    connection, at = django_rq.get_connection(), clock.timestamp()
    try:
        minutes, quarters = (series.read(connection, grain, at=at) for grain in (MINUTES, QUARTERS))
        found = troubles.all_troubles(connection)
    except RedisError:
        return {"away": True}
    failing = {each.channel: each for each in found if not each.lane}
    names = {key[1] for counts in quarters for key in counts if key[0] == "deliveries"} | failing.keys()
    channels = [
        Channel(
            name,
            channel_label(name),
            _pace(minutes, quarters, [("deliveries", name, "sent")]),
            _pace(minutes, quarters, [("deliveries", name, outcome) for outcome in FAILED]),
            failing.get(name),
        )
        for name in sorted(names)
    ]
    return {
        # What fails comes first.
        "channels": sorted(
            (each for each in channels if each.trouble or each.sent.day or each.failed.day),
            key=lambda each: (each.trouble is None, -each.failing_share, each.label),
        ),
        "accepted": _pace(minutes, quarters, [("accepted",)]),
        "lanes": [each for each in found if each.lane],
        "width": WIDTH,
        "height": HEIGHT,
    }


def _pace(minutes: Sequence[Counts], quarters: Sequence[Counts], keys: Iterable[tuple[str, ...]]) -> Pace:
    keys = list(keys)
    by_minute = [sum(counts.get(key, 0) for key in keys) for counts in minutes]
    by_quarter = [sum(counts.get(key, 0) for key in keys) for counts in quarters]
    return Pace(
        round(sum(by_minute[-_RECENT_MINUTES:])),
        round(sum(by_minute)),
        round(sum(by_quarter)),
        sparkline(by_minute),
    )


def sparkline(values: Sequence[float]) -> str:
    """Return the points of a line from left to right, within ``WIDTH`` and ``HEIGHT``; empty if all are 0."""
    most = max(values, default=0)
    if not most:
        return ""
    step = WIDTH / max(len(values) - 1, 1)
    return " ".join(
        f"{number * step:.1f},{HEIGHT - 1 - value / most * (HEIGHT - 2):.1f}"
        for number, value in enumerate(values)
    )


PANEL: Final = Panel("sending", gettext_lazy("What goes out"), "web/console/_sending.html", read, SENDING)
