"""The admin's own texts, as this process knows them: read again every few seconds, compiled once each."""

import time
from collections.abc import Callable, Mapping
from typing import Any, Final, NamedTuple

from django.db.models.signals import post_delete, post_save
from django.dispatch import receiver

from config.sql import run_prepared
from config.statements import named
from notifications.messages.compiled import Compiled, Text
from notifications.models import MessageTemplate

#: At most so old is what a process knows of the overrides.
FRESH_S: Final = 5.0

_READ = """
SELECT kind, language, channel, title, body FROM notifications_messagetemplate WHERE is_active
"""
named("messages.overrides", "Read the admin's own texts.", _READ)

Key = tuple[str, str, str]


class Snapshot(NamedTuple):
    """The active overrides by kind, and then by language and channel."""

    kinds: Mapping[str, Mapping[tuple[str, str], Compiled]]

    def of(self, kind: str) -> Mapping[tuple[str, str], Compiled]:
        return self.kinds.get(kind, {})


class Overrides:
    """Reads them when they are asked for and what is known is older than ``FRESH_S``."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._read_at: float | None = None
        self._compiled: dict[Key, Compiled] = {}
        self._snapshot = Snapshot({})

    def current(self) -> Snapshot:
        now = self._clock()
        if self._read_at is None or now - self._read_at >= FRESH_S:
            compiled: dict[Key, Compiled] = {}
            by_kind: dict[str, dict[tuple[str, str], Compiled]] = {}
            for kind, language, channel, title, body in run_prepared(_READ, {}):
                key, source = (kind, language, channel), Text(title, body)
                text = self._compiled.get(key)
                if text is None or text.source != source:
                    text = Compiled(*key, "override", source)
                compiled[key] = by_kind.setdefault(kind, {})[language, channel] = text
            if compiled != self._compiled:
                self._compiled, self._snapshot = compiled, Snapshot(by_kind)
            self._read_at = now
        return self._snapshot

    def forget(self) -> None:
        """Read them again the next time."""
        self._read_at = None


_here = Overrides()
current = _here.current


@receiver([post_save, post_delete], sender=MessageTemplate)
def forget(**kwargs: Any) -> None:
    """Let the process that changed a text see it at once; the others do within seconds."""
    _here.forget()
