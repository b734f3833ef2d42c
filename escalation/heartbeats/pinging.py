"""Pings: one statement for all that change nothing for anybody; the others tell in their own transaction."""

from datetime import datetime
from typing import Any, Final, NamedTuple
from uuid import UUID

from django.db import transaction

from accounts.ids import uuid7
from config.sql import run_prepared
from config.statements import named
from escalation.heartbeats import telling
from escalation.heartbeats.due import expected_after
from escalation.models import Heartbeat, HeartbeatPing, PingKey
from escalation.models.heartbeat import PINGS_KEPT

State, Kind = Heartbeat.State, HeartbeatPing.Kind
#: Bytes of a ping's body that are kept; Healthchecks calls it PING_BODY_LIMIT.
BODY_LIMIT: Final = 10_000

# Unless it is locked, a heartbeat is left alone where somebody is to be told of the ping, or where SQL can't
# say when the next one is to come.
_PING: Final = """
WITH pinged AS (
    UPDATE escalation_heartbeat AS it
       SET pings = it.pings + 1,
           (state, last_ping_at, last_start_at, last_rid, last_duration_s, expected_at, due_at) = (
               SELECT state, ping_at, start_at, rid, duration_s, expected_at,
                      CASE WHEN state IN ('new', 'up')
                           THEN least(expected_at, start_at) + it.grace_s * interval '1 s' END
                 FROM (SELECT
                   CASE %(kind)s::text WHEN 'success' THEN 'up' WHEN 'fail' THEN 'down'
                        WHEN 'start' THEN CASE it.state WHEN 'paused' THEN 'new' ELSE it.state END
                        ELSE it.state END AS state,
                   CASE WHEN %(kind)s::text IN ('success', 'fail') THEN %(now)s::timestamptz
                        ELSE it.last_ping_at END AS ping_at,
                   CASE %(kind)s::text WHEN 'start' THEN %(now)s::timestamptz WHEN 'log' THEN it.last_start_at
                        WHEN 'success' THEN
                             CASE WHEN %(rid)s::uuid IS NULL OR %(rid)s::uuid = it.last_rid THEN NULL
                                  ELSE it.last_start_at END
                        END AS start_at,
                   CASE %(kind)s::text WHEN 'start' THEN %(rid)s::uuid ELSE it.last_rid END AS rid,
                   CASE WHEN %(kind)s::text NOT IN ('success', 'fail') THEN it.last_duration_s
                        WHEN it.last_rid IS NOT DISTINCT FROM %(rid)s::uuid
                        THEN extract(epoch FROM %(now)s::timestamptz - it.last_start_at)::float8
                        END AS duration_s,
                   CASE %(kind)s::text WHEN 'fail' THEN NULL
                        WHEN 'success' THEN coalesce(%(expected_at)s::timestamptz,
                                                     %(now)s::timestamptz + it.period_s * interval '1 s')
                        ELSE it.expected_at END AS expected_at
                 ) AS this)
     WHERE it.ping_uuid = %(ping_uuid)s::uuid
       AND (%(is_locked)s::boolean
            OR CASE %(kind)s::text WHEN 'success' THEN it.cron = '' AND it.state <> 'down'
                                   WHEN 'fail' THEN it.state = 'down' ELSE true END)
    RETURNING it.id, it.pings, it.last_duration_s
), kept AS (
    INSERT INTO escalation_heartbeatping AS ping (
           id, heartbeat_id, place, number, kind, at, method, exit_status, rid, duration_s, body)
    SELECT %(id)s::uuid, id, pings %% %(kept)s::int, pings, %(kind)s::text, %(now)s::timestamptz,
           %(method)s::text, %(exit_status)s::smallint, %(rid)s::uuid,
           CASE WHEN %(kind)s::text IN ('success', 'fail') THEN last_duration_s END, %(body)s::text
      FROM pinged
        ON CONFLICT (heartbeat_id, place) DO UPDATE
       SET number = excluded.number, kind = excluded.kind, at = excluded.at, method = excluded.method,
           exit_status = excluded.exit_status, rid = excluded.rid, duration_s = excluded.duration_s,
           body = excluded.body
)
SELECT id FROM pinged
"""
named("heartbeats.ping", "Note a ping, and when the next one is due.", _PING)


class Unknown(Exception):
    """There is no heartbeat of this address."""


class Ping(NamedTuple):
    """What somebody reports: ``body`` is cut to BODY_LIMIT bytes."""

    kind: HeartbeatPing.Kind
    method: str
    exit_status: int | None = None
    rid: UUID | None = None
    body: bytes = b""


def heartbeat_ping(*, ping_uuid: UUID, ping: Ping, now: datetime) -> None:
    """Note a ping; whoever is told of its heartbeat is told before this returns.

    Raises:
        Unknown: no heartbeat has this UUID.
    """
    parameters = {
        "id": uuid7(),
        "ping_uuid": ping_uuid,
        "kind": ping.kind.value,
        "now": now,
        "rid": ping.rid,
        "expected_at": None,
        "method": ping.method,
        "exit_status": ping.exit_status,
        "body": ping.body[:BODY_LIMIT].decode(errors="replace").replace("\0", ""),
        "kept": PINGS_KEPT,
        "is_locked": False,
    }
    if not run_prepared(_PING, parameters):
        _locked(ping_uuid, ping, parameters, now)


def ping_uuid_of(*, ping_key: str, slug: str) -> UUID:
    """Return the UUID of what is pinged by a key and a slug.

    Raises:
        Unknown: there is no such key, or no such slug among the heartbeats of its shop.
    """
    key = PingKey.objects.filter(key=ping_key).values_list("shop_id").first()
    if key is None:
        raise Unknown
    found = Heartbeat.objects.filter(shop=key[0], slug=slug).values_list("ping_uuid", flat=True).first()
    if found is None:
        raise Unknown
    return found


@transaction.atomic
def _locked(ping_uuid: UUID, ping: Ping, parameters: dict[str, Any], now: datetime) -> None:
    heartbeats = Heartbeat.objects.select_for_update(of=("self",)).select_related("policy", "shop")
    heartbeat = heartbeats.filter(ping_uuid=ping_uuid).first()
    if heartbeat is None:
        raise Unknown
    expected_at = expected_after(heartbeat, now)
    run_prepared(_PING, parameters | {"is_locked": True, "expected_at": expected_at})
    was_down = heartbeat.state == State.DOWN
    if ping.kind == Kind.FAIL and not was_down:
        telling.down_tell([telling.failed(heartbeat, ping.exit_status, parameters["body"])], now=now)
    elif ping.kind == Kind.SUCCESS and was_down:
        telling.up_tell([heartbeat], now=now)
