"""What all kinds of things in a file have in common, and names and addresses in place of ids."""

from abc import ABC, abstractmethod
from collections.abc import Collection, Iterable, Mapping, Sequence
from datetime import date, time
from typing import Any
from uuid import UUID

from django.core.exceptions import ValidationError
from django.db.models import Model, QuerySet

from accounts.models import User

Fields = Mapping[str, Any]


class Kind(ABC):
    """Things of one kind."""

    #: As the file calls them, and one of them; the field that names each.
    name: str
    one: str
    key = "name"
    #: Whether those that no file names can be removed here. People and shops can't: that is the admin's.
    is_removed = True

    @abstractmethod
    def stored(self, named: Collection[str] | None = None) -> dict[str, dict[str, Any]]:
        """Return what is stored of these, by name, in the form of a file; None: of all that are exported."""

    def normal(self, fields: Fields) -> dict[str, Any]:
        """Return what a file says in the one form in which it can be compared with what is stored."""
        return dict(fields)

    @abstractmethod
    def make(self, name: str, fields: Fields) -> None: ...

    @abstractmethod
    def change(self, name: str, fields: Fields) -> None:
        """Store these fields; the others stay as they are."""

    def remove(self, name: str) -> None:
        raise NotImplementedError


def values_of(row: Model, names: Iterable[str]) -> dict[str, Any]:
    """Return fields as YAML has them: times as text."""
    return {name: _plain(getattr(row, name)) for name in names}


def _plain(value: Any) -> Any:
    return value.isoformat() if isinstance(value, date | time) else value


def without(fields: Fields, *names: str) -> dict[str, Any]:
    return {name: value for name, value in fields.items() if name not in names}


def people_ids(emails: Sequence[str], field: str) -> list[UUID]:
    """Return the ids of people, in the order of their addresses.

    Raises:
        ValidationError: there is no such person.
    """
    wanted = [email_of(each) for each in emails]
    known = dict(User.objects.filter(email__in=wanted).values_list("email", "pk"))
    if missing := sorted(set(wanted) - known.keys()):
        raise ValidationError({field: [f"There is no user {email}." for email in missing]})
    return [known[email] for email in wanted]


def email_of(given: str) -> str:
    return given.strip().lower()


def id_of(rows: QuerySet[Any], name: str, field: str) -> UUID:
    found: UUID | None = rows.values_list("pk", flat=True).first()
    if found is None:
        raise ValidationError({field: [f"There is no {field} {name}."]})
    return found
