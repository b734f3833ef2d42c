"""Whether something is silenced at a time, and until when. Pure."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import NamedTuple

from config.recurrence import occurrences
from config.zones import zone_of
from escalation.groups.matching import matches
from escalation.models import Silence


class Silenced(NamedTuple):
    """By which silence, and when that is over."""

    silence: Silence
    until: datetime


def silenced(labels: Mapping[str, str], silences: Sequence[Silence], at: datetime) -> Silenced | None:
    """Return the silence that holds longest at a time for what has these labels; None: it isn't silenced."""
    found = [
        Silenced(each, until)
        for each in silences
        if (until := over_at(each, at)) is not None and matches(each.matchers, labels)
    ]
    return max(found, key=lambda one: one.until, default=None)


def over_at(silence: Silence, at: datetime) -> datetime | None:
    """Return when the silence is over that holds at a time; None where none holds then."""
    if silence.cancelled_at is not None or at < silence.starts_at:
        return None
    lasts = silence.ends_at - silence.starts_at
    began = [silence.starts_at]
    if silence.rule:
        local = silence.starts_at.astimezone(zone_of(silence.time_zone))
        began = occurrences(
            silence.rule,
            starts_on=local.date(),
            at=local.time(),
            time_zone=silence.time_zone,
            after=at - lasts,
            until=at,
        )
    return began[-1] + lasts if began and at < began[-1] + lasts else None
