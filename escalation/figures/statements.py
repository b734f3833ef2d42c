"""The statements by which figures are counted; each looks at so many groups and escalations at most."""

from typing import Final

from config.statements import named

# An incident is an alert group, or an escalation that tells of none. Of a group, the escalations are found by
# the entries that say so, or (of one from before there were entries) the last by the group itself.
_INCIDENTS: Final = """
WITH grouped AS MATERIALIZED (
    SELECT * FROM escalation_alertgroup
     WHERE opened_at >= %(since)s AND opened_at < %(until)s
     ORDER BY opened_at DESC, id DESC LIMIT %(most)s
), told AS MATERIALIZED (
    SELECT entry.group_id, entry.process_id FROM grouped
      JOIN escalation_entry AS entry ON entry.group_id = grouped.id AND entry.kind = 'told'
     UNION SELECT id, process_id FROM grouped WHERE process_id IS NOT NULL
), taken AS MATERIALIZED (
    SELECT told.group_id, min(entry.at) AS at FROM told
      JOIN escalation_entry AS entry ON entry.process_id = told.process_id
     WHERE entry.kind = 'acknowledged' GROUP BY told.group_id
), alone AS MATERIALIZED (
    SELECT process.* FROM escalation_escalationprocess AS process
     WHERE process.started_at >= %(since)s AND process.started_at < %(until)s AND NOT process.is_drill
       AND NOT EXISTS (SELECT FROM escalation_entry AS entry
                        WHERE entry.process_id = process.id AND entry.kind = 'told')
       AND NOT EXISTS (SELECT FROM escalation_alertgroup AS it WHERE it.process_id = process.id)
     ORDER BY process.started_at DESC, process.id DESC LIMIT %(most)s
), incident AS MATERIALIZED (
    SELECT it.id, it.key, it.title, it.occurrences, it.opened_at AS began_at, it.policy_id, it.shop_id,
           CASE WHEN it.integration_id IS NOT NULL THEN 'integration'
                WHEN it.is_storm THEN 'storm' ELSE 'heartbeat' END AS source,
           it.integration_id AS source_id, integration.name AS source_name,
           it.told_at IS NOT NULL AS is_told,
           coalesce(least(by_group.at, taken.at), it.acknowledged_at) AS acknowledged_at,
           it.resolved_at AS over_at, it.ended_via = 'intake' AS is_over_by_itself,
           last.state
      FROM grouped AS it
      LEFT JOIN escalation_integration AS integration ON integration.id = it.integration_id
      LEFT JOIN escalation_escalationprocess AS last ON last.id = it.process_id
      LEFT JOIN LATERAL (
           SELECT min(entry.at) AS at FROM escalation_entry AS entry
            WHERE entry.group_id = it.id AND entry.kind = 'acknowledged') AS by_group ON true
      LEFT JOIN taken ON taken.group_id = it.id
     UNION ALL
    SELECT it.id, it.process_id, it.process_id, 1, it.started_at, version.policy_id, NULL,
           CASE WHEN it.started_by_id IS NULL THEN 'other' ELSE 'key' END,
           it.started_by_id, key.name,
           true,
           coalesce(acknowledged.at, it.acknowledged_at),
           CASE WHEN it.state = 'stopped' THEN coalesce(stopped.at, it.ended_at) END, false,
           it.state
      FROM alone AS it
      LEFT JOIN escalation_policyversion AS version ON version.id = it.policy_version_id
      LEFT JOIN accounts_apikey AS key ON key.id = it.started_by_id
      LEFT JOIN LATERAL (
           SELECT min(entry.at) AS at FROM escalation_entry AS entry
            WHERE entry.process_id = it.id AND entry.kind = 'acknowledged') AS acknowledged ON true
      LEFT JOIN LATERAL (
           SELECT max(entry.at) AS at FROM escalation_entry AS entry
            WHERE entry.process_id = it.id AND entry.kind = 'stopped') AS stopped ON true
)
"""

_SPREAD: Final = """
       avg({0})::float8,
       percentile_cont(0.5) WITHIN GROUP (ORDER BY {0}),
       percentile_cont(0.9) WITHIN GROUP (ORDER BY {0})"""

#: A row for all, for each policy, source and shop, and for each hour of the week (0: Monday from midnight).
SUMS: Final = f"""{_INCIDENTS}, measured AS (
    SELECT it.*, policy.name AS policy_name, shop.name AS shop_name,
           (extract(isodow FROM it.began_at AT TIME ZONE %(time_zone)s) - 1) * 24
               + extract(hour FROM it.began_at AT TIME ZONE %(time_zone)s) AS hour,
           extract(epoch FROM it.acknowledged_at - it.began_at)::float8 AS acknowledged_s,
           extract(epoch FROM it.over_at - it.began_at)::float8 AS over_s,
           CASE WHEN it.acknowledged_at IS NOT NULL THEN 'acknowledged'
                WHEN it.state NOT IN ('active', 'stopped', 'acknowledged') THEN 'unanswered'
                WHEN it.over_at IS NOT NULL THEN 'over'
                ELSE 'open' END AS outcome
      FROM incident AS it
      LEFT JOIN escalation_policy AS policy ON policy.id = it.policy_id
      LEFT JOIN accounts_shop AS shop ON shop.id = it.shop_id
     WHERE it.is_told
)
SELECT CASE grouping(policy_id, source, shop_id, hour)
            WHEN 7 THEN 'policy' WHEN 11 THEN 'source' WHEN 13 THEN 'shop' WHEN 14 THEN 'hour' ELSE 'all' END,
       CASE grouping(policy_id, source, shop_id, hour) WHEN 11 THEN source ELSE '' END,
       CASE grouping(policy_id, source, shop_id, hour)
            WHEN 7 THEN policy_id WHEN 11 THEN source_id WHEN 13 THEN shop_id END,
       CASE grouping(policy_id, source, shop_id, hour)
            WHEN 7 THEN max(policy_name) WHEN 11 THEN max(source_name) WHEN 13 THEN max(shop_name) END,
       hour::int,
       count(*),
       count(*) FILTER (WHERE outcome = 'acknowledged'),
       count(*) FILTER (WHERE outcome = 'over'),
       count(*) FILTER (WHERE outcome = 'unanswered'),
       count(*) FILTER (WHERE outcome = 'open'),
       {_SPREAD.format("acknowledged_s").strip()},
       count(over_s),
       {_SPREAD.format("over_s").strip()},
       (SELECT count(*) = %(most)s FROM grouped) OR (SELECT count(*) = %(most)s FROM alone)
  FROM measured
 GROUP BY GROUPING SETS ((), (policy_id), (source, source_id), (shop_id), (hour))
 ORDER BY 1, 6 DESC, 4, 5 LIMIT %(rows)s
"""  # noqa: S608  (constants)
named("figures.sums", "Count how soon incidents are acknowledged and over.", SUMS)

#: The sources, and the keys of each, that brought the most. ``pages`` are messages that reached a person on
#: any channel but the inbox; at night by the clock of that person, if it is somebody's address.
NOISE: Final = f"""{_INCIDENTS}, run AS (
    SELECT incident.id, told.process_id FROM incident JOIN told ON told.group_id = incident.id
     UNION ALL SELECT id, id FROM alone
), paged AS MATERIALIZED (
    SELECT run.id, sum(sent.pages) AS pages, sum(sent.at_night) AS at_night
      FROM run CROSS JOIN LATERAL (
           SELECT count(*) AS pages, count(*) FILTER (WHERE its.hour >= 22 OR its.hour < 7) AS at_night
             FROM notifications_notification AS told
             JOIN notifications_delivery AS delivery
               ON delivery.notification_id = told.id AND delivery.id >= %(first_id)s
             LEFT JOIN accounts_user AS person ON person.uuid = delivery.user_id
            CROSS JOIN LATERAL (
                  SELECT extract(hour FROM delivery.sent_at AT TIME ZONE person.time_zone) AS hour) AS its
            WHERE told.source_type = 'escalation' AND told.source_id = run.process_id::text
              AND delivery.status = 'sent' AND delivery.channel <> 'inbox') AS sent
     GROUP BY run.id
), counted AS (
    SELECT it.*, coalesce(paged.pages, 0) AS pages, coalesce(paged.at_night, 0) AS at_night,
           it.acknowledged_at <= it.began_at + %(soon)s AS is_acknowledged_soon,
           it.acknowledged_at IS NULL AND it.is_over_by_itself AND it.over_at <= it.began_at + %(soon)s
               AS is_over_soon
      FROM incident AS it LEFT JOIN paged ON paged.id = it.id
), sums AS (
    SELECT grouping(key) = 1 AS is_source, source, source_id, max(source_name) AS name, key,
           max(title) AS title, count(*) AS incidents, sum(occurrences)::bigint AS occurrences,
           sum(pages)::bigint AS pages, sum(at_night)::bigint AS at_night,
           count(*) FILTER (WHERE is_acknowledged_soon) AS acknowledged_soon,
           count(*) FILTER (WHERE is_over_soon) AS over_soon
      FROM counted
     GROUP BY GROUPING SETS ((source, source_id), (source, source_id, key))
), ranked AS (
    SELECT *, row_number() OVER (
               PARTITION BY is_source
               ORDER BY at_night DESC, pages DESC, occurrences DESC, incidents DESC, source, source_id, key)
               AS place
      FROM sums
)
SELECT is_source, source, source_id, name, key, title, incidents, occurrences, pages, at_night,
       acknowledged_soon, over_soon
  FROM ranked WHERE place <= %(rows)s ORDER BY is_source DESC, place
"""  # noqa: S608  (constants)
named("figures.noise", "Find the sources and keys that bring and page the most.", NOISE)
