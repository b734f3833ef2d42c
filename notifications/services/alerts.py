"""Taking in what a shop's cameras report: one alert or many by one statement."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final
from uuid import UUID

from django.core.exceptions import ValidationError
from django.db import Error, connection
from django.db.models.signals import post_save

from accounts.models import ApiKey, Scope, Shop
from config import clock
from config.exceptions import Conflict
from notifications import metrics, queue
from notifications.engine.database import run_prepared
from notifications.models import Alert

# Stores those of the posted whose id is new; the first of each id, whose others are compared with it.
# - Both columns of a shop have a unique index; a slug wins over another shop's name.
# - The locks are those of the foreign keys. Taken here, a row that goes away is not found, and nothing fails.
# - In the order of ids, so that two requests with the same alerts don't wait for each other.
# - `set_config` is for this transaction alone: it is visible at once, and waited for later (see `_wait`).
_ACCEPT: Final = """
WITH sender AS MATERIALIZED ({sender}),
posted AS MATERIALIZED (
    SELECT * FROM unnest(%(alert_uuids)s::uuid[], %(urls)s::text[], %(locations)s::text[], %(labels)s::text[],
                         %(times)s::timestamptz[])
      WITH ORDINALITY AS posted (alert_uuid, url, location, label, time_spotted, number)
), shop AS MATERIALIZED (
    SELECT named.location, found.id, found.slug, found.name
      FROM (SELECT DISTINCT location FROM posted) AS named
     CROSS JOIN LATERAL (
        SELECT id, slug, name FROM accounts_shop WHERE slug = named.location OR name = named.location
         ORDER BY slug = named.location DESC LIMIT 1 FOR KEY SHARE) AS found
), first AS MATERIALIZED (
    SELECT DISTINCT ON (posted.alert_uuid) posted.*, shop.id AS shop_id, sender.id AS received_from_id
      FROM sender CROSS JOIN posted JOIN shop USING (location)
     ORDER BY posted.alert_uuid, posted.number
), taken AS (
    INSERT INTO notifications_alert
           (alert_uuid, url, shop_id, location, label, time_spotted, received_at, received_from_id)
    SELECT alert_uuid, url, shop_id, location, label, time_spotted, %(now)s, received_from_id
      FROM first
     WHERE set_config('synchronous_commit', coalesce(%(commit)s, current_setting('synchronous_commit')), true)
           <> ''
     ORDER BY alert_uuid
        ON CONFLICT (alert_uuid) DO NOTHING
    RETURNING alert_uuid
)
SELECT posted.number, shop.id, shop.slug, shop.name, taken.alert_uuid IS NOT NULL, sender.*
  FROM sender CROSS JOIN posted JOIN shop USING (location)
  LEFT JOIN first USING (number)
  LEFT JOIN taken ON taken.alert_uuid = first.alert_uuid
"""
_BY_ANYONE = _ACCEPT.format(
    sender="SELECT (SELECT id FROM accounts_apikey WHERE id = %(received_from)s::uuid FOR KEY SHARE) AS id"
)
_BY_KEY = _ACCEPT.format(
    sender="""
    SELECT id, last_used_at FROM accounts_apikey
     WHERE digest = %(digest)s AND revoked_at IS NULL AND (expires_at IS NULL OR expires_at > %(now)s)
       AND %(scope)s = ANY (scopes)
       FOR KEY SHARE"""
)
# Commits an empty message, which waits as the operator has set it for all that came before: for the disk,
# and for the standbys where some are synchronous. Only a transaction that has an id waits for these.
_WAIT = "SELECT pg_logical_emit_message(true, 'tocsin', '')"


@dataclass(frozen=True, slots=True)
class Posted:
    """An alert as its sender gives it, each field by itself acceptable."""

    alert_uuid: UUID
    url: str
    location: str
    label: str
    time_spotted: datetime


@dataclass(frozen=True, slots=True)
class Accepted:
    alert: Alert
    #: False where the very same one was here already.
    is_new: bool


@dataclass(frozen=True, slots=True)
class AcceptedByKey:
    alert: Alert
    #: Its id, and when it was last used.
    key: ApiKey


Verdict = Accepted | ValidationError | Conflict


def alert_accept(*, posted: Posted, received_from: ApiKey | None = None) -> Accepted:
    """Store an alert, unless the very same one is here already.

    Raises:
        ValidationError: no shop has this location for its slug or name.
        Conflict: another alert has this id.
    """
    verdict = alerts_accept(posted=[posted], received_from=received_from)[0]
    if not isinstance(verdict, Accepted):
        raise verdict
    return verdict


def alerts_accept(*, posted: Sequence[Posted], received_from: ApiKey | None = None) -> list[Verdict]:
    """Store alerts, each for itself, and return what became of each; errors are those of ``alert_accept``.

    Each new one is announced by ``post_save`` once it is committed, before it is on disk: so the fan-out
    begins while disk and standbys still write. This returns only when all of it is where a commit has to be.
    A crash in between undoes alerts that nobody was promised anything of; posted again they get the same
    deliveries, by id, as the ones that may have gone out (docs/adr/0013).
    """
    now = clock.now()
    sender = {"received_from": received_from and received_from.pk}
    # Django's own cursor looks whether the connection is of use; what is prepared goes past it.
    connection.close_if_health_check_failed()
    found: dict[int, Accepted] = {}
    for number, shop_id, slug, name, is_new, sender_id in _run(_BY_ANYONE, posted, now, sender):
        shop = Shop.from_db("default", ["id", "slug", "name"], (shop_id, slug, name))
        found[number] = Accepted(_alert(posted[number - 1], shop, now, sender_id), is_new)
    _announce([each.alert for each in found.values() if each.is_new])
    _wait()
    known = [each.alert.pk for each in found.values() if not each.is_new]
    existing = Alert.objects.select_related("shop").in_bulk(known) if known else {}
    return [_verdict(found.get(number), existing) for number in range(1, len(posted) + 1)]


def alert_accept_by_key(*, posted: Posted, digest: str, now: datetime) -> AcceptedByKey | None:
    """Look at the key and store the alert by one statement; None where that came to nothing, whyever.

    The connection is not looked at before. Where it was of no use, the alert may be stored or not: whoever
    asks ``alert_accept`` then gets the right answer.
    """
    sender = {"digest": digest, "scope": Scope.ALERTS_WRITE}
    try:
        rows = _run(_BY_KEY, [posted], now, sender)
        if not rows or not rows[0][4]:
            return None
        _, shop_id, slug, name, _, key_id, last_used_at = rows[0]
        shop = Shop.from_db("default", ["id", "slug", "name"], (shop_id, slug, name))
        alert = _alert(posted, shop, now, key_id)
        _announce([alert])
        _wait()
    except Error:
        if connection.in_atomic_block:
            raise
        connection.close()
        return None
    key = ApiKey.from_db("default", ["id", "last_used_at"], (key_id, last_used_at))
    return AcceptedByKey(alert, key)


def _run(
    statement: str, posted: Sequence[Posted], now: datetime, sender: Mapping[str, Any]
) -> list[tuple[Any, ...]]:
    return run_prepared(
        statement,
        {
            "alert_uuids": [each.alert_uuid for each in posted],
            "urls": [each.url for each in posted],
            "locations": [each.location for each in posted],
            "labels": [each.label for each in posted],
            "times": [each.time_spotted for each in posted],
            "now": now,
            # Inside another transaction it is that one's commit that waits.
            "commit": None if connection.in_atomic_block else "off",
            **sender,
        },
    )


def _alert(posted: Posted, shop: Shop, now: datetime, received_from_id: UUID | None) -> Alert:
    alert = Alert(
        alert_uuid=posted.alert_uuid,
        url=posted.url,
        shop=shop,
        location=posted.location,
        label=posted.label,
        time_spotted=posted.time_spotted,
        received_at=now,
        received_from_id=received_from_id,
    )
    alert._state.adding, alert._state.db = False, "default"
    return alert


def _announce(alerts: Sequence[Alert]) -> None:
    """Send by hand what ``save`` would have: one statement stored them all. They share one job."""
    if not alerts:
        return
    metrics.add("accepted", amount=len(alerts))
    with queue.once():
        for alert in alerts:
            post_save.send(
                sender=Alert, instance=alert, created=True, update_fields=None, raw=False, using="default"
            )


def _wait() -> None:
    if not connection.in_atomic_block:
        with connection.cursor() as cursor:
            cursor.execute(_WAIT)


def _verdict(found: Accepted | None, existing: Mapping[UUID, Alert]) -> Verdict:
    if found is None:
        return ValidationError({"location": ["No shop has this slug or name."]})
    if found.is_new:
        return found
    here = existing.get(found.alert.pk)
    if here is None or _content(here) != _content(found.alert):
        return Conflict("An alert with this alert_uuid was accepted before, with other content.")
    return Accepted(here, is_new=False)


def _content(alert: Alert) -> tuple[object, ...]:
    """What makes two alerts the same: the shop counts, not which of its names the sender used."""
    return alert.url, alert.shop_id, alert.label, alert.time_spotted
