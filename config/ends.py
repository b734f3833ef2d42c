"""How the rows of every table end: each app says so of its own in ``<app>/retention.py``.

tests/config/test_ends.py asks for it, of every table that there is, and docs/operations.md shows it.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from importlib import import_module
from typing import Final

from django.db.models import Model

from config import sql

#: Packages that have a ``retention`` module. That of config speaks for the tables of Django itself.
APPS: Final = ("notifications", "escalation", "tracing", "dating", "accounts", "config")


@dataclass(frozen=True, slots=True)
class Ends:
    """How the rows of one table end: in words, or with the row that they belong to.

    ``model`` is the table's name where it has no model. ``{days}`` in the words stands for the setting.
    """

    model: type[Model] | str
    how: str = ""
    setting: str = ""
    parent: type[Model] | None = None

    @property
    def table(self) -> str:
        return self.model if isinstance(self.model, str) else self.model._meta.db_table

    def __str__(self) -> str:
        if self.parent is not None:
            return f"With its {self.parent._meta.verbose_name}."
        return self.how.format(days=f"`{self.setting}` days") + "."


def stated() -> Iterator[tuple[str, Ends]]:
    """Yield what each app says, with its name."""
    for app in APPS:
        ends: Sequence[Ends] = import_module(f"{app}.retention").ENDS
        for each in ends:
            yield app, each


def unstated() -> list[str]:
    """Return the tables of the database of which nobody says how their rows end.

    A partition is part of its table, and Django's models are among the tables, managed or not.
    """
    tables = sql.column(
        "SELECT relname FROM pg_class"
        " WHERE relnamespace = current_schema()::regnamespace"
        "   AND relkind IN ('r', 'p', 'm', 'f') AND NOT relispartition ORDER BY relname"
    )
    said = {ends.table for _, ends in stated()}
    return [name for name in tables if name not in said]


def as_markdown() -> str:
    """Return the table of docs/operations.md."""
    rows = "\n".join(f"| `{ends.table}` | {ends} |" for _, ends in stated())
    return f"| Table | Its rows end |\n|---|---|\n{rows}\n"
