"""What the audit asks the database about alert groups, by rules of its own: a row for each gap.

A day's groups are those that were opened from %(start)s to before %(end)s; its occurrences came then.
"""

from typing import Final

from config.statements import named

# When the next group was opened, or the next occurrence came.
NEXT: Final = """
SELECT least((SELECT min(opened_at) FROM escalation_alertgroup WHERE opened_at >= %(start)s),
             (SELECT min(received_at) FROM escalation_alertoccurrence WHERE received_at >= %(start)s))
"""
named("groups.audit.next", "Find the first alert group or occurrence from a moment on.", NEXT)

COUNTS: Final = """
SELECT (SELECT count(*) FROM escalation_alertgroup WHERE opened_at >= %(start)s AND opened_at < %(end)s),
       (SELECT count(*) FROM escalation_alertoccurrence
         WHERE received_at >= %(start)s AND received_at < %(end)s)
"""
named("groups.audit.counts", "Count a day's alert groups and occurrences.", COUNTS)

# What becomes of each group: it is told, or there is a reason why not, and a time at which that ends. Such a
# time may have been set while the audit goes on, hence %(soon)s. A silence with a rule lasts as long each
# time.
_STATES: Final = """
SELECT it.id, it.title, it.opened_at AS at,
       CASE
       WHEN it.rings_at < %(late)s THEN 'group_overdue'
       WHEN it.state = 'open' AND it.rings_at IS NULL
            AND CASE it.quiet WHEN '' THEN it.process_id IS NULL
                              ELSE it.quiet NOT IN ('storm', 'unrouted') END THEN 'group_forgotten'
       WHEN it.quiet = 'unrouted' AND policy.id IS NOT NULL AND policy.deleted_at IS NULL
            THEN 'group_with_policy'
       WHEN it.quiet = 'storm' AND (storm.is_storm AND storm.policy_id = it.policy_id) IS NOT TRUE
            THEN 'storm_unlisted'
       -- Whoever closes a storm has seen its summary. By itself, one is over with the last of its groups.
       WHEN it.quiet = 'storm' AND it.state = 'open' AND storm.state = 'resolved'
            AND (storm.process_id IS NULL OR storm.ended_via = 'intake') THEN 'storm_over'
       WHEN it.state <> 'resolved'
            AND CASE it.quiet
                WHEN 'silenced' THEN it.rings_at > greatest(
                         silence.ends_at, %(soon)s::timestamptz + (silence.ends_at - silence.starts_at))
                     OR (silence.cancelled_at < %(late)s AND it.rings_at > %(soon)s)
                WHEN 'flapping' THEN it.rings_at > %(soon)s::timestamptz + %(flap_window)s::interval
                WHEN 'nobody' THEN it.rings_at > %(soon)s
                END THEN 'group_held'
       WHEN (it.state = 'resolved' AND (process.state = 'active' OR process.resume_at IS NOT NULL
                                        OR process.last_resort_look_at IS NOT NULL))
            OR (it.state = 'acknowledged' AND process.state = 'active'
                AND process.acknowledged_at IS NULL)
            OR (it.state = 'open' AND it.quiet IN ('silenced', 'snoozed') AND process.state = 'active')
            THEN 'rings_on'
       WHEN process.look_at < %(late)s AND process.state = 'active' OR process.resume_at < %(late)s
            OR process.next_round_at < %(late)s AND process.state = 'active'
            OR process.last_resort_look_at < %(late)s
            THEN 'process_overdue'
       WHEN it.state = 'open' AND it.quiet = '' AND it.rings_at IS NULL
            AND process.state = 'acknowledged' AND process.acknowledged_at < %(late)s
            THEN 'acknowledgement_lost'
       WHEN it.state = 'resolved' AND firing.is_there THEN 'fires_on'
       WHEN it.state <> 'resolved' AND NOT it.is_storm AND NOT firing.is_there THEN 'nothing_fires'
       END AS kind
  FROM escalation_alertgroup AS it
  LEFT JOIN escalation_escalationprocess AS process ON process.id = it.process_id
  LEFT JOIN escalation_alertgroup AS storm ON storm.id = it.storm_id
  LEFT JOIN escalation_silence AS silence ON silence.id = it.silence_id
  LEFT JOIN escalation_policy AS policy ON policy.id = it.policy_id
 CROSS JOIN LATERAL (SELECT EXISTS (
       SELECT FROM escalation_groupedalert AS alert
        WHERE alert.group_id = it.id AND alert.ended_at IS NULL) AS is_there) AS firing
 WHERE it.opened_at >= %(start)s AND it.opened_at < %(end)s
"""

# Whoever was told of a group that is over has a delivery about its end, sent or with the reason why not. Its
# id begins as that of the notification. What is older than %(history)s may have left the history.
_END_UNTOLD: Final = """
SELECT DISTINCT 'end_untold' AS kind, it.id, it.title, it.opened_at AS at
  FROM escalation_alertgroup AS it
  JOIN escalation_escalationprocess AS process ON process.id = it.process_id
 CROSS JOIN LATERAL unnest(process.told_users) AS told (user_id)
  JOIN accounts_user AS person ON person.uuid = told.user_id AND person.is_active
  LEFT JOIN notifications_notification AS notification
    ON notification.dedup_key = 'group:' || it.id || ':resolved'
 WHERE it.opened_at >= %(start)s AND it.opened_at < %(end)s
   AND it.state = 'resolved' AND it.resolved_at >= %(history)s
   AND NOT EXISTS (
       SELECT FROM notifications_delivery AS delivery
        WHERE delivery.notification_id = notification.id AND delivery.user_id = told.user_id
          AND delivery.id >= (left(notification.id::text, 13) || '-0000-0000-000000000000')::uuid
          AND delivery.id <= (left(notification.id::text, 13) || '-ffff-ffff-ffffffffffff')::uuid)
"""

# Every trigger that was counted is kept, and each that is kept was counted, unless it was over already.
_MISCOUNTED: Final = """
WITH counted AS (
    SELECT alert.group_id, alert.occurrences,
           count(said.id) AS kept, count(said.id) FILTER (WHERE said.at <= alert.began_at) AS of_before
      FROM escalation_alertgroup AS it
      JOIN escalation_groupedalert AS alert ON alert.group_id = it.id
      LEFT JOIN escalation_alertoccurrence AS said ON said.alert_id = alert.id AND said.act = 'trigger'
     WHERE it.opened_at >= %(start)s AND it.opened_at < %(end)s
     GROUP BY alert.id
), summed AS (
    SELECT group_id, sum(occurrences) AS occurrences,
           bool_or(occurrences > kept OR occurrences < kept - of_before) AS is_wrong
      FROM counted GROUP BY group_id
)
SELECT 'occurrences_miscounted' AS kind, it.id, it.title, it.opened_at AS at
  FROM escalation_alertgroup AS it LEFT JOIN summed ON summed.group_id = it.id
 WHERE it.opened_at >= %(start)s AND it.opened_at < %(end)s
   AND (summed.is_wrong OR it.occurrences <> coalesce(summed.occurrences, 0))
"""

# Each occurrence has its alert, and so its group, but for what was said of something that wasn't firing. What
# is older than %(kept)s may have lost its group. One that came just before or after what it is about may have
# been taken the other way round.
_OCCURRENCES: Final = """
SELECT said.id, said.key AS title, said.received_at AS at,
       CASE
       WHEN said.alert_id IS NULL AND said.act = 'trigger' THEN 'occurrence_ungrouped'
       WHEN said.alert_id IS NOT NULL AND alert.id IS NULL
            AND least(said.received_at, said.at) >= %(kept)s THEN 'occurrence_ungrouped'
       WHEN alert.id IS NOT NULL AND (said.key, said.integration_id) IS DISTINCT FROM
            (alert.key, alert.integration_id) THEN 'occurrence_misplaced'
       WHEN said.alert_id IS NULL AND EXISTS (
            SELECT FROM escalation_groupedalert AS about
             WHERE about.integration_id = said.integration_id AND about.key = said.key
               AND about.first_at < said.received_at - %(blur)s::interval
               AND (about.ended_at IS NULL OR about.ended_at > said.received_at + %(blur)s::interval)
               AND (said.act = 'resolve' AND said.at < about.began_at) IS NOT TRUE
            ) THEN 'occurrence_ignored'
       END AS kind
  FROM escalation_alertoccurrence AS said
  LEFT JOIN escalation_groupedalert AS alert ON alert.id = said.alert_id
 WHERE said.received_at >= %(start)s AND said.received_at < %(end)s
"""

# Of the whole queue at once: what is to be sent lies in it, whenever its group was opened. All that
# escalations send can be stopped.
_STILL_SENDING: Final = """
WITH waiting AS MATERIALIZED (
    SELECT delivery_id FROM notifications_outgoing WHERE revocable AND lease_until IS NULL
)
SELECT DISTINCT 'still_sending' AS kind, it.id, it.title, it.opened_at AS at
  FROM waiting
  JOIN notifications_delivery AS delivery ON delivery.id = waiting.delivery_id
  JOIN notifications_notification AS notification
    ON notification.id = delivery.notification_id AND notification.source_type = 'escalation'
  JOIN escalation_escalationprocess AS process
    ON process.id = CASE notification.source_type WHEN 'escalation' THEN notification.source_id::uuid END
   AND process.state <> 'active' AND process.last_resort_look_at IS NULL
  JOIN escalation_alertgroup AS it ON it.process_id = process.id
 WHERE it.opened_at >= %(start)s AND it.opened_at < %(end)s
"""

_FIRST_OF_EACH_KIND: Final = """
SELECT kind, total, id, title, at
  FROM (SELECT *, count(*) OVER (PARTITION BY kind) AS total,
               row_number() OVER (PARTITION BY kind ORDER BY at, id) AS place
          FROM ({gaps}) AS gap WHERE kind IS NOT NULL) AS counted
 WHERE place <= %(limit)s ORDER BY kind, place
"""

_GAPS: Final = {
    "states": (_STATES, "Find alert groups that are forgotten, or not told or ended as they should be."),
    "end-untold": (_END_UNTOLD, "Find alert groups of whose end somebody was not told."),
    "miscounted": (_MISCOUNTED, "Find alert groups that do not count what was kept of them."),
    "occurrences": (_OCCURRENCES, "Find occurrences without their alert group."),
    "still-sending": (_STILL_SENDING, "Find alert groups whose escalation has ended, and has more to send."),
}
_STATEMENTS: Final = {name: _FIRST_OF_EACH_KIND.format(gaps=gaps) for name, (gaps, _) in _GAPS.items()}
for _name, _statement in _STATEMENTS.items():
    named(f"groups.audit.{_name}", _GAPS[_name][1], _statement)

STILL_SENDING: Final = _STATEMENTS["still-sending"]
#: What is asked of a day.
GAPS: Final = tuple(each for each in _STATEMENTS.values() if each is not STILL_SENDING)
