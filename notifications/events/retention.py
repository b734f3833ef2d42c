"""How long events are kept."""

from datetime import datetime, timedelta
from typing import Final

import structlog
from django.conf import settings
from django.db import connection

log = structlog.get_logger(__name__)

BATCH: Final = 1000

# Old events that nobody has anything left to do about, with their runs; dead letters keep theirs.
_EXPIRE: Final = """
WITH old AS (
    SELECT id FROM notifications_event AS event
     WHERE created_at < %(before)s
       AND NOT EXISTS (SELECT 1 FROM notifications_handlerrun AS run
                        WHERE run.event_id = event.id AND run.status <> 'done')
     LIMIT %(batch)s FOR UPDATE SKIP LOCKED
), runs AS (
    DELETE FROM notifications_handlerrun WHERE event_id IN (SELECT id FROM old)
), events AS (
    DELETE FROM notifications_event WHERE id IN (SELECT id FROM old)
)
SELECT count(*) FROM old
"""


def events_expire(now: datetime) -> int:
    """Delete events older than the settings say, in batches; returns how many."""
    before, total = now - timedelta(days=settings.EVENT_RETENTION_DAYS), 0
    while True:
        with connection.cursor() as cursor:
            cursor.execute(_EXPIRE, {"before": before, "batch": BATCH})
            count: int = cursor.fetchone()[0]
        total += count
        if count < BATCH:
            break
    if total:
        log.info("events_expired", count=total)
    return total
