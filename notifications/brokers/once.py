"""Effects without a key of their own: a message that is delivered again, after it took effect, is left out.

A start that comes again after its stop would start anew: nothing else says that it was there before.
"""

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Final, Protocol, TypeVar

import structlog

from config import sql
from config.statements import named

log = structlog.get_logger(__name__)

#: SQS keeps a message for at most 14 days.
KEPT: Final = timedelta(days=15)

_RECEIVE: Final = """
INSERT INTO notifications_receivedmessage (source, message_id, received_at)
SELECT source, message_id, %(now)s
  FROM unnest(%(sources)s::text[], %(ids)s::text[]) AS given (source, message_id)
    ON CONFLICT (source, message_id) DO NOTHING
RETURNING source, message_id
"""
named("brokers.receive", "Note which messages take effect now; the others did before.", _RECEIVE)


class Received(Protocol):
    """What was read from a message; no id: there is no telling whether it comes again."""

    @property
    def source(self) -> str: ...

    @property
    def message_id(self) -> str | None: ...


_T = TypeVar("_T", bound=Received)


def fresh(commands: Sequence[_T], *, now: datetime) -> list[_T]:
    """Return those that have not taken effect yet, in their order, and note that now they do."""
    known = {(each.source, each.message_id) for each in commands if each.message_id}
    if not known:
        return list(commands)
    # In one order for all, so that two consumers of one queue can't deadlock.
    sources, ids = map(list, zip(*sorted(known), strict=True))
    new = set(sql.rows(_RECEIVE, {"sources": sources, "ids": ids, "now": now}))
    taken: list[_T] = []
    for command in commands:
        if command.message_id and (command.source, command.message_id) not in new:
            log.info("message_repeated", source=command.source, message_id=command.message_id)
            continue
        new.discard((command.source, command.message_id))
        taken.append(command)
    return taken
