"""Texts that could not be rendered: logged, counted, and kept for the admin to show."""

import contextlib
import time
from datetime import datetime
from typing import Final, NamedTuple

import django_rq
import orjson
import structlog
from redis.exceptions import RedisError

from config import clock
from notifications import metrics
from notifications.messages.compiled import Compiled

log = structlog.get_logger(__name__)

#: One Redis hash: text → its last fault. For people to look at, so that it may be lost.
KEY: Final = "tocsin:message-faults"
#: A text's faults are logged once in so many seconds by each process.
LOG_EVERY_S: Final = 60.0
FORGET_AFTER_S: Final = 7 * 24 * 3600


class Fault(NamedTuple):
    digest: str
    error: str
    at: datetime


def report(text: Compiled, error: str) -> None:
    """Say that a text could not be rendered, and that another took its place. Never raises."""
    metrics.add("message_faults", text.kind, text.origin)
    now = time.monotonic()
    if text.reported_at is not None and now - text.reported_at < LOG_EVERY_S:
        return
    text.reported_at = now
    log.error(
        "message_template_fault",
        kind=text.kind,
        language=text.language,
        channel=text.channel,
        origin=text.origin,
        error=error,
    )
    fault = orjson.dumps([text.digest, error, clock.now()])
    try:
        pipeline = django_rq.get_connection().pipeline(transaction=False)
        pipeline.hset(KEY, _field(text), fault)
        pipeline.expire(KEY, FORGET_AFTER_S)
        pipeline.execute()
    except (RedisError, OSError) as unreachable:
        log.warning("message_fault_not_kept", error=type(unreachable).__name__)


def last_faults() -> dict[str, Fault]:
    """Return each text's last fault by ``name_of``; nothing where Redis is away."""
    try:
        stored = django_rq.get_connection().hgetall(KEY)
    except (RedisError, OSError):
        return {}
    faults = {}
    for name, value in stored.items():
        # Another version may keep them otherwise.
        with contextlib.suppress(ValueError, TypeError):
            digest, error, at = orjson.loads(value)
            faults[name.decode()] = Fault(digest, error, datetime.fromisoformat(at))
    return faults


def last_fault_of(text: Compiled, faults: dict[str, Fault]) -> Fault | None:
    """Return the last fault of this very text, not of an earlier version."""
    fault = faults.get(_field(text))
    return fault if fault and fault.digest == text.digest else None


def _field(text: Compiled) -> str:
    return "|".join((text.kind, text.language, text.channel, text.origin))
