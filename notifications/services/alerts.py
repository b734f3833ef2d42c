"""Taking in what a shop's cameras report: one alert or many by one statement."""

import unicodedata
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any, Final
from uuid import UUID

import orjson
from django.core.exceptions import ValidationError
from django.db import Error, connection
from django.db.models.signals import post_save

from accounts.models import ApiKey, Shop
from accounts.rights import POST_ALERTS
from config import clock
from config.rest.exceptions import Conflict
from config.sql import run_prepared
from config.statements import named
from notifications import metrics, signals
from notifications.models import Alert

# Stores those of the posted whose id is new; the first of each id, whose others are compared with it.
# - Both columns of a shop have a unique index; a slug wins over another shop's name.
# - The locks are those of the foreign keys. Taken here, a row that goes away is not found, and nothing fails.
# - In the order of ids, so that two requests with the same alerts don't wait for each other.
# - `set_config` is for this transaction alone: it is visible at once, and waited for later (see `_wait`).
_ACCEPT: Final = """
WITH posted AS MATERIALIZED (
    SELECT * FROM json_to_recordset(%(posted)s::json) AS posted (
           number int, digest text, alert_uuid uuid, url text, location text, label text,
           time_spotted timestamptz)
), sender AS MATERIALIZED ({sender}),
shop AS MATERIALIZED (
    SELECT named.location, found.id, found.slug, found.name
      FROM (SELECT DISTINCT location FROM posted) AS named
     CROSS JOIN LATERAL (
        SELECT id, slug, name FROM accounts_shop WHERE slug = named.location OR name = named.location
         ORDER BY slug = named.location DESC LIMIT 1 FOR KEY SHARE) AS found
), known AS MATERIALIZED (
    SELECT posted.*, shop.id AS shop_id, shop.slug, shop.name, sender.id AS received_from_id, last_used_at
      FROM posted JOIN shop USING (location) JOIN sender ON {sent_by}
), first AS MATERIALIZED (
    SELECT DISTINCT ON (alert_uuid) * FROM known ORDER BY alert_uuid, number
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
SELECT number, known.shop_id, known.slug, known.name, taken.alert_uuid IS NOT NULL, known.received_from_id,
       known.last_used_at
  FROM known LEFT JOIN first USING (number) LEFT JOIN taken ON taken.alert_uuid = first.alert_uuid
"""
_BY_ANYONE = _ACCEPT.format(
    sender="""
    SELECT (SELECT id FROM accounts_apikey WHERE id = %(received_from)s::uuid FOR KEY SHARE) AS id,
           NULL::timestamptz AS last_used_at""",
    sent_by="true",
)
named("alerts.accept", "Store alerts whose sender is known.", _BY_ANYONE)
_BY_KEYS = _ACCEPT.format(
    sender="""
    SELECT id, digest, last_used_at FROM accounts_apikey
     WHERE digest IN (SELECT digest FROM posted) AND revoked_at IS NULL
       AND (expires_at IS NULL OR expires_at > %(now)s) AND %(scope)s = ANY (scopes)
       FOR KEY SHARE""",
    sent_by="sender.digest = posted.digest",
)
named("alerts.accept.by-key", "Look at the keys of alerts and store them.", _BY_KEYS)
# Commits an empty message, which waits as the operator has set it for all that came before: for the disk,
# and for the standbys where some are synchronous. Only a transaction that has an id waits for these.
_WAIT = "SELECT pg_logical_emit_message(true, 'tocsin', '')"
named("alerts.wait", "Wait until what was stored is on disk.", _WAIT)


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
    found = _accepted(posted, now, sender)
    unknown = [number for number in range(len(posted)) if number not in found]
    # A shop's name may have letters and their accents apart, as file names of macOS have.
    composed = {number: unicodedata.normalize("NFC", posted[number].location) for number in unknown}
    if decomposed := [number for number in unknown if composed[number] != posted[number].location]:
        again = _accepted(
            [replace(posted[number], location=composed[number]) for number in decomposed], now, sender
        )
        found |= {decomposed[place]: each for place, each in again.items()}
    _announce([each.alert for each in found.values() if each.is_new])
    _wait()
    known = [each.alert.pk for each in found.values() if not each.is_new]
    existing = Alert.objects.select_related("shop").in_bulk(known) if known else {}
    return [_verdict(found.get(number), existing) for number in range(len(posted))]


def _accepted(posted: Sequence[Posted], now: datetime, sender: Mapping[str, Any]) -> dict[int, Accepted]:
    """Return those that are stored, now or before, by their number; of the others no shop is known."""
    rows = _run(_BY_ANYONE, [vars_of(each) for each in posted], now, sender)
    return {
        number: Accepted(_alert(posted[number], shop, now, sender_id), is_new)
        for number, *shop, is_new, sender_id, _ in rows
    }


def alerts_accept_by_key(
    *, posted: Sequence[tuple[Posted, str]], now: datetime
) -> list[AcceptedByKey | None]:
    """Look at the keys and store the alerts by one statement; None for what came to nothing, whyever.

    The connection is not looked at before. Where it was of no use, an alert may be stored or not: whoever
    asks ``alert_accept`` then gets the right answer.

    Args:
        posted: each with the digest of the key that it came with.
    """
    accepted: list[AcceptedByKey | None] = [None] * len(posted)
    rows = [{"digest": digest, **vars_of(each)} for each, digest in posted]
    try:
        for number, *shop, is_new, key_id, last_used_at in _run(
            _BY_KEYS, rows, now, {"scope": POST_ALERTS.scopes[0]}
        ):
            if is_new:
                key = ApiKey.from_db("default", ["id", "last_used_at"], (key_id, last_used_at))
                accepted[number] = AcceptedByKey(_alert(posted[number][0], shop, now, key_id), key)
        _announce([each.alert for each in accepted if each])
        _wait()
    except Error:
        if connection.in_atomic_block:
            raise
        connection.close()
        return [None] * len(posted)
    return accepted


def vars_of(posted: Posted) -> dict[str, Any]:
    return {name: getattr(posted, name) for name in _POSTED}


_POSTED: Final = ("alert_uuid", "url", "location", "label", "time_spotted")


def _run(
    statement: str, posted: Sequence[dict[str, Any]], now: datetime, sender: Mapping[str, Any]
) -> list[tuple[Any, ...]]:
    numbered = [{"number": number, **each} for number, each in enumerate(posted)]
    return run_prepared(
        statement,
        {
            "posted": orjson.dumps(numbered).decode(),
            "now": now,
            # Inside another transaction it is that one's commit that waits.
            "commit": None if connection.in_atomic_block else "off",
            **sender,
        },
    )


def _alert(posted: Posted, shop: Sequence[Any], now: datetime, received_from_id: UUID | None) -> Alert:
    alert = Alert(
        alert_uuid=posted.alert_uuid,
        url=posted.url,
        shop=Shop.from_db("default", ["id", "slug", "name"], shop),
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
    with signals.together():
        for alert in alerts:
            post_save.send(
                sender=Alert, instance=alert, created=True, update_fields=None, raw=False, using="default"
            )


def _wait() -> None:
    if not connection.in_atomic_block:
        run_prepared(_WAIT, {})


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
