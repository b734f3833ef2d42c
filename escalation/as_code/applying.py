"""What a document would change, and changing it: all of it in one transaction, or nothing."""

import difflib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final, Literal

import yaml
from django.core.exceptions import ValidationError
from django.db import transaction

from config.rest.api import messages_by_field
from config.rest.exceptions import Conflict
from escalation.as_code.kinds import KINDS, ROUTES, Kind
from escalation.as_code.reading import Document, Refused

Act = Literal["new", "changed", "removed", "ordered"]

_SIGNS: Final[Mapping[Act, str]] = {"new": "+", "changed": "~", "removed": "-", "ordered": "~"}


@dataclass(frozen=True, slots=True)
class Change:
    """Something that is stored otherwise, or not at all; ``was`` and ``becomes`` hold what differs."""

    kind: Kind
    name: str
    act: Act
    was: Mapping[str, Any]
    becomes: Mapping[str, Any]

    def lines(self) -> Iterator[str]:
        """Yield what changes, for people: a headline, then each line that goes or comes."""
        yield f"{_SIGNS[self.act]} {self.kind.one} {self.name}".rstrip()
        was, becomes = (as_yaml(each).splitlines() if each else [] for each in (self.was, self.becomes))
        for line in difflib.ndiff(was, becomes):
            if not line.startswith("?"):
                yield f"    {line}"


def as_yaml(value: Any) -> str:
    return yaml.safe_dump(value, sort_keys=False, allow_unicode=True, default_flow_style=False, width=100)


def exported() -> Document:
    """Return all that is stored, in the form of a file."""
    return {
        kind.name: [{kind.key: name, **fields} for name, fields in kind.stored().items()] for kind in KINDS
    }


def planned(document: Document, *, prune: bool) -> list[Change]:
    """Return what would change, in the order in which it is done.

    Args:
        prune: remove what no file names of the kinds that there are in the document.

    Raises:
        Refused: two things of a kind have one name, or a value can't be.
    """
    changes: list[Change] = []
    locked: list[Change] = []
    removed: list[Change] = []
    for kind in KINDS:
        if kind.name not in document:
            continue
        given = _by_name(kind, document[kind.name])
        stored = kind.stored(given)
        for name, fields in given.items():
            was = stored.get(name)
            if was is None:
                if fields.get("is_active") is False:
                    # Locked last: whoever is locked gets no place in a schedule, but keeps the one they have.
                    locked.append(Change(kind, name, "changed", {"is_active": True}, {"is_active": False}))
                    fields = {**fields, "is_active": True}
                changes.append(Change(kind, name, "new", {}, fields))
            elif differs := {field: value for field, value in fields.items() if was[field] != value}:
                before = {field: was[field] for field in differs}
                changes.append(Change(kind, name, "changed", before, differs))
        gone = [name for name in stored if name not in given] if prune and kind.is_removed else []
        removed += [Change(kind, name, "removed", stored[name], {}) for name in gone]
        if kind is ROUTES:
            stay = [name for name in stored if name not in gone]
            comes = [*stay, *(name for name in given if name not in stored)]
            wanted = [*given, *(name for name in stay if name not in given)]
            if comes != wanted:
                order = {"order": stay}, {"order": wanted}
                changes.append(Change(kind, "", "ordered", *order))
    return [*changes, *locked, *reversed(removed)]


def applied(document: Document, *, prune: bool, expected: Sequence[Change]) -> None:
    """Change it: everything, or nothing where something is refused.

    Args:
        expected: what was shown.

    Raises:
        Refused: something can't be stored, or would change otherwise than it was shown.
    """
    with transaction.atomic():
        if planned(document, prune=prune) != list(expected):
            raise Refused("Somebody has changed something in the meantime: look at what would change now.")
        for change in expected:
            try:
                _do(change)
            except (ValidationError, Conflict) as error:
                said = messages_by_field(error) if isinstance(error, ValidationError) else {"": [str(error)]}
                lines = [
                    f"{field}: {text}".removeprefix(": ") for field, some in said.items() for text in some
                ]
                raise Refused(
                    "\n".join(f"{change.kind.one} {change.name}: {line}" for line in lines)
                ) from None


def _do(change: Change) -> None:
    match change.act:
        case "new":
            change.kind.make(change.name, change.becomes)
        case "changed":
            change.kind.change(change.name, change.becomes)
        case "removed":
            change.kind.remove(change.name)
        case "ordered":
            ROUTES.order(change.becomes["order"])


def _by_name(kind: Kind, things: Sequence[Mapping[str, Any]]) -> dict[str, dict[str, Any]]:
    by_name: dict[str, dict[str, Any]] = {}
    for each in things:
        try:
            fields = kind.normal(each)
        except (ValidationError, ValueError) as error:
            said = " ".join(error.messages) if isinstance(error, ValidationError) else str(error)
            raise Refused(f"{kind.one} {each[kind.key]}: {said}") from None
        name = fields.pop(kind.key)
        if name in by_name:
            raise Refused(f"{kind.one} {name}: there are two of them.")
        by_name[name] = fields
    return by_name
