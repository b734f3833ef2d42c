"""When a browser's session was begun, for what only somebody who has just logged in may do."""

from datetime import UTC, datetime, timedelta
from typing import Final

from django.contrib.sessions.backends.base import SessionBase

FRESH_FOR: Final = timedelta(minutes=10)
_KEY: Final = "logged_in_at"


def mark_begun(session: SessionBase, *, now: datetime) -> None:
    session[_KEY] = now.timestamp()


def is_fresh(session: SessionBase, *, now: datetime) -> bool:
    """Whether its owner has logged in with it of late."""
    begun = session.get(_KEY)
    return begun is not None and now - datetime.fromtimestamp(begun, UTC) < FRESH_FOR
