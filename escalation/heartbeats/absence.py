"""What Tocsin's own absence does to heartbeats: what they couldn't ping is not held against them.

While nobody looks after heartbeats, nobody may have taken their pings. Whatever was waited for then is waited
for as if it had been pinged on the return, with a period of an hour at most. Should Tocsin be away again
before that, only the length of that absence is added: however often it is away, what is dead is told in the
end. Why so: docs/adr/0046.
"""

from datetime import datetime, timedelta
from typing import Final

import structlog

from config.sql import run_prepared
from config.statements import named

log = structlog.get_logger(__name__)

#: So often it is noted that heartbeats are looked after.
NOTED_EVERY: Final = timedelta(seconds=5)
#: Tocsin was away if it has noted nothing for longer. A busy worker's sweep comes sooner.
AWAY: Final = timedelta(seconds=15)
#: What is pinged less often is not waited for any longer: a lost ping would come again too late.
LONGEST_PERIOD: Final = timedelta(hours=1)

#: Whether it is to be noted, as notifications.looks asks it.
NOT_NOTED: Final = f"""(NOT EXISTS (
    SELECT FROM escalation_heartbeatwatch WHERE id = 1
       AND looked_at BETWEEN %(now)s::timestamptz - interval '{NOTED_EVERY.seconds} s'
                         AND %(now)s::timestamptz + interval '{NOTED_EVERY.seconds} s'))"""

# As if it were pinged now.
_AFRESH: Final = """%(now)s::timestamptz + grace_s * interval '1 s' + CASE cron
                    WHEN '' THEN least(period_s * interval '1 s', %(longest)s::interval)
                    ELSE %(longest)s::interval END"""
# What is due later than by its last ping was postponed before.
_NOTE: Final = f"""
WITH noted AS (
    INSERT INTO escalation_heartbeatwatch AS it (id, looked_at) VALUES (1, %(now)s::timestamptz)
        ON CONFLICT (id) DO UPDATE SET looked_at = excluded.looked_at
    RETURNING old.looked_at AS gone_at
), postponed AS (
    UPDATE escalation_heartbeat AS it
       SET due_at = CASE
               WHEN due_at > least(expected_at, last_start_at) + grace_s * interval '1 s'
               THEN due_at + (%(now)s::timestamptz - gone_at)
               ELSE {_AFRESH} END
      FROM noted
     WHERE gone_at < %(now)s::timestamptz - %(away)s::interval AND due_at > gone_at
       AND due_at < {_AFRESH}
    RETURNING it.id
)
SELECT gone_at, (SELECT count(*) FROM postponed) FROM noted
"""  # noqa: S608  (no value is put into the text)
named("heartbeats.note", "Note that heartbeats are looked after; postpone them after an absence.", _NOTE)


def note(now: datetime) -> None:
    """Note that heartbeats are looked after from now on, and postpone them if they weren't for a while."""
    parameters = {"now": now, "away": AWAY, "longest": LONGEST_PERIOD}
    ((gone_at, count),) = run_prepared(_NOTE, parameters)
    if count:
        away_s = round((now - gone_at).total_seconds())
        log.warning("heartbeats_postponed", away_s=away_s, count=count)
