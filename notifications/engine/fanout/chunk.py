"""One chunk of an audience: a statement that makes its deliveries, and what that has to be told before."""

from collections.abc import Mapping
from datetime import datetime, timedelta
from functools import lru_cache
from typing import Any, Final, NamedTuple
from uuid import UUID

from django.conf import settings
from psycopg.types.json import Jsonb

from notifications import metrics, rules
from notifications.channels import registry
from notifications.engine import ids
from notifications.engine.database import run_prepared
from notifications.engine.fanout import sql
from notifications.engine.fanout.audience import Audience
from notifications.models import PRIORITIES, Notification, Severity
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


class Finer(NamedTuple):
    """Which finer preferences anybody has at all: what nobody has, no statement asks for."""

    rules: bool = True
    quiet_hours: bool = True


ANY: Final = Finer()


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
) -> Chunk:
    """Store the notification, unless it is there, and make the deliveries of the next chunk.

    Args:
        size: people of this chunk, at most FANOUT_CHUNK.
        repeats: False where none of them is there already, nearly certainly: that is a sixth less work.

    Raises:
        django.db.IntegrityError: one is there, and ``repeats`` is False.
    """
    size = min(size or settings.FANOUT_CHUNK, settings.FANOUT_CHUNK)
    shape, parameters = asked(
        notification, audience, inbox=inbox, after=after, now=now, finer=finer, size=size
    )
    parameters |= {
        **_columns(notification),
        "id": ids.notification_id(audience.fact_at or audience.as_of),
        "priority": PRIORITIES[notification.severity],
        "now": now,
        "max_age": timedelta(hours=settings.DELIVERY_MAX_AGE_H),
    }
    ((last_user, members, pending, revocable, settled),) = run_prepared(
        sql.fan_out(audience.sql, shape, repeats=repeats), parameters
    )
    inboxes: list[UUID] = []
    for each in settled or ():
        metrics.add("deliveries", each["channel"], each["status"], amount=each["count"])
        inboxes += map(UUID, each["inboxes"] or ())
    return Chunk(pending, bool(revocable), inboxes, last_user if members == size else None)


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
    quiet = _quiet_now(notification, audience, part, now) if finer.quiet_hours else {}
    decisive = {
        **part,
        **quiet,
        **_of_channels(),
        "severity": notification.severity,
        "rule_kinds": rules.applicable(notification.kind, notification.severity),
    }
    return sql.Shape(inbox, rules=finer.rules, quiet=bool(quiet)), decisive


def _columns(notification: Notification) -> dict[str, Any]:
    names = (
        "shop_id",
        "kind",
        "title",
        "body",
        "severity",
        "source_type",
        "source_id",
        "dedup_key",
        "created_at",
    )
    json = {"data": Jsonb(notification.data), "texts": Jsonb(notification.texts)}
    return {name: getattr(notification, name) for name in names} | json


def _of_channels() -> dict[str, Any]:
    url = settings.THIRD_PARTY_URL
    default = registry.get("third_party")
    return {
        "default_channel": default.name,
        "default_address": url,
        "default_lane": default.lane(url),
        **_channels_by_nature(),
    }


@lru_cache(maxsize=1)
def _channels_by_nature() -> dict[str, list[str]]:
    return {
        nature: [channel.name for channel in registry.CHANNELS.values() if getattr(channel, nature)]
        for nature in ("instant", "revocable", "digests")
    }


def _quiet_now(
    notification: Notification, audience: Audience, part: Mapping[str, Any], now: datetime
) -> dict[str, Any]:
    """Return the parameters for the quiet hours that it is now, or none; what is critical knows none."""
    if notification.severity == Severity.CRITICAL:
        return {}
    hours = run_prepared(sql.quiet_hours(audience.sql), part)
    ends = [(*each, end) for each in hours if (end := held_until(now, *each)) is not None]
    if not ends:
        return {}
    names = ("quiet_zones", "quiet_from", "quiet_until", "held_until")
    return dict(zip(names, map(list, zip(*ends, strict=True)), strict=True)) | {"digest_grace": DIGEST_GRACE}
