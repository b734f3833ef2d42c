"""How long events are kept."""

from datetime import timedelta
from typing import Final

from django.conf import settings

from config.slices import Old, Run, old_end

# With their runs. One that is to run, or a dead letter of late, keeps its event and the others.
_EVENTS: Final = Old(
    table="notifications_event",
    age="created_at",
    by=("created_at", "id"),
    unless="""EXISTS (SELECT FROM notifications_handlerrun AS run WHERE run.event_id = it.id
        AND (run.status = 'pending'
             OR run.status = 'dead' AND coalesce(run.finished_at, run.created_at) >= %(dead_before)s))""",
    # A run that is replayed at this instant is left, and with it the event: the foreign key sees to that.
    along=(("notifications_handlerrun", "event_id", "status <> 'pending'"),),
)


def events_expire(run: Run) -> int:
    """Delete events that are old and done with, and dead letters that nobody has replayed for long."""
    return old_end(
        _EVENTS,
        before=run.now - timedelta(days=settings.EVENT_RETENTION_DAYS),
        dead_before=run.now - timedelta(days=settings.DEAD_LETTER_RETENTION_DAYS),
        run=run,
    )
