"""Alerts of one shop and label that are told as one, if the shop wants that: people hear of the first."""

from collections.abc import Sequence
from typing import Final

from config.sql import run_prepared
from config.statements import named
from notifications.database import array
from notifications.models import Alert

# In the order of ids: two that group for the same shops can't deadlock.
_LOCK: Final = "SELECT FROM accounts_shop WHERE id = ANY (%(shops)s::uuid[]) ORDER BY id FOR NO KEY UPDATE"
named("fan-out.group.lock", "Have nobody else group alerts of these shops meanwhile.", _LOCK)
# The group of the last alert near this one: one that has waited for long joins no group of later ones.
_GROUP: Final = """
UPDATE notifications_alert AS alert
   SET grouped_with = coalesce((
       SELECT first.alert_uuid
         FROM notifications_alert AS near
         JOIN notifications_alert AS first ON first.alert_uuid = near.grouped_with
        WHERE near.shop_id = alert.shop_id AND near.label = alert.label AND near.grouped_with IS NOT NULL
          AND near.received_at > alert.received_at - make_interval(secs => shop.group_alerts_s)
          AND near.received_at < alert.received_at + make_interval(secs => shop.group_alerts_s)
          AND (shop.repeat_alerts_s = 0
               OR first.received_at > alert.received_at - make_interval(secs => shop.repeat_alerts_s))
        ORDER BY near.received_at DESC LIMIT 1), alert.alert_uuid)
  FROM accounts_shop AS shop
 WHERE alert.alert_uuid = %(alert)s AND shop.id = alert.shop_id
RETURNING grouped_with
"""
named("fan-out.group", "Find the group of an alert, or let it be the first of one.", _GROUP)


def alerts_group(alerts: Sequence[Alert]) -> None:
    """Decide of which alerts people are told, in this order; part of the transaction that fans them out.

    So one that can't be fanned out is the first of no group, and a crash undoes both or neither.
    """
    if not alerts:
        return
    run_prepared(_LOCK, {"shops": array([alert.shop_id for alert in alerts])})
    for alert in alerts:
        ((alert.grouped_with,),) = run_prepared(_GROUP, {"alert": alert.pk})
