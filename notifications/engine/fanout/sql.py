"""The text of the fan-out's statement: composed once per shape, so that each is prepared and planned alone.

No shape pays for what it does not need: where nobody has quiet hours or rules, the statement knows of none.
"""

from functools import lru_cache, partial
from typing import NamedTuple

from config.statements import named
from notifications.engine.claim import BATCHING
from notifications.reasons import Reason

# What is told, numbered. A conflicting row is written anew: its id comes back, and it stays locked.
_TOLD = """
    INSERT INTO notifications_notification
           (id, shop_id, kind, title, body, texts, data, severity, source_type, source_id, dedup_key,
            created_at)
    VALUES (%(id)s, %(shop_id)s, %(kind)s, %(title)s, %(body)s, %(texts)s, %(data)s, %(severity)s,
            %(source_type)s, %(source_id)s, %(dedup_key)s, %(created_at)s)
        ON CONFLICT (dedup_key) DO UPDATE SET dedup_key = EXCLUDED.dedup_key
 RETURNING 1 AS fact, id, shop_id, dedup_key, left(replace(id::text, '-', ''), 12) AS prefix
"""
_TOLD_OF_FACTS = """
    SELECT fact.number AS fact, stored.id, fact.shop_id, fact.dedup_key,
           left(replace(stored.id::text, '-', ''), 12) AS prefix
      FROM fact JOIN stored ON stored.dedup_key = fact.dedup_key
"""
_AUDIENCE_OF_FACTS = """
    SELECT fact.number AS fact, member.user_id, fact.as_of
      FROM fact JOIN accounts_membership AS member
        ON member.shop_id = fact.shop_id AND member.left_at IS NULL AND member.joined_at <= fact.as_of
"""

# Where a person is told. Either at their contact points, or by the default channel for who has none; or in
# their inbox and at their contact points, of which one that is the inbox would say it twice. One that was not
# confirmed when it happened is not there yet.
_CONTACT_POINTS = """
      LEFT JOIN notifications_contactpoint AS contact
        ON contact.user_id = person.uuid AND contact.deleted_at IS NULL
       AND contact.confirmed_at <= audience.as_of
"""
_INBOX_AND_CONTACT_POINTS = """
     CROSS JOIN LATERAL (
           SELECT NULL::uuid AS id, 'inbox' AS channel, '' AS address, 'inbox' AS lane, true AS is_enabled,
                  NULL::int AS secret_version, NULL::timestamptz AS secret_rotated_at,
                  1 AS batch, 0 AS linger_ms, '' AS batch_format
            UNION ALL
           SELECT id, channel, address, lane, is_enabled, secret_version, secret_rotated_at,
                  batch, linger_ms, batch_format
             FROM notifications_contactpoint
            WHERE user_id = person.uuid AND deleted_at IS NULL AND confirmed_at <= audience.as_of
              AND channel <> 'inbox') AS contact
"""

# For each person and channel named in a rule ('' for any) the narrowest that holds for this kind, and of
# the two that are left for a delivery the one that names its channel. notifications.rules says the same in
# Python. As a set and not person by person, which costs ten thousand look-ups.
_RULES = """
rule AS (
    SELECT DISTINCT ON (user_id, channel) user_id, channel, is_enabled FROM notifications_subscription
     WHERE kind = ANY (%(rule_kinds)s) AND user_id IN (SELECT user_id FROM audience)
     ORDER BY user_id, channel, array_position(%(rule_kinds)s::text[], kind::text)
),"""
_UNSUBSCRIBED = "WHEN NOT coalesce(narrow.is_enabled, wide.is_enabled, true) THEN 'unsubscribed'"

_NEVER = "WHEN hours.told = 'never' THEN 'severity'"

# The quiet hours that it is now, each with their end: worked out in Python (notifications.quiet_hours).
_QUIET = """
      LEFT JOIN unnest(%(quiet_zones)s::text[], %(quiet_from)s::time[], %(quiet_until)s::time[],
                       %(held_until)s::timestamptz[])
             AS quiet (time_zone, quiet_from, quiet_until, held_until)
        ON quiet.time_zone = person.time_zone
       AND quiet.quiet_from = preference.quiet_from AND quiet.quiet_until = preference.quiet_until
"""

# What they want of this severity by this channel; what it says of when stands in place of their quiet hours.
_HOURS = """
      LEFT JOIN notifications_channelhours AS hours
        ON hours.user_id = person.uuid AND hours.channel = {channel} AND hours.severity = %(severity)s
"""
_QUIET_OR_HOURS = """
      LEFT JOIN unnest(%(quiet_zones)s::text[], %(quiet_from)s::time[], %(quiet_until)s::time[],
                       %(held_until)s::timestamptz[])
             AS quiet (time_zone, quiet_from, quiet_until, held_until)
        ON quiet.time_zone = person.time_zone
       AND quiet.quiet_from = CASE WHEN hours.told IS NOT NULL THEN hours.ends
                                   WHEN %(can_wait)s THEN preference.quiet_from END
       AND quiet.quiet_until = CASE WHEN hours.told IS NOT NULL THEN hours.begins
                                    ELSE preference.quiet_until END
"""

# Raises the number of each inbox that gets items, in the order of the people: two fan-outs that meet in
# many inboxes wait for each other in the same order, and can't deadlock. A fan-out that is run again leaves
# a gap in the numbers.
_COUNTER = """
    INSERT INTO notifications_inbox (user_id, last_number)
    SELECT user_id, count(*) FROM decided
     WHERE channel = 'inbox' AND reason = ''
     GROUP BY user_id ORDER BY user_id
        ON CONFLICT (user_id) DO UPDATE
       SET last_number = notifications_inbox.last_number + EXCLUDED.last_number
 RETURNING user_id, last_number
"""

# Whoever is not told gets a row too, suppressed, with the reason: it answers "why didn't Ana get this?".
#
# The ids follow from the fact (notifications.ids). Looking whether a delivery is there before it is
# made costs a sixth of making it, so that is left out (``repeats``) where nearly always none is.
_FAN_OUT = """
WITH {facts} told AS ({told}), audience AS ({audience}),{rules} decided AS ({decided}),
counter AS ({counter}), made AS (
    SELECT (told.prefix || '8' || substr(name.digest, 1, 3) || '8' || substr(name.digest, 4, 15))::uuid AS id,
           told.id AS notification_id, told.shop_id, told.fact, decided.user_id, decided.contact_point_id,
           decided.channel, decided.address, decided.language, decided.lane,
           decided.secret_version, decided.secret_rotated_at, decided.batching, decided.time_zone,
           CASE WHEN decided.reason <> '' THEN 'suppressed'
                WHEN decided.channel = ANY (%(instant)s) THEN 'sent'
                ELSE 'pending' END AS status,
           CASE WHEN decided.reason <> '' OR decided.held_until IS NULL THEN decided.reason
                WHEN decided.digest THEN 'digest'
                ELSE decided.held_by END AS reason,
           decided.channel = ANY (%(revocable)s) AS revocable,
           {due_at} AS due_at
      FROM decided JOIN told ON told.fact = decided.fact
     CROSS JOIN LATERAL (
           SELECT md5(told.dedup_key || decided.user_id || coalesce(decided.contact_point_id::text, ''))
           ) AS name (digest)
), inserted AS (
    INSERT INTO notifications_delivery
           (id, shop_id, notification_id, user_id, contact_point_id, channel, address, language,
            status, reason, revocable, due_at, expires_at, created_at, sent_at, attempts, replays)
    SELECT id, shop_id, notification_id, made.user_id, contact_point_id, channel, address, language,
           status, reason, revocable, due_at, {expires_at}, %(now)s,
           CASE WHEN status = 'sent' THEN %(now)s::timestamptz END, 0, 0
      FROM made
{repeats} RETURNING id, notification_id, user_id, channel, language, status, reason, revocable, created_at
), queued AS (
    INSERT INTO notifications_outgoing
           (delivery_id, lane, priority, due_at, expires_at, revocable, lease_until, attempts, failures,
            lost_leases, held_for, for_digest)
    SELECT id, lane, {priority}, due_at, {expires_at}, revocable, {born},
           0, CASE WHEN reason <> '' THEN user_id END, reason = 'digest'
      FROM made WHERE status = 'pending' {if_inserted}
), item AS (
    INSERT INTO notifications_inboxitem
           (delivery_id, user_id, notification_id, number, language, created_at)
    SELECT inserted.id, inserted.user_id, inserted.notification_id,
           counter.last_number + 1
           - row_number() OVER (PARTITION BY inserted.user_id ORDER BY inserted.notification_id DESC),
           inserted.language, inserted.created_at
      FROM inserted JOIN counter ON counter.user_id = inserted.user_id
     WHERE inserted.channel = 'inbox' AND inserted.status = 'sent'
), settled AS (
    SELECT channel, status, count(*),
           array_agg(user_id) FILTER (WHERE channel = 'inbox' AND status = 'sent') AS inboxes
      FROM inserted WHERE status <> 'pending' GROUP BY channel, status
)
SELECT (array_agg(user_id ORDER BY user_id DESC))[1], count(*),
       (SELECT count(*) FROM inserted WHERE status = 'pending' AND reason = ''),
       (SELECT bool_or(revocable) FROM inserted WHERE status = 'pending' AND reason = ''),
       (SELECT json_agg(settled) FROM settled){claimed}
  FROM audience
"""
# Whoever has had their share lately is told the rest last: seeks in the index of their deliveries.
_PRIORITY = """
           CASE WHEN (SELECT count(*) FROM (
                      SELECT FROM notifications_delivery AS lately
                       WHERE lately.user_id = made.user_id AND lately.id >= %(lately)s
                         AND lately.channel <> ALL (%(instant)s)
                       LIMIT %(share)s) AS lately) >= %(share)s
                THEN %(behind)s::smallint ELSE %(priority)s::smallint END"""
_SOONER = "least(due_at + %(max_age)s, %(expires_at)s)"
# Rows of small alerts are born with the lease of the sender at hand, which then need not look for them.
_LEASE = "%(lease_until)s::timestamptz"
_IS_BORN = f"reason = '' AND NOT revocable AND {_LEASE} IS NOT NULL"
_BORN = f"""CASE WHEN {_IS_BORN} THEN {_LEASE} END, CASE WHEN {_IS_BORN} THEN 1 ELSE 0 END, 0"""
# What a crash undoes is done again; but no number of an item that was seen may go to another item.
_TAKEN = """,
       (SELECT count(*) FROM taken),
       CASE WHEN NOT EXISTS (SELECT FROM counter) THEN set_config('synchronous_commit', 'off', true) END"""

# What the fan-out would do at each of a person's contact points, without doing it.
_DECISIONS = """
WITH audience AS ({audience}),{rules} decided AS ({decided})
SELECT contact_point_id, channel, reason, held_until, digest, held_by
  FROM decided ORDER BY contact_point_id NULLS FIRST
"""

# The quiet hours that the next of the audience have, and the hours of their channels, each once; those of a
# channel have no times where they say always or never.
_QUIET_HOURS = """
WITH audience AS ({audience})
SELECT person.time_zone, preference.quiet_from, preference.quiet_until, false AS is_of_channel
  FROM audience
  JOIN notifications_preference AS preference
    ON preference.user_id = audience.user_id AND preference.quiet_from IS NOT NULL
  JOIN accounts_user AS person ON person.uuid = preference.user_id
 WHERE %(can_wait)s
 UNION
SELECT person.time_zone, hours.ends, hours.begins, true
  FROM audience
  JOIN notifications_channelhours AS hours
    ON hours.user_id = audience.user_id AND hours.severity = %(severity)s
  JOIN accounts_user AS person ON person.uuid = hours.user_id
"""


class Shape(NamedTuple):
    """What a statement has to know of.

    ``quiet``: it is quiet for some of them now. ``hours``: some have hours of their own for a channel.
    ``alerts``: several small ones, whose rows are born claimed. ``unless_quiet``: it leaves them where
    anybody has quiet hours, as it does where anybody has rules that it does not know of. ``shared``: each
    person has a share of what goes out at once. ``ends``: from some time on it makes no sense any more.
    ``grouped``: it belongs to something that people were told of, and nobody is told of it.
    """

    inbox: bool
    rules: bool
    quiet: bool
    hours: bool = False
    alerts: bool = False
    unless_quiet: bool = False
    shared: bool = False
    ends: bool = False
    grouped: bool = False


def _decided(shape: Shape) -> str:
    """Members of the audience × where they are told: not, and why, or held until when, or neither."""
    contacts = _INBOX_AND_CONTACT_POINTS if shape.inbox else _CONTACT_POINTS
    if shape.inbox:
        channel, address, lane = "contact.channel", "contact.address", "contact.lane"
        # The level is about being disturbed: an item in the inbox does not.
        level = "preference.level = 'CRITICAL' AND contact.id IS NOT NULL"
    else:
        channel, address, lane = (
            f"coalesce(contact.{name}, %(default_{name})s)" for name in ("channel", "address", "lane")
        )
        level = "preference.level = 'CRITICAL'"
    if shape.rules:
        contacts += f"""
      LEFT JOIN rule AS narrow ON narrow.user_id = person.uuid AND narrow.channel = {channel}
      LEFT JOIN rule AS wide ON wide.user_id = person.uuid AND wide.channel = ''
"""
    held_until, digest, held_by = "NULL::timestamptz", "false", "NULL"
    if shape.hours:
        contacts += _HOURS.format(channel=channel)
    if shape.quiet:
        contacts += _QUIET_OR_HOURS if shape.hours else _QUIET
        held_until = (
            f"CASE WHEN verdict.reason = '' AND {channel} <> ALL (%(instant)s) THEN quiet.held_until END"
        )
        wanted, held_by = "preference.digest", f"'{Reason.QUIET_HOURS}'"
        if shape.hours:
            wanted = f"CASE WHEN hours.told IS NULL THEN {wanted} ELSE hours.told = 'digest' END"
            held_by = f"CASE WHEN hours.told IS NULL THEN {held_by} ELSE '{Reason.HOURS}' END"
        digest = f"({wanted} AND {channel} = ANY (%(digests)s::text[]))"
    return f"""
    SELECT audience.fact, person.uuid AS user_id, person.language, person.time_zone,
           contact.id AS contact_point_id, contact.secret_version, contact.secret_rotated_at,
           {BATCHING if shape.alerts else "NULL"} AS batching,
           {channel} AS channel, {address} AS address, {lane} AS lane, verdict.reason,
           {held_until} AS held_until, {digest} AS digest, {held_by} AS held_by
      FROM audience
      JOIN accounts_user AS person ON person.uuid = audience.user_id AND person.is_active
      LEFT JOIN notifications_preference AS preference ON preference.user_id = person.uuid
{contacts}
     CROSS JOIN LATERAL (
           SELECT CASE WHEN NOT contact.is_enabled THEN 'disabled'
                       WHEN {level} AND %(severity)s <> 'critical' THEN 'level'
                       {_UNSUBSCRIBED if shape.rules else ""}
                       {_NEVER if shape.hours else ""}
                       ELSE '{Reason.GROUPED if shape.grouped else ""}' END AS reason) AS verdict
"""  # noqa: S608


def _audience(audience: str) -> str:
    """The next chunk of whom a query finds, in the order of their ids."""
    return f"""
    SELECT 1 AS fact, user_id, %(as_of)s::timestamptz AS as_of FROM ({audience}) AS everyone (user_id)
     WHERE %(after)s::uuid IS NULL OR user_id > %(after)s::uuid
     ORDER BY user_id LIMIT %(chunk)s
"""  # noqa: S608


def _facts(shape: Shape, *, repeats: bool) -> str:
    """Several small alerts at once, which share kind and severity.

    Whoever marks an alert as fanned out has it; what is not small, is of a shop that groups, or asks for more
    than this statement knows of, is left.
    """
    # Whether any shop groups is asked once, of an index of those that do; and of no alert where none does.
    unless = """
       AND NOT (EXISTS (SELECT FROM accounts_shop WHERE group_alerts_s > 0)
                AND (SELECT group_alerts_s > 0 FROM accounts_shop AS shop WHERE shop.id = alert.shop_id))"""
    if not shape.rules:
        unless += """
       AND NOT EXISTS (SELECT FROM notifications_subscription WHERE kind IN ('alert', ''))"""
    if not shape.hours:
        unless += """
       AND NOT EXISTS (SELECT FROM notifications_channelhours)"""
    if shape.unless_quiet:
        unless += """
       AND NOT EXISTS (SELECT FROM notifications_preference WHERE quiet_from IS NOT NULL)"""
    again = """
        ON CONFLICT (dedup_key) DO UPDATE SET dedup_key = EXCLUDED.dedup_key"""
    return f"""
taken AS (
    UPDATE notifications_alert AS alert SET fanned_out_at = %(now)s
     WHERE alert_uuid = ANY (%(alerts)s::uuid[]) AND fanned_out_at IS NULL AND fanned_out_to IS NULL
       AND (SELECT count(*) FROM (
                   SELECT FROM accounts_membership AS member
                    WHERE member.shop_id = alert.shop_id AND left_at IS NULL LIMIT %(small)s + 1) AS member
           ) <= %(small)s{unless}
 RETURNING alert_uuid
), fact AS (
    SELECT fact.*
      FROM json_to_recordset(%(facts)s::json) AS fact (
           number int, alert_uuid uuid, id uuid, shop_id uuid, title text, body text, texts jsonb, data jsonb,
           source_id text, dedup_key text, as_of timestamptz)
      JOIN taken USING (alert_uuid)
), stored AS (
    INSERT INTO notifications_notification
           (id, shop_id, kind, title, body, texts, data, severity, source_type, source_id, dedup_key,
            created_at)
    SELECT id, shop_id, %(kind)s, title, body, texts, data, %(severity)s, 'alert', source_id, dedup_key,
           %(now)s
      FROM fact{again if repeats else ""}
 RETURNING id, dedup_key
),"""  # noqa: S608  (no value is put into the text)


@lru_cache(maxsize=256)
def fan_out(audience: str, shape: Shape, *, repeats: bool) -> str:
    """Return the statement for the next chunk's deliveries; ``repeats`` leaves alone those that are there."""
    due_at = "%(now)s::timestamptz"
    if shape.quiet:
        grace = "CASE WHEN decided.digest THEN %(digest_grace)s ELSE '0'::interval END"
        due_at = f"coalesce(decided.held_until + {grace}, {due_at})"
    if_inserted = "AND id IN (SELECT id FROM inserted)" if repeats else ""
    # The rows that were born claimed, and how many alerts were taken.
    claimed = f""",
       (SELECT json_agg(json_build_array(fact, id, notification_id, user_id, contact_point_id, channel,
                                         address, language, lane, secret_version, secret_rotated_at,
                                         batching, time_zone))
          FROM made WHERE status = 'pending' AND {_IS_BORN} {if_inserted}){_TAKEN}"""  # noqa: S608
    return _FAN_OUT.format(
        facts=_facts(shape, repeats=repeats) if shape.alerts else "",
        told=_TOLD_OF_FACTS if shape.alerts else _TOLD,
        audience=_AUDIENCE_OF_FACTS if shape.alerts else _audience(audience),
        rules=_RULES if shape.rules else "",
        born=_BORN if shape.alerts else "NULL, 0, 0",
        claimed=claimed if shape.alerts else "",
        decided=_decided(shape),
        counter=_COUNTER,
        due_at=due_at,
        expires_at=_SOONER if shape.ends else "due_at + %(max_age)s",
        priority=_PRIORITY if shape.shared else "%(priority)s",
        repeats="        ON CONFLICT DO NOTHING\n" if repeats else "",
        if_inserted=if_inserted,
    )


@lru_cache(maxsize=256)
def decisions(audience: str, shape: Shape) -> str:
    """Return the query for what the fan-out would do."""
    return _DECISIONS.format(
        audience=_audience(audience),
        rules=_RULES if shape.rules else "",
        decided=_decided(shape),
    )


@lru_cache(maxsize=256)
def quiet_hours(audience: str) -> str:
    """Return the query for the distinct quiet hours of the next chunk's people."""
    return _QUIET_HOURS.format(audience=_audience(audience))


# Two of its many shapes.
_PEOPLE = "SELECT DISTINCT unnest(%(people)s::uuid[])"
_SMALL_ALERTS = Shape(inbox=False, rules=False, quiet=False, alerts=True, unless_quiet=True)
_ANYTHING = Shape(inbox=True, rules=True, quiet=True, hours=True, shared=True, ends=True)
named(
    "fan-out.alerts",
    "Make the deliveries of small alerts that have just arrived, where nobody has rules or quiet hours.",
    partial(fan_out, "", _SMALL_ALERTS, repeats=False),
)
named(
    "fan-out.people",
    "Make the deliveries of a notification to people, by all that they prefer.",
    partial(fan_out, _PEOPLE, _ANYTHING, repeats=True),
)
named("fan-out.preview", "Work out what a fan-out would do.", partial(decisions, _PEOPLE, _ANYTHING))
