"""What the audit asks the database about a day. Each of GAPS yields one row per gap, the first of each kind.

A day's alerts are those that arrived in it, from %(start)s to before %(end)s; its deliveries those whose ids
were made in it, from %(first)s to before %(last)s. An alert's deliveries may be of the day before.
"""

from config.statements import named

# How many alerts there are, and how many of them wait for their deliveries to be made.
ALERTS = """
SELECT count(*), count(*) FILTER (WHERE fanned_out_at IS NULL) FROM notifications_alert
 WHERE received_at >= %(start)s AND received_at < %(end)s
"""
named("audit.alerts", "Count a day's alerts, and those that wait for their deliveries.", ALERTS)

COUNTS = """
SELECT status, reason, count(*) FROM notifications_delivery
 WHERE id >= %(first)s AND id < %(last)s GROUP BY status, reason
"""
named("audit.counts", "Count a day's deliveries by status and reason.", COUNTS)

# The first of everything from a moment on: when the next alert arrived, and the next ids.
NEXT = """
SELECT (SELECT min(received_at) FROM notifications_alert WHERE received_at >= %(start)s),
       (SELECT id FROM notifications_notification WHERE id >= %(first)s ORDER BY id LIMIT 1),
       (SELECT id FROM notifications_delivery WHERE id >= %(first)s ORDER BY id LIMIT 1),
       (SELECT delivery_id FROM notifications_inboxitem WHERE delivery_id >= %(first)s
         ORDER BY delivery_id LIMIT 1)
"""
named("audit.next", "Find the first of everything from a moment on.", NEXT)

# Days of whose deliveries something may have been done since they were audited: what is in the queue (again),
# and what was replayed or cancelled. Of an action on more than it names, every day that was audited before.
TOUCHED = """
WITH touched AS (
    SELECT delivery_id AS id, 'infinity'::timestamptz AS at FROM notifications_outgoing
    UNION ALL
    SELECT unnest(deliveries), at FROM notifications_deliveryaction
     WHERE at >= (SELECT min(audited_at) FROM notifications_auditedday)
), dated AS (
    -- An id begins with 48 bits of milliseconds.
    SELECT date '1970-01-01'
           + (('x' || left(replace(id::text, '-', ''), 12))::bit(48)::bigint / 86400000)::int AS day,
           max(at) AS at
      FROM touched GROUP BY 1
)
SELECT audited.day FROM notifications_auditedday AS audited JOIN dated USING (day)
 WHERE dated.at >= audited.audited_at
 UNION
SELECT audited.day FROM notifications_auditedday AS audited
  JOIN notifications_deliveryaction AS action ON action.at >= audited.audited_at
 WHERE action.count > cardinality(action.deliveries)
"""
named("audit.touched", "Find the audited days of whose deliveries something was done since.", TOUCHED)

_NOT_FANNED_OUT = """
SELECT 'not_fanned_out' AS kind, alert_uuid::text AS alert_uuid, NULL::uuid AS user_id,
       NULL::uuid AS contact_point_id, NULL::uuid AS delivery_id
  FROM notifications_alert
 WHERE received_at >= %(start)s AND received_at < %(end)s
   AND fanned_out_at IS NULL AND (received_at < %(fan_out_overdue)s OR %(settled)s)
"""

_TOLD_TWICE = """
SELECT 'told_twice' AS kind, source_id AS alert_uuid, NULL::uuid AS user_id,
       NULL::uuid AS contact_point_id, NULL::uuid AS delivery_id
  FROM notifications_notification AS again
 WHERE source_type = 'alert' AND id >= %(first)s AND id < %(last)s
   AND EXISTS (
       SELECT FROM notifications_notification AS before
        WHERE before.source_type = 'alert' AND before.source_id = again.source_id AND before.id < again.id)
"""

# Who certainly was to be told: a member from before the alert until after its fan-out, at each contact
# point that was there for as long; or by the default channel, for want of any. Of who or what came or
# went in between nothing is asked: the fan-out may rightly have seen either.
_MISSING = """
WITH fanned_out AS MATERIALIZED (
    SELECT alert.alert_uuid::text AS alert_uuid, alert.shop_id, alert.received_at, alert.fanned_out_at,
           notification.id AS notification_id
      FROM notifications_alert AS alert
      LEFT JOIN notifications_notification AS notification
        ON notification.source_type = 'alert' AND notification.source_id = alert.alert_uuid::text
     WHERE alert.received_at >= %(start)s AND alert.received_at < %(end)s
       AND alert.fanned_out_at IS NOT NULL
), member AS MATERIALIZED (
    SELECT DISTINCT fanned_out.*, membership.user_id
      FROM fanned_out
      JOIN accounts_membership AS membership
        ON membership.shop_id = fanned_out.shop_id
       AND membership.joined_at <= fanned_out.received_at - %(blur)s::interval
       AND (membership.left_at IS NULL OR membership.left_at > fanned_out.fanned_out_at)
      JOIN accounts_user AS person ON person.uuid = membership.user_id AND person.is_active
), expected AS MATERIALIZED (
    SELECT member.alert_uuid, member.notification_id, member.user_id, contact.id AS contact_point_id
      FROM member
      JOIN notifications_contactpoint AS contact
        ON contact.user_id = member.user_id
       AND contact.confirmed_at <= member.received_at - %(blur)s::interval
       AND (contact.deleted_at IS NULL OR contact.deleted_at > member.fanned_out_at)
), absent AS MATERIALIZED (
    -- Nearly all lie near their alert, where they are found together.
    SELECT expected.* FROM expected
     WHERE NOT EXISTS (
           SELECT FROM notifications_delivery AS delivery
            WHERE delivery.id >= %(near_first)s AND delivery.id < %(near_last)s
              AND delivery.notification_id = expected.notification_id
              AND delivery.user_id = expected.user_id
              AND delivery.contact_point_id = expected.contact_point_id)
    UNION ALL
    SELECT member.alert_uuid, member.notification_id, member.user_id, NULL FROM member
     WHERE NOT EXISTS (
           SELECT FROM expected
            WHERE expected.alert_uuid = member.alert_uuid AND expected.user_id = member.user_id)
       AND NOT EXISTS (
           SELECT FROM notifications_delivery AS delivery
            WHERE delivery.id >= %(near_first)s AND delivery.id < %(near_last)s
              AND delivery.notification_id = member.notification_id AND delivery.user_id = member.user_id)
)
SELECT 'missing' AS kind, alert_uuid, user_id, contact_point_id, NULL::uuid AS delivery_id
  FROM absent
 -- The others one by one, by the index on the notification: not by reading every delivery there is.
 WHERE (SELECT count(*) FROM notifications_delivery AS delivery
         WHERE delivery.notification_id = absent.notification_id AND delivery.user_id = absent.user_id
           AND (absent.contact_point_id IS NULL OR delivery.contact_point_id = absent.contact_point_id)) = 0
"""

# What was made for an alert and should not have been, or not so.
_SURPLUS = """
WITH made AS (
    SELECT delivery.id AS delivery_id, delivery.user_id, delivery.contact_point_id, delivery.status,
           delivery.reason, delivery.created_at, delivery.channel, notification.kind AS notified_kind,
           notification.severity, notification.source_id,
           alert.shop_id, alert.received_at, alert.alert_uuid, alert.fanned_out_at, alert.grouped_with
      FROM notifications_delivery AS delivery
      JOIN notifications_notification AS notification
        ON notification.id = delivery.notification_id AND notification.source_type = 'alert'
      LEFT JOIN notifications_alert AS alert ON alert.alert_uuid =
           CASE WHEN pg_input_is_valid(notification.source_id, 'uuid') THEN notification.source_id::uuid END
     WHERE delivery.id >= %(first)s AND delivery.id < %(last)s
), judged AS (
    SELECT made.delivery_id, made.user_id, made.contact_point_id, made.source_id AS alert_uuid,
           CASE
           WHEN made.alert_uuid IS NULL THEN 'no_alert'
           -- Whoever deleted their account: what they were and wanted went with it.
           WHEN made.user_id IS NOT NULL AND person.uuid IS NULL THEN NULL
           WHEN membership.user_id IS NULL THEN 'stranger'
           WHEN contact.user_id <> made.user_id THEN 'wrong_contact_point'
           WHEN contact.created_at > made.received_at + %(blur)s::interval
                OR contact.deleted_at < made.received_at - %(blur)s::interval THEN 'contact_point_not_there'
           -- In their inbox they are told what was lost with their last contact point.
           WHEN made.contact_point_id IS NULL AND made.channel <> 'inbox' AND EXISTS (
                SELECT FROM notifications_contactpoint AS other
                 WHERE other.user_id = made.user_id
                   AND other.confirmed_at <= made.received_at - %(blur)s::interval
                   AND (other.deleted_at IS NULL OR other.deleted_at > made.fanned_out_at)
                ) THEN 'default_despite_contact_point'
           WHEN made.status = 'sent' AND made.severity <> 'critical' AND preference.level = 'CRITICAL'
                AND preference.updated_at < made.created_at - %(blur)s::interval THEN 'level_ignored'
           WHEN made.status = 'suppressed' AND made.reason = 'level' AND (
                made.severity = 'critical' OR preference.level IS NULL
                OR (preference.level <> 'CRITICAL'
                    AND preference.updated_at < made.created_at - %(blur)s::interval)
                ) THEN 'level_misread'
           WHEN made.reason = 'grouped' AND (
                made.grouped_with IS NULL OR made.grouped_with = made.alert_uuid) THEN 'grouped_misread'
           WHEN made.status = 'sent' AND made.grouped_with <> made.alert_uuid THEN 'group_ignored'
           WHEN made.status = 'sent' AND NOT rule.is_enabled
                AND rule.updated_at < made.created_at - %(blur)s::interval THEN 'rule_ignored'
           WHEN made.status = 'suppressed' AND made.reason = 'unsubscribed' AND rule.is_enabled
                AND rule.updated_at < made.created_at - %(blur)s::interval THEN 'rule_misread'
           END AS kind
      FROM made
      LEFT JOIN accounts_user AS person ON person.uuid = made.user_id
      LEFT JOIN (SELECT DISTINCT shop_id, user_id FROM accounts_membership) AS membership
        ON membership.shop_id = made.shop_id AND membership.user_id = made.user_id
      LEFT JOIN notifications_contactpoint AS contact ON contact.id = made.contact_point_id
      LEFT JOIN notifications_preference AS preference ON preference.user_id = made.user_id
      -- The narrowest rule there can be: whatever the others say, this one decides.
      LEFT JOIN notifications_subscription AS rule
        ON rule.user_id = made.user_id AND rule.channel = made.channel AND rule.kind = made.notified_kind
)
SELECT kind, alert_uuid, user_id, contact_point_id, delivery_id FROM judged WHERE kind IS NOT NULL
"""

# Each delivery's state against its attempts. A claim counts as an attempt before it is on record, so what
# is under way may have fewer on record than were counted; what is settled may not.
_UNEXPLAINED = """
WITH tried AS (
    SELECT delivery_id, count(*) AS number, max(number) AS last,
           bool_or(outcome = 'sent') AS was_sent,
           (array_agg(outcome ORDER BY number DESC))[1] AS last_outcome
      FROM notifications_attempts WHERE delivery_id >= %(first)s AND delivery_id < %(last)s
     GROUP BY delivery_id
), judged AS (
    SELECT delivery.id AS delivery_id, delivery.user_id, delivery.contact_point_id,
           delivery.notification_id,
           CASE
           WHEN status = 'sent' AND tried.was_sent IS NOT TRUE
                AND NOT (tried.number IS NULL AND channel = ANY (%(instant)s)) THEN 'sent_without_attempt'
           WHEN status = 'failed' AND reason <> 'workers_lost'
                AND NOT (reason = 'undelivered' AND tried.was_sent IS TRUE)
                AND coalesce(tried.last_outcome, '') NOT IN ('rejected', 'unavailable')
                THEN 'failed_without_reason'
           WHEN status = 'suppressed' AND (reason = '' OR (tried.number > 0 AND reason <> ALL (%(withheld)s)))
                THEN 'suppressed_without_reason'
           WHEN status IN ('cancelled', 'expired') AND reason = '' THEN 'ended_without_reason'
           WHEN (status = 'pending') <> (outgoing.delivery_id IS NOT NULL) THEN 'queue_disagrees'
           WHEN coalesce(outgoing.lease_until, outgoing.due_at) < %(overdue)s THEN 'overdue'
           WHEN %(settled)s AND status = 'pending'
                AND NOT (reason IN ('quiet_hours', 'hours', 'digest') AND outgoing.due_at > %(now)s)
                THEN 'unsettled'
           WHEN coalesce(tried.number, 0) <> delivery.attempts OR coalesce(tried.last, 0) > delivery.attempts
                THEN 'attempts_miscounted'
           END AS kind
      FROM notifications_delivery AS delivery
      LEFT JOIN notifications_outgoing AS outgoing ON outgoing.delivery_id = delivery.id
      LEFT JOIN tried ON tried.delivery_id = delivery.id
     WHERE delivery.id >= %(first)s AND delivery.id < %(last)s
)
SELECT judged.kind,
       CASE WHEN notification.source_type = 'alert' THEN notification.source_id END AS alert_uuid,
       user_id, contact_point_id, delivery_id
  FROM judged JOIN notifications_notification AS notification ON notification.id = judged.notification_id
 WHERE judged.kind IS NOT NULL
"""

# What quiet hours hold, or held back, of whatever kind.
_HELD = """
WITH judged AS (
    SELECT delivery.id AS delivery_id, delivery.user_id, delivery.contact_point_id,
           notification.source_type, notification.source_id,
           CASE
           WHEN delivery.status = 'suppressed' THEN CASE WHEN NOT EXISTS (
                SELECT FROM notifications_delivery AS digest
                 WHERE digest.id = delivery.digest_id
                   AND digest.contact_point_id = delivery.contact_point_id) THEN 'digest_missing' END
           WHEN notification.severity = 'critical' AND delivery.reason = 'quiet_hours' THEN 'critical_held'
           WHEN delivery.due_at > delivery.created_at + %(longest_held)s THEN 'held_too_long'
           END AS kind
      FROM notifications_delivery AS delivery
      JOIN notifications_notification AS notification ON notification.id = delivery.notification_id
     WHERE delivery.id >= %(first)s AND delivery.id < %(last)s
       AND ((delivery.status = 'pending' AND delivery.reason IN ('quiet_hours', 'hours', 'digest'))
            OR (delivery.status = 'suppressed' AND delivery.reason = 'digest'))
)
SELECT kind, CASE WHEN source_type = 'alert' THEN source_id END AS alert_uuid,
       user_id, contact_point_id, delivery_id
  FROM judged WHERE kind IS NOT NULL
"""

# An item lies in an inbox exactly if its delivery there is sent. Where the notification is gone, its month is
# ending (notifications.history): items go first, and deliveries at once.
_INBOX = """
SELECT CASE WHEN item.delivery_id IS NULL THEN 'item_missing' ELSE 'item_unsent' END AS kind,
       CASE WHEN notification.source_type = 'alert' THEN notification.source_id END AS alert_uuid,
       coalesce(delivery.user_id, item.user_id), delivery.contact_point_id,
       coalesce(delivery.id, item.delivery_id)
  FROM (SELECT * FROM notifications_delivery
         WHERE id >= %(first)s AND id < %(last)s AND channel = 'inbox' AND status = 'sent') AS delivery
  FULL JOIN (SELECT * FROM notifications_inboxitem
              WHERE delivery_id >= %(first)s AND delivery_id < %(last)s) AS item
    ON item.delivery_id = delivery.id
  JOIN notifications_notification AS notification
    ON notification.id = coalesce(delivery.notification_id, item.notification_id)
  -- Whoever deleted their account has no inbox.
  JOIN accounts_user AS person ON person.uuid = coalesce(delivery.user_id, item.user_id)
 WHERE delivery.id IS NULL OR item.delivery_id IS NULL
"""

_FIRST_OF_EACH_KIND = """
SELECT kind, total, alert_uuid, user_id, contact_point_id, delivery_id
  FROM (SELECT *, count(*) OVER (PARTITION BY kind) AS total,
               row_number() OVER (PARTITION BY kind ORDER BY alert_uuid, user_id, delivery_id) AS place
          FROM ({gaps}) AS gap (kind, alert_uuid, user_id, contact_point_id, delivery_id)) AS counted
 WHERE place <= %(limit)s ORDER BY kind, place
"""

_GAPS = {
    "not-fanned-out": (_NOT_FANNED_OUT, "Find alerts whose deliveries were never made."),
    "told-twice": (_TOLD_TWICE, "Find alerts that became two notifications."),
    "missing": (_MISSING, "Find who was to be told of an alert, and has no delivery."),
    "surplus": (_SURPLUS, "Find what was made for an alert and should not have been, or not so."),
    "unexplained": (_UNEXPLAINED, "Find deliveries whose state their attempts do not explain."),
    "held": (_HELD, "Find what quiet hours hold, or held back, and should not."),
    "inbox": (_INBOX, "Find items of inboxes without their delivery, and the other way round."),
}
GAPS = tuple(_FIRST_OF_EACH_KIND.format(gaps=gaps) for gaps, _ in _GAPS.values())
for (_name, (_, _purpose)), _statement in zip(_GAPS.items(), GAPS, strict=True):
    named(f"audit.{_name}", _purpose, _statement)
