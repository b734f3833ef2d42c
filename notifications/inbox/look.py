"""What streams read from the database: for many people in one statement, whatever their number."""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Final, NamedTuple
from uuid import UUID

import orjson

from accounts.models import User
from config.statements import named
from notifications.database import Database
from notifications.inbox import events
from notifications.inbox.items import item

# Items of one inbox that one look brings; whoever is further behind takes several.
PAGE = 20

# What a stream hangs on beside its log-in; NULL for whoever is gone or locked out.
_CREDENTIALS: Final = "sha256(convert_to(person.password || ':' || person.epoch, 'UTF8'))"
# What an item is told with, behind its number.
_COLUMNS: Final = (
    "id", "kind", "title", "body", "texts", "language", "data", "severity",
    "created_at", "read_at", "time_zone",
)  # fmt: skip
# The two halves because an item is in one of two partial indexes. Whoever begins to listen asks for what
# comes after nothing (NULL), and gets the number from which on to look.
_NEWS: Final = f"""
SELECT asked.place, {_CREDENTIALS}, coalesce(inbox.last_number, 0), unread.count,
       item.number, item.delivery_id, notification.kind, notification.title, notification.body,
       notification.texts, item.language, notification.data::text, notification.severity,
       item.created_at, item.read_at, person.time_zone
  FROM unnest(%(people)s::uuid[], %(after)s::bigint[]) WITH ORDINALITY AS asked (user_id, after, place)
  LEFT JOIN accounts_user AS person ON person.uuid = asked.user_id AND person.is_active
  LEFT JOIN notifications_inbox AS inbox ON inbox.user_id = asked.user_id
 CROSS JOIN LATERAL (
       SELECT count(*) FROM notifications_inboxitem
        WHERE user_id = asked.user_id AND dismissed_at IS NULL AND read_at IS NULL
       ) AS unread (count)
  LEFT JOIN LATERAL (
       (SELECT * FROM notifications_inboxitem
         WHERE user_id = asked.user_id AND number > asked.after
           AND dismissed_at IS NULL AND read_at IS NULL
         ORDER BY number LIMIT %(page)s)
        UNION ALL
       (SELECT * FROM notifications_inboxitem
         WHERE user_id = asked.user_id AND number > asked.after
           AND dismissed_at IS NULL AND read_at IS NOT NULL
         ORDER BY number LIMIT %(page)s)
        ORDER BY number LIMIT %(page)s
       ) AS item ON true
  LEFT JOIN notifications_notification AS notification ON notification.id = item.notification_id
 ORDER BY asked.place, item.number
"""  # noqa: S608  (a constant)
named("inbox.news", "Read what is new in many inboxes, for their streams.", _NEWS)
_STATE: Final = f"""
SELECT asked.user_id, {_CREDENTIALS}, coalesce(inbox.last_number, 0),
       (SELECT count(*) FROM notifications_inboxitem
         WHERE user_id = asked.user_id AND dismissed_at IS NULL AND read_at IS NULL)
  FROM unnest(%(people)s::uuid[]) AS asked (user_id)
  JOIN accounts_user AS person ON person.uuid = asked.user_id AND person.is_active
  LEFT JOIN notifications_inbox AS inbox ON inbox.user_id = asked.user_id
"""  # noqa: S608  (a constant)
named("inbox.state", "Read what streams hang on, for many people.", _STATE)
# A session is good while it is there, and a log-in by token until it is said to be over.
_ALIVE: Final = """
SELECT key FROM unnest(%(sessions)s::text[]) AS key
 WHERE EXISTS (SELECT FROM django_session WHERE session_key = key AND expire_date > %(now)s)
UNION ALL
SELECT key FROM unnest(%(of_tokens)s::text[]) AS key
 WHERE NOT EXISTS (SELECT FROM accounts_endedlogin WHERE id = key)
"""
named("inbox.log-ins", "Find which log-ins are good still.", _ALIVE)


class Question(NamedTuple):
    """What came to a person's inbox after a number; None asks where they are, and for nothing else."""

    user_id: UUID
    after: int | None


@dataclass(slots=True)
class News:
    """The answer: the next items in order, as events, and how many are unread of all."""

    last_number: int
    unread: int
    notices: list[tuple[int, bytes]] = field(default_factory=list)
    credentials: bytes | None = None

    def part(self, most_bytes: int) -> tuple[list[bytes], int]:
        """Return the first of the items, at least one of them, and the number after which to go on.

        That is never beyond the inbox's own: where a crash undid an item, its number is given again.
        """
        chosen: list[bytes] = []
        after, size = self.last_number, 0
        for number, notice in self.notices:
            size += len(notice)
            if chosen and size > most_bytes:
                return chosen, after
            chosen.append(notice)
            after = number
        return chosen, after if len(chosen) == PAGE else self.last_number


class State(NamedTuple):
    """What a stream hangs on; who is gone or locked out has none."""

    credentials: bytes
    last_number: int
    unread: int


async def news(database: Database, questions: Sequence[Question]) -> list[News]:
    """Answer each question.

    Raises:
        psycopg.OperationalError: PostgreSQL is away.
    """
    parameters = {
        "people": [question.user_id for question in questions],
        "after": [question.after for question in questions],
        "page": PAGE,
    }
    answers: dict[int, News] = {}
    for place, credentials, last_number, unread, number, *columns in await database.rows(_NEWS, parameters):
        answer = answers.setdefault(place, News(last_number, unread, credentials=credentials))
        if number is not None:
            told: dict[str, Any] = dict(zip(_COLUMNS, columns, strict=True))
            told["data"] = orjson.Fragment(told["data"])
            answer.notices.append((number, events.notice(item(number=number, **told))))
    return [answers[place] for place in range(1, len(questions) + 1)]


async def states(database: Database, people: Sequence[UUID]) -> dict[UUID, State]:
    """Return how it stands with these people; whoever is gone or locked out is left out."""
    rows = await database.rows(_STATE, {"people": list(people)})
    return {user_id: State(*columns) for user_id, *columns in rows}


async def alive(
    database: Database, *, sessions: Sequence[str], of_tokens: Sequence[str], now: datetime
) -> set[str]:
    """Return which of these log-ins are not over."""
    parameters = {"sessions": list(sessions), "of_tokens": list(of_tokens), "now": now}
    return {key for (key,) in await database.rows(_ALIVE, parameters)}


def credentials_of(user: User) -> bytes:
    """Return what ``_CREDENTIALS`` makes of this person."""
    return hashlib.sha256(f"{user.password}:{user.epoch}".encode()).digest()
