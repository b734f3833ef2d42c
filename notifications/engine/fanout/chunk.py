"""One chunk of an audience: a statement that makes its deliveries, and what that has to be told before."""

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from functools import partial
from typing import Any, Final, NamedTuple
from uuid import UUID

import orjson
from django.conf import settings
from psycopg.types.json import Jsonb

from config.sql import run_prepared
from config.statements import named
from notifications import ids, metrics, rules, urgency
from notifications.channels import registry
from notifications.database import array
from notifications.engine import wake
from notifications.engine.claim import Claimed
from notifications.engine.fanout import sql
from notifications.engine.fanout.audience import Audience
from notifications.inbox import live
from notifications.models import BEHIND, Alert, Notification, priority_of
from notifications.quiet_hours import DIGEST_GRACE, held_until


class Chunk(NamedTuple):
    """What a statement made.

    ``pending`` counts the deliveries that are due, ``revocable`` says whether any of them is, ``inboxes``
    names who got an item in their inbox, and ``last_user`` is where the next chunk goes on, or None if this
    was the last.
    """

    pending: int
    revocable: bool
    inboxes: list[UUID]
    last_user: UUID | None
    #: Rows that were born claimed, each with the number of its fact, from 0, and the person's time zone.
    claimed: Sequence[tuple[int, Claimed, str]] = ()
    #: Of small alerts, how many it has fanned out.
    taken: int = 0


class Finer(NamedTuple):
    """Which finer preferences anybody has at all: what nobody has, no statement asks for."""

    rules: bool = True
    quiet_hours: bool = True
    hours: bool = True


ANY: Final = Finer()
_CHANNELS_BY_NATURE: Final = {
    nature: [channel.name for channel in registry.CHANNELS.values() if getattr(channel, nature)]
    for nature in ("instant", "revocable", "digests")
}
#: For so long what somebody was told counts against their share.
LATELY: Final = timedelta(minutes=1)
# People whose alert is small: it takes one statement, with others of its kind.
SMALL: Final = 64


def tell(chunks: Sequence[Chunk]) -> None:
    """Have what was committed sent and shown."""
    wake.publish(
        revocable=any(chunk.revocable for chunk in chunks), deliveries=sum(chunk.pending for chunk in chunks)
    )
    live.announce(user_id for chunk in chunks for user_id in chunk.inboxes)


def fan_out_chunk(
    notification: Notification,
    audience: Audience,
    *,
    inbox: bool,
    after: UUID | None,
    now: datetime,
    finer: Finer = ANY,
    size: int | None = None,
    repeats: bool = True,
    shared: bool = False,
    expires_at: datetime | None = None,
    grouped: bool = False,
) -> Chunk:
    """Store the notification, unless it is there, and make the deliveries of the next chunk.

    Args:
        shared: what comes to somebody beyond their share goes behind everybody else's.
        size: people of this chunk, at most FANOUT_CHUNK.
        repeats: False where none of them is there already, nearly certainly: that is a sixth less work.
        expires_at: when it makes no sense any more, if that is before it is too old.
        grouped: nobody is told of it, since it belongs to something that people were told of.

    Raises:
        django.db.IntegrityError: one is there, and ``repeats`` is False.
    """
    size = min(size or settings.FANOUT_CHUNK, settings.FANOUT_CHUNK)
    shape, parameters = asked(
        notification, audience, inbox=inbox, after=after, now=now, finer=finer, size=size
    )
    shared = shared and _can_wait(notification)
    shape = shape._replace(grouped=grouped, shared=shared, ends=expires_at is not None)
    parameters |= {
        "lately": ids.first_id(min(now, audience.as_of) - LATELY),
        "share": settings.PERSON_SHARE,
        "behind": BEHIND,
        "expires_at": expires_at,
        **_columns(notification),
        "id": ids.notification_id(audience.fact_at or audience.as_of),
        "priority": priority_of(kind=notification.kind, severity=notification.severity),
        "now": now,
        "max_age": timedelta(hours=settings.DELIVERY_MAX_AGE_H),
    }
    ((last_user, members, pending, revocable, settled),) = run_prepared(
        sql.fan_out(audience.sql, shape, repeats=repeats), parameters
    )
    return Chunk(pending, bool(revocable), _inboxes(settled), last_user if members == size else None)


def fan_out_alerts(
    alerts: Sequence[Alert],
    notifications: Sequence[Notification],
    told_at: Sequence[datetime],
    *,
    now: datetime,
    finer: Finer,
    lease_until: datetime | None,
    repeats: bool,
) -> Chunk:
    """Fan out those small alerts of one severity that nobody has: by one statement, a transaction of its own.

    Args:
        told_at: the times that go into the ids of their deliveries.
        lease_until: for when the deliveries that are due are born claimed, by whoever calls this; None where
            nobody has room for them.

    Raises:
        django.db.IntegrityError: a notification or delivery is there, and ``repeats`` is False.
    """
    everyone = Audience(sql=_OF_SHOPS, parameters={"shops": [each.shop_id for each in alerts]}, as_of=now)
    first = notifications[0]
    shape, decisive = asked(first, everyone, inbox=False, after=None, now=now, finer=finer)
    unless_quiet = not finer.quiet_hours and _can_wait(first)
    facts = [
        {
            "number": number,
            "alert_uuid": alert.pk,
            "id": ids.notification_id(at),
            "shop_id": alert.shop_id,
            "title": told.title,
            "body": told.body,
            "texts": told.texts,
            "data": told.data,
            "source_id": told.source_id,
            "dedup_key": told.dedup_key,
            "as_of": alert.received_at,
        }
        for number, (alert, told, at) in enumerate(zip(alerts, notifications, told_at, strict=True))
    ]
    parameters = decisive | {
        "facts": orjson.dumps(facts).decode(),
        "alerts": array([alert.pk for alert in alerts]),
        "small": SMALL,
        "kind": first.kind,
        "priority": priority_of(kind=first.kind, severity=first.severity),
        "now": now,
        "lease_until": lease_until,
        "max_age": timedelta(hours=settings.DELIVERY_MAX_AGE_H),
    }
    statement = sql.fan_out("", shape._replace(alerts=True, unless_quiet=unless_quiet), repeats=repeats)
    ((_, _, pending, revocable, settled, claimed, taken, _),) = run_prepared(statement, parameters)
    rows = [_claimed(made, now=now, priority=parameters["priority"]) for made in claimed or ()]
    return Chunk(pending - len(rows), bool(revocable), _inboxes(settled), None, rows, taken)


# More than are asked about, as many as the quiet hours of a chunk are looked up for.
_OF_SHOPS: Final = """
SELECT DISTINCT user_id FROM accounts_membership WHERE shop_id = ANY (%(shops)s) AND left_at IS NULL
"""
named(
    "fan-out.quiet-hours",
    "Find the quiet hours that the people of some shops have.",
    partial(sql.quiet_hours, _OF_SHOPS),
)


def _claimed(made: Sequence[Any], *, now: datetime, priority: int) -> tuple[int, Claimed, str]:
    """Return the place of its fact, a row as it is born claimed, and its person's time zone."""
    fact, pk, notification, user, contact_point, channel, address, language, lane, *others = made
    secret_version, secret_rotated_at, batching, time_zone = others
    row = Claimed(
        id=UUID(pk),
        notification_id=UUID(notification),
        user_id=UUID(user),
        contact_point_id=UUID(contact_point) if contact_point else None,
        channel=channel,
        address=address,
        language=language,
        lane=lane,
        attempt=1,
        failures=0,
        due_at=now,
        secret_version=secret_version,
        secret_rotated_at=datetime.fromisoformat(secret_rotated_at) if secret_rotated_at else None,
        priority=priority,
        batching=batching,
    )
    return fact, row, time_zone


def _inboxes(settled: Sequence[Mapping[str, Any]] | None) -> list[UUID]:
    """Count what is settled at once, and return who got an item in their inbox."""
    inboxes: list[UUID] = []
    for group in settled or ():
        metrics.add("deliveries", group["channel"], group["status"], amount=group["count"])
        inboxes += map(UUID, group["inboxes"] or ())
    return inboxes


def asked(
    notification: Notification,
    audience: Audience,
    *,
    inbox: bool,
    after: UUID | None,
    now: datetime,
    finer: Finer = ANY,
    size: int | None = None,
) -> tuple[sql.Shape, dict[str, Any]]:
    """Return the shape of the statement for the next chunk, and what decides about each delivery."""
    size = size or settings.FANOUT_CHUNK
    part = {**audience.parameters, "as_of": audience.as_of, "after": after, "chunk": size}
    part |= {"severity": notification.severity, "can_wait": _can_wait(notification)}
    of_channels = False
    quiet: dict[str, Any] = {}
    if (finer.quiet_hours and part["can_wait"]) or finer.hours:
        of_channels, quiet = _quiet_now(notification, audience, part, now)
    default, url = registry.get("third_party"), settings.THIRD_PARTY_URL
    decisive = {
        **part,
        **quiet,
        "default_channel": default.name,
        "default_address": url,
        "default_lane": default.lane(url),
        **_CHANNELS_BY_NATURE,
        "rule_kinds": rules.applicable(notification.kind, notification.severity),
    }
    if "ics" in notification.data:  # a calendar acts on the file that its mail carries, not on a digest
        decisive["digests"] = []
    return sql.Shape(inbox, rules=finer.rules, quiet=bool(quiet), hours=of_channels), decisive


def _can_wait(notification: Notification) -> bool:
    return urgency.can_wait(kind=notification.kind, severity=notification.severity)


def _columns(notification: Notification) -> dict[str, Any]:
    names = (
        "shop_id", "kind", "title", "body", "severity", "source_type", "source_id", "dedup_key", "created_at",
    )  # fmt: skip
    json = {"data": Jsonb(notification.data), "texts": Jsonb(notification.texts)}
    return {name: getattr(notification, name) for name in names} | json


def _quiet_now(
    notification: Notification, audience: Audience, part: Mapping[str, Any], now: datetime
) -> tuple[bool, dict[str, Any]]:
    """Return whether anybody has hours for a channel, and the parameters for what is quiet now, or none."""
    found = run_prepared(sql.quiet_hours(audience.sql), part)
    of_channels = any(is_of_channel for *_, is_of_channel in found)
    hours = {
        (zone, quiet_from, quiet_until)
        for zone, quiet_from, quiet_until, _ in found
        if quiet_from is not None and urgency.can_be_late(notification.kind)
    }
    ends = [(*each, end) for each in hours if (end := held_until(now, *each)) is not None]
    if not ends:
        return of_channels, {}
    names = ("quiet_zones", "quiet_from", "quiet_until", "held_until")
    quiet = dict(zip(names, map(list, zip(*ends, strict=True)), strict=True))
    return of_channels, quiet | {"digest_grace": DIGEST_GRACE}
