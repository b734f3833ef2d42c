"""Alerts on their way from the signal to a fan-out, past the job queue.

A list in Redis, and a thread at its end. A hint like any other: what is lost here the job or the sweep finds
by its row. The alert itself is in it, so that nobody has to look for it; one worker takes what lies in the
list, and that goes into one fan-out.
"""

import threading
import time
from collections.abc import Sequence
from datetime import datetime
from typing import Final, cast
from uuid import UUID

import orjson
import structlog
from django.conf import settings
from django.db import IntegrityError, close_old_connections, connections
from redis import Redis
from redis.exceptions import RedisError

from accounts.models import Shop
from config.postgresql.base import set_session
from notifications import queue
from notifications.engine import wake
from notifications.engine.fanout import alerts_fan_out, fan_out_arrived
from notifications.models import Alert

log = structlog.get_logger(__name__)

LIST: Final = "tocsin:arrivals"
#: There while some worker takes what arrives.
TAKEN: Final = "tocsin:arrivals:taken"
# One job for so much time does while arrivals are taken, in milliseconds: the sweep looks every second.
JOB_EVERY_MS: Final = 5000
_JOB: Final = "tocsin:arrivals:job"
# Between two looks whether to end, in seconds; for as long again a worker counts as taking.
_WAIT_S: Final = 1
# Where nobody takes any, no more than this is kept; so many are taken at once.
_MOST: Final = 1000
_AT_ONCE: Final = 64
# Two that come within so much time, in seconds, are not alone.
_BUSY_S: Final = 0.002


def announce(alerts: Sequence[Alert]) -> bool:
    """Say that alerts wait; returns whether they need a job too. Raises RedisError where Redis is away."""
    packed = [
        orjson.dumps([*(getattr(alert, name) for name in _FIELDS), alert.shop.slug, alert.shop.name])
        for alert in alerts
    ]
    with queue.redis().pipeline(transaction=False) as pipeline:
        pipeline.rpush(LIST, *packed)
        pipeline.ltrim(LIST, -_MOST, -1)
        pipeline.exists(TAKEN)
        pipeline.set(_JOB, 1, nx=True, px=JOB_EVERY_MS)
        _, _, is_taken, is_first = pipeline.execute()
    return not is_taken or bool(is_first)


_FIELDS: Final = ("alert_uuid", "url", "location", "label", "time_spotted", "received_at", "shop_id")


def _unpacked(packed: bytes) -> Alert:
    alert_uuid, url, location, label, time_spotted, received_at, shop_id, slug, name = orjson.loads(packed)
    return Alert(
        alert_uuid=UUID(alert_uuid),
        url=url,
        location=location,
        label=label,
        time_spotted=datetime.fromisoformat(time_spotted),
        received_at=datetime.fromisoformat(received_at),
        shop=Shop(id=UUID(shop_id), slug=slug, name=name),
    )


class Arrivals:
    """Fans out what arrives, in a thread of its own, until it is stopped."""

    def __init__(self) -> None:
        self._stopping = False
        self._beat_at = 0.0
        self._thread = threading.Thread(target=self._run, name="arrivals", daemon=True)

    def start(self) -> None:
        self._thread.start()

    def stop(self) -> None:
        self._stopping = True
        self._thread.join(4 * _WAIT_S)

    def _run(self) -> None:
        # The few statements here are long and always the same: planning costs more than running.
        set_session(plan_cache_mode="force_generic_plan")
        # A connection of its own: it blocks for longer than others may.
        redis = Redis.from_url(settings.REDIS_URL, socket_timeout=_WAIT_S + 5, socket_connect_timeout=2)
        while not self._stopping:
            try:
                self._take(redis)
            except RedisError as error:
                log.warning("arrivals_away", error=str(error))
                # What a hint or the sweep's job would bring about: Redis is away, full or read-only.
                self._fan_out_waiting()
                if wake.local is not None:
                    wake.local(revocable=True)
                time.sleep(_WAIT_S)
            except Exception:  # a thread that ends in silence is worse
                log.exception("arrivals_failed")
                time.sleep(_WAIT_S)
        connections.close_all()
        redis.close()

    def _take(self, redis: Redis) -> None:
        began = time.monotonic()
        first = cast("tuple[bytes, bytes] | None", redis.blpop([LIST], timeout=_WAIT_S))
        now = time.monotonic()
        if now - self._beat_at > _WAIT_S / 2:
            self._beat_at = now
            redis.set(TAKEN, 1, ex=3 * _WAIT_S)
        if first is None:
            return
        packed = [first[1]]
        if now - began < _BUSY_S:
            packed += cast("list[bytes] | None", redis.lpop(LIST, _AT_ONCE - 1)) or []
        try:
            if fan_out_arrived([_unpacked(alert) for alert in packed]):
                return
        except Exception as error:
            if not isinstance(error, IntegrityError):  # as after a crash: it was there already
                log.warning("arrivals_left", count=len(packed), error=str(error).strip())
        self._fan_out_waiting()

    def _fan_out_waiting(self) -> None:
        close_old_connections()  # that is, one that broke
        try:
            alerts_fan_out()
        except Exception:
            log.exception("arrivals_failed")
        finally:
            close_old_connections()
