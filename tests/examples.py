"""Examples of property tests that don't inherit from each other."""

from collections.abc import Iterator
from contextlib import contextmanager

from django.db import transaction


@contextmanager
def undone() -> Iterator[None]:
    """Undo what an example stores, also where it fails: all examples share one transaction."""
    with transaction.atomic():
        yield
        transaction.set_rollback(True)
