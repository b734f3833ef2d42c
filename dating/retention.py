"""How dating evenings, and what people said of each other there, end."""

from collections import defaultdict
from collections.abc import Sequence
from datetime import timedelta
from typing import Final
from uuid import UUID

from django.conf import settings

from accounts.models import User
from config import sql
from config.ends import Ends
from config.slices import Run, children_delete
from config.statements import named
from dating.departures import sources_of_evenings
from dating.models import (
    BotAccount,
    Date,
    DatingProfile,
    Event,
    Group,
    LogEntry,
    Reaction,
    RecurringRule,
    Registration,
    Room,
    Round,
    Seat,
)
from notifications.models import Notification
from notifications.services.notices import notices_delete

ENDS: Final = (
    Ends(Event, "{days} after it was over", setting="DATING_RETENTION_DAYS"),
    Ends(Registration, parent=Event),
    Ends(Group, parent=Event),
    Ends(Round, parent=Event),
    Ends(Date, parent=Group),
    Ends(Seat, parent=Round),
    Ends(Room, parent=Event),
    Ends(Reaction, parent=Event),
    Ends(LogEntry, parent=Event),
    Ends(RecurringRule, "When the rule is deleted"),
    Ends(DatingProfile, parent=User),
    Ends(BotAccount, parent=User),
)

#: Evenings that are deleted together; each may have many thousands of dates.
EVENINGS: Final = 20

# The newest one stays, however old: the next is numbered after it, and no number is given twice.
_OLD: Final = """
SELECT id FROM dating_event
 WHERE starts_at < %(before)s AND over_at < %(before)s AND step IN ('finished', 'skipped')
   AND number < (SELECT max(number) FROM dating_event)
 ORDER BY starts_at LIMIT %(most)s
"""
named("dating.old", "Find evenings that were over long ago.", _OLD)
_OF_EVENTS: Final = "child.event_id = ANY (%(parents)s::uuid[])"
_OF_ROUNDS: Final = """child.round_id IN
    (SELECT id FROM dating_round WHERE event_id = ANY (%(parents)s::uuid[]))"""
_OF_GROUPS: Final = """child.group_id IN
    (SELECT id FROM dating_group WHERE event_id = ANY (%(parents)s::uuid[]))"""
# Whatever names another one goes before it.
_CHILDREN: Final = (
    ("dating_seat", _OF_ROUNDS),
    ("dating_date", _OF_GROUPS),
    ("dating_reaction", _OF_EVENTS),
    ("dating_registration", _OF_EVENTS),
    ("dating_room", _OF_EVENTS),
    ("dating_round", _OF_EVENTS),
    ("dating_group", _OF_EVENTS),
    ("dating_logentry", _OF_EVENTS),
    ("dating_event", "child.id = ANY (%(parents)s::uuid[])"),
)


def evenings_expire(run: Run) -> int:
    """Delete evenings that were over long ago, part by part, and each of them last."""
    before = run.now - timedelta(days=settings.DATING_RETENTION_DAYS)
    total = 0
    while True:
        ids = sql.column(_OLD, {"before": before, "most": EVENINGS})
        if not ids or not _told_delete(ids, run):
            return total
        if not all(children_delete(table, of=of, parents=ids, run=run) for table, of in _CHILDREN):
            return total
        total += len(ids)
        if len(ids) < EVENINGS or not run.goes_on():
            return total


def _told_delete(evenings: Sequence[UUID], run: Run) -> bool:
    """Delete what was told of evenings, which names partners and matches, while their rounds can be asked."""
    of_type: dict[str, list[str]] = defaultdict(list)
    for source_type, source_id in sources_of_evenings(evenings):
        of_type[source_type].append(source_id)
    told = (Notification.objects.filter(source_type=kind, source_id__in=ids) for kind, ids in of_type.items())
    return all(notices_delete(of_kind, run)[1] for of_kind in told)


STEPS: Final = (evenings_expire,)
