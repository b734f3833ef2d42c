"""What is looked after every second, in the sweep's job: one question to the database says where to look.

The engine and the domains register theirs; an idle system pays one statement a second for all of them.
"""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final

import structlog
from django.db import DatabaseError

from config.outages import is_outage
from config.sql import run_prepared
from config.statements import named

log = structlog.get_logger(__name__)

Act = Callable[[datetime], object]

# PostgreSQL's codes of what befalls one statement: a deadlock and the like, a lock or a time that ran out.
_ONE_STATEMENT: Final = {"40001", "40P01", "55P03", "57014"}


@dataclass(frozen=True, slots=True)
class Look:
    """``act`` is called with the time in each second in which ``asks`` is true."""

    act: Act
    asks: str

    @property
    def name(self) -> str:
        return f"{self.act.__module__}.{self.act.__qualname__}"


_looks: dict[str, Look] = {}


def register(act: Act, *, asks: str) -> None:
    """Have a function called with the time, in each second in which there is something for it to do.

    It puts what takes long into jobs of its own.

    Args:
        asks: an SQL expression about ``%(now)s``, true where there is something to do: a seek in an index.
    """
    look = Look(act, asks)
    _looks[look.name] = look


def look(now: datetime) -> None:
    """Call those that have something to do; one that fails leaves the others theirs, and is logged.

    Where PostgreSQL is away, that is raised at once: the others would fail too.
    """
    looks = list(_looks.values())
    for each, is_due in zip(looks, ask([each.asks for each in looks], now), strict=True):
        if not is_due:
            continue
        try:
            each.act(now)
        except Exception as error:
            if is_away(error):
                raise
            log.exception("look_failed", look=each.name)


def is_away(error: Exception) -> bool:
    """Whether PostgreSQL is away or takes no writes, so that whatever is asked of it next would fail too."""
    code = getattr(error.__cause__, "sqlstate", None)
    return isinstance(error, DatabaseError) and is_outage(error) and code not in _ONE_STATEMENT


def first(what: str, by: str) -> str:
    """Return the question whether there is a row: of what stands after FROM, found by the index on a column.

    It says by which column, since old statistics could make PostgreSQL read a whole table instead.
    """
    return f"(SELECT true FROM {what} ORDER BY {by} LIMIT 1)"  # noqa: S608  (constants of the callers)


def ask(questions: Sequence[str], now: datetime) -> list[bool]:
    """Return which of these expressions about ``%(now)s`` are true, by one statement."""
    (answers,) = run_prepared(_asking(questions), {"now": now})
    return [bool(answer) for answer in answers]


def _asking(questions: Iterable[str]) -> str:
    return f"SELECT {', '.join(questions)}"


named(
    "sweep.ask",
    "Ask, every second, whether there is anything to do.",
    lambda: _asking(each.asks for each in _looks.values()),
)
