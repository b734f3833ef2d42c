"""Consumers and the publisher say that they live, and whether their broker does, in one hash of Redis."""

import json
import os
import socket
from dataclasses import asdict, dataclass, fields
from typing import Final, Self

import structlog
from django.conf import settings
from redis import Redis
from redis.exceptions import RedisError

from config import clock
from config.findings import WARNING, Finding
from notifications import queue
from notifications.brokers import outbox, sources

log = structlog.get_logger(__name__)

KEY: Final = "tocsin:consumers"
BEAT_S: Final = 2.0
#: One that has said nothing for so long is lost, unless it is one that left in good order.
SILENCE_S: Final = 30.0
#: A lost one is forgotten then, unless it is of a source that is to be read.
FORGET_S: Final = 86_400.0
#: What the publisher calls itself.
PUBLISHER: Final = "publisher"


@dataclass(frozen=True, slots=True)
class State:
    """What one consumer says of itself: ``detail`` is why it is not connected, ``at`` when it said so."""

    source: str
    connected: bool
    since: float
    at: float
    detail: str = ""
    #: Seconds from publishing to taking effect, of the last batch; 0 while nothing comes.
    lag_s: float = 0.0
    held: int = 0

    @classmethod
    def read(cls, written: str | bytes) -> Self | None:
        """Read what one has said; None where it can't be, as of a later version that says other things."""
        try:
            said = json.loads(written)
            return cls(**{each.name: said[each.name] for each in fields(cls) if each.name in said})
        except (ValueError, TypeError):
            log.warning("consumer_not_understood")
            return None

    def is_silent(self, now: float) -> bool:
        return now - self.at > SILENCE_S


class Beat:
    """The part of one process."""

    def __init__(self, source: str) -> None:
        self.field = f"{source}|{socket.gethostname()}|{os.getpid()}"
        self.state = State(source, connected=False, since=clock.timestamp(), at=0.0, detail="It is starting.")

    def say(self, *, connected: bool, detail: str = "", lag_s: float = 0.0, held: int = 0) -> None:
        """Note how things are; told to Redis when that changes, else every two seconds."""
        now, before = clock.timestamp(), self.state
        changed = connected != before.connected
        if not changed and now - before.at < BEAT_S:
            return
        since = now if changed else before.since
        self.state = State(before.source, connected, since, now, detail, lag_s, held)
        self._write(json.dumps(asdict(self.state)))

    def leave(self) -> None:
        """Say good-bye: who leaves in good order is not missed."""
        self._write(None)

    def _write(self, value: str | None) -> None:
        redis = queue.redis()
        try:
            if value is not None:
                redis.hset(KEY, self.field, value)
                return
            # Those of this source on this machine that were killed go too: whoever restarted them knows.
            names = [name.decode() if isinstance(name, bytes) else name for name in redis.hkeys(KEY)]
            parted = [(name, *name.rpartition("|")) for name in names]
            mine = self.field.rpartition("|")[0]
            gone = [name for name, place, _, pid in parted if place == mine and not _lives(pid)]
            redis.hdel(KEY, self.field, *gone)
        except RedisError as error:
            log.warning("consumer_not_heard", error=type(error).__name__)


def _lives(pid: str) -> bool:
    try:
        os.kill(int(pid), 0)
    except ProcessLookupError:
        return False
    except (PermissionError, ValueError):
        pass
    return True


def states(redis: Redis, *, now: float) -> list[State]:
    """Return what consumers have said, but for lost ones that another has replaced; raises RedisError."""
    said = {field: State.read(value) for field, value in redis.hgetall(KEY).items()}
    found = {field: state for field, state in said.items() if state is not None}
    expected = wanted()
    alive = {state.source for state in found.values() if not state.is_silent(now)}
    silent = {field: state for field, state in found.items() if state.is_silent(now)}
    gone = [
        field
        for field, state in silent.items()
        if state.source in alive or (state.source not in expected and now - state.at > FORGET_S)
    ]
    if gone:
        redis.hdel(KEY, *gone)
    kept = [state for field, state in found.items() if field not in gone]
    return sorted(kept, key=lambda state: state.source)


def wanted() -> set[str]:
    """Return who is to be heard of: a consumer of each source, and a publisher if it has something to do."""
    names = set(sources.names())
    publishes = {name for name in names if settings.SOURCES[name].get("answers_to")}
    if settings.EVENTS_PUBLISHED:
        publishes |= names & {outbox.EVENTS}
    return names | {PUBLISHER} if publishes else names


def finding(redis: Redis) -> Finding:
    """Return whether all consumers are well, and in words how each is.

    That nobody is heard of who should be is a warning: they may have been ended in good order by somebody who
    knows, and a Redis that came back empty has forgotten those that were lost.
    """
    now = clock.timestamp()
    found = states(redis, now=now)
    missing = wanted() - {state.source for state in found}
    if not found and not missing:
        return Finding(True, "no consumer is running")
    told = [(state.source, _in_words(state, now)) for state in found]
    told += [(name, f"{name}: not heard from") for name in missing]
    detail = "; ".join(words for _, words in sorted(told))
    well = all(state.connected and not state.is_silent(now) for state in found)
    return Finding(well, f"{WARNING}{detail}" if well and missing else detail)


def _in_words(state: State, now: float) -> str:
    if state.is_silent(now):
        return f"{state.source}: not heard from for {now - state.at:.0f} s"
    if not state.connected:
        return f"{state.source}: away for {now - state.since:.0f} s ({state.detail})"
    return f"{state.source}: connected"
