"""Storing what somebody makes or changes, where another may have its name."""

from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from typing import TypeVar

from django.db import IntegrityError, transaction
from django.db.models import Model, QuerySet

from config.rest.exceptions import Conflict

M = TypeVar("M", bound=Model)


@contextmanager
def unless_taken(why: str) -> Iterator[None]:
    """Store within a transaction of its own.

    Raises:
        Conflict: a constraint refuses it; ``why`` says so.
    """
    try:
        with transaction.atomic():
            yield
    except IntegrityError:
        raise Conflict(why) from None


def made_once(new: M, save: Callable[[M], M], named: QuerySet[M], fields: Iterable[str]) -> tuple[M, bool]:
    """Save a new row; where the one of its name has the same fields, return that and False.

    Raises:
        Conflict: the one of its name is another.
    """
    try:
        return save(new), True
    except Conflict:
        existing = named.first()
        if existing is None or any(getattr(existing, each) != getattr(new, each) for each in fields):
            raise
        return existing, False
