"""How long it is kept what brokers' messages have been, and what can't be published."""

from datetime import timedelta
from typing import Final

from django.conf import settings

from config.slices import Old, Run, old_end
from notifications.brokers import failures, once, sources

_DEAD: Final = Old(
    table="notifications_deadmessage",
    age="created_at",
    unless="coalesce(it.ended_at, it.created_at) >= %(before)s",
)
_RECEIVED: Final = Old(table="notifications_receivedmessage", age="received_at", by=("received_at", "id"))
_FAILURES: Final = Old(table="notifications_messagefailure", age="last_at", by=("last_at", "id"))
# What a broker that is away is to get stays, however long it is away.
_OUTGOING: Final = Old(
    table="notifications_outgoingmessage", age="created_at", unless="it.broker = ANY (%(brokers)s)"
)


def dead_messages_expire(run: Run) -> int:
    """Delete old dead letters of brokers, with their bodies, replayed, discarded or not."""
    return old_end(_DEAD, before=run.now - _kept(), run=run)


def received_messages_expire(run: Run) -> int:
    """Forget which messages have taken effect, once no broker delivers them any more."""
    return old_end(_RECEIVED, before=run.now - once.KEPT, run=run)


def message_failures_expire(run: Run) -> int:
    """Forget how often messages were tried that are at no broker any more."""
    return old_end(_FAILURES, before=run.now - failures.FORGET_AFTER, run=run)


def outgoing_messages_expire(run: Run) -> int:
    """Delete what was to be published by brokers that are configured no more."""
    return old_end(_OUTGOING, before=run.now - _kept(), brokers=sources.names(), run=run)


def _kept() -> timedelta:
    return timedelta(days=settings.DEAD_LETTER_RETENTION_DAYS)
