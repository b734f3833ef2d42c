"""Alerts on their way from the signal to a fan-out, past the job queue.

A list in Redis, and a thread at its end. A hint like any other: what is lost here the job or the sweep finds
by its row. One worker takes what lies in the list, and all that has come by then goes into one fan-out.
"""

import threading
import time
from typing import Final, cast

import structlog
from django.conf import settings
from django.db import close_old_connections, connection, connections
from redis import Redis
from redis.exceptions import RedisError

from notifications import queue
from notifications.engine import wake
from notifications.engine.fanout import alerts_fan_out

log = structlog.get_logger(__name__)

LIST: Final = "tocsin:arrivals"
#: There while some worker takes what arrives.
TAKEN: Final = "tocsin:arrivals:taken"
# One job for so much time does while arrivals are taken, in milliseconds.
JOB_EVERY_MS: Final = 1000
_JOB: Final = "tocsin:arrivals:job"
# Between two looks whether to end, in seconds; for as long again a worker counts as taking.
_WAIT_S: Final = 1
# Where nobody takes any, no more than this is kept: a hint of one alert is a hint of all.
_MOST: Final = 100


def announce(alert_uuid: str) -> bool:
    """Say that an alert waits; returns whether a job should be enqueued for it too.

    Of several that are accepted together (``queue.once``) the first will do.

    Raises:
        redis.exceptions.RedisError: Redis is away.
    """
    if not queue.is_first(LIST):
        return False
    with queue.redis().pipeline(transaction=False) as pipeline:
        pipeline.rpush(LIST, alert_uuid)
        pipeline.ltrim(LIST, -_MOST, -1)
        pipeline.exists(TAKEN)
        pipeline.set(_JOB, 1, nx=True, px=JOB_EVERY_MS)
        _, _, is_taken, is_first = pipeline.execute()
    return not is_taken or bool(is_first)


class Arrivals:
    """Fans out what arrives, in a thread of its own, until it is stopped."""

    def __init__(self) -> None:
        self._stopping = False
        self._known: object = None
        self._thread = threading.Thread(target=self._run, name="arrivals", daemon=True)

    def start(self) -> None:
        self._thread.start()

    def stop(self) -> None:
        self._stopping = True
        self._thread.join(4 * _WAIT_S)

    def _run(self) -> None:
        # A connection of its own: it blocks for longer than others may.
        redis = Redis.from_url(settings.REDIS_URL, socket_timeout=_WAIT_S + 5, socket_connect_timeout=2)
        while not self._stopping:
            try:
                self._take(redis)
            except RedisError as error:
                log.warning("arrivals_away", error=str(error))
                self._look()
                time.sleep(_WAIT_S)
            except Exception:  # a thread that ends in silence is worse
                log.exception("arrivals_failed")
                time.sleep(_WAIT_S)
        connections.close_all()
        redis.close()

    def _take(self, redis: Redis) -> None:
        has_arrived = cast("object", redis.blpop([LIST], timeout=_WAIT_S)) is not None
        with redis.pipeline(transaction=False) as pipeline:
            pipeline.set(TAKEN, 1, ex=3 * _WAIT_S)
            if has_arrived:
                pipeline.delete(LIST)  # one fan-out serves all that wait by now
            pipeline.execute()
        if has_arrived:
            self._fan_out()

    def _look(self) -> None:
        """Do what a hint or the sweep's job would bring about: Redis is away, full or read-only."""
        self._fan_out()
        if wake.local is not None:
            wake.local(revocable=True)

    def _fan_out(self) -> None:
        try:
            connection.ensure_connection()
            if connection.connection is not self._known:
                # The few statements here are long and always the same: planning costs more than running.
                with connection.cursor() as cursor:
                    cursor.execute("SET plan_cache_mode = force_generic_plan")
                self._known = connection.connection
            alerts_fan_out()
        except Exception:
            log.exception("arrivals_failed")
        finally:
            close_old_connections()  # that is, one that broke
