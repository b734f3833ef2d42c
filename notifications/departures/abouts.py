"""Facts that a person has part in, of which others were told: each domain says which are its own."""

from collections.abc import Callable, Iterable
from typing import Any
from uuid import UUID

from django.db.models import QuerySet

from accounts.models import User
from notifications.models import ContactPoint

#: ``source_type`` and ``source_id`` of notifications.
Source = tuple[str, str]

#: Sources whose texts are about something that happened, and not about people: nobody's leaving empties them.
facts: set[str] = {"alert"}

_sources: list[Callable[[User], Iterable[Source]]] = []
_rows: list[tuple[Callable[[UUID], QuerySet[Any]], tuple[str, ...]]] = []


def register(sources: Callable[[User], Iterable[Source]]) -> None:
    """Have what was told of these facts looked through for the names of whoever leaves."""
    _sources.append(sources)


def register_rows(rows: Callable[[UUID], QuerySet[Any]], *fields: str) -> None:
    """Have these fields of rows looked through too that a person, by their id, has part in."""
    _rows.append((rows, fields))


def of(user: User) -> list[Source]:
    return sorted({source for sources in _sources for source in sources(user)})


def rows_of(person: UUID) -> list[tuple[QuerySet[Any], tuple[str, ...]]]:
    return [(rows(person), fields) for rows, fields in _rows]


def _own(user: User) -> Iterable[Source]:
    yield "user", str(user.pk)
    for pk in user.verifications.values_list("pk", flat=True):
        yield "verification", str(pk)
    for pk in ContactPoint.objects.filter(user=user).values_list("pk", flat=True):
        yield "contact_point", str(pk)


register(_own)
