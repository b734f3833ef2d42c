"""Proves that nothing that was reported is forgotten: a part of ``manage.py audit_deliveries``.

Every occurrence has its group; every group is told, or says why not and is looked at again; and what is over
rings no more, and was said to be over. A snapshot for each day, as notifications.audit takes them.
"""

from collections.abc import Iterator, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any, Final
from uuid import UUID

from django.conf import settings

from config import sql
from escalation.groups.audit_sql import COUNTS, GAPS, NEXT, STILL_SENDING
from escalation.groups.ringing import FLAP_WINDOW
from notifications.audit_days import span_of, spans
from notifications.audited import Asked, Found, Gap, Part
from notifications.history.ending import kept_since
from notifications.snapshots import snapshot

#: What was due so long ago is forgotten: the sweep looks each second, and each minute at what it failed at.
LATE: Final = timedelta(minutes=2)
# So long may an audit take, during which it is decided anew what is held back.
_TAKES: Final = timedelta(hours=1)
# From the moment at which something comes until it is stored.
_BLUR: Final = timedelta(minutes=1)
_LONG_AGO: Final = datetime(1970, 1, 1, tzinfo=UTC)

#: What is wrong with a group, by kind of gap.
_GROUP: Final = {
    "group_overdue": "was due more than two minutes ago, and nobody has looked at it",
    "group_forgotten": "is open, nobody is told of it, and nothing will look at it again",
    "group_with_policy": "is told to nobody for want of a policy, and has one",
    "group_held": "is held back for longer than its reason lasts",
    "storm_unlisted": "counts as told in the summary of a storm, which doesn't list it",
    "storm_over": "is open, and the storm in whose summary it was told is over",
    "rings_on": "is over, taken or held back, and its escalation goes on",
    "still_sending": "has something left to be sent by an escalation that has ended",
    "process_overdue": "has an escalation that was to end or go on more than two minutes ago, and did not",
    "acknowledgement_lost": "is open, though somebody has acknowledged its escalation",
    "fires_on": "is over, though something in it still fires",
    "nothing_fires": "is open, though nothing in it fires any more",
    "end_untold": "is over, and somebody who was told of it was not told so",
    "occurrences_miscounted": "does not count the occurrences that were kept of it",
}
#: What is wrong with an occurrence.
_OCCURRENCE: Final = {
    "occurrence_ungrouped": "belongs to no alert group",
    "occurrence_misplaced": "belongs to an alert group under another key",
    "occurrence_ignored": "was ignored, though its alert was firing",
}


def look(asked: Asked) -> Iterator[Found]:
    """Look at each day's groups and occurrences, and then at what is in the queue for any of them."""
    parameters: dict[str, Any] = {
        "limit": asked.limit,
        "late": asked.now - LATE,
        "soon": asked.now + _TAKES,
        "flap_window": FLAP_WINDOW,
        "history": kept_since(asked.now) or _LONG_AGO,
        "kept": asked.now - timedelta(days=settings.ESCALATION_RETENTION_DAYS),
        "blur": _BLUR,
    }
    days = spans(
        now=asked.now,
        since=asked.since,
        until=asked.until,
        first=lambda start: sql.value(NEXT, {"start": start}),
    )
    for span in days:
        with snapshot():
            ((groups, occurrences),) = sql.rows(COUNTS, span.parameters)
            gaps = _gaps(GAPS, {**parameters, **span.parameters})
        yield Found({"alert groups": groups, "occurrences": occurrences}, gaps)
    all_days = span_of(since=asked.since, until=asked.until)
    yield Found(gaps=_gaps([STILL_SENDING], {**parameters, **all_days.parameters}))


def _gaps(statements: Sequence[str], parameters: dict[str, Any]) -> list[Gap]:
    return [
        Gap(kind, total, _sentence(kind, *what))
        for statement in statements
        for kind, total, *what in sql.rows(statement, parameters)
    ]


def _sentence(kind: str, pk: UUID, title: str, at: datetime) -> str:
    """Say of which group or occurrence it is, by its title or key, what is wrong."""
    since = f"{at:%Y-%m-%d %H:%M:%S} UTC"
    if kind in _GROUP:
        return f"The group “{title}” ({pk}, of {since}) {_GROUP[kind]}."
    return f"The occurrence of “{title}” ({pk}, of {since}) {_OCCURRENCE[kind]}."


PART: Final = Part(
    look,
    explanations={
        **{kind: f"An alert group {fault}." for kind, fault in _GROUP.items()},
        **{kind: f"An occurrence {fault}." for kind, fault in _OCCURRENCE.items()},
    },
)
