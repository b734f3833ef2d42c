"""Whole numbers and ids as requests write them: in a query, a form or a header."""

from uuid import UUID


def whole(text: str, *, most: int) -> int | None:
    """Return the number that some digits spell; None where they spell none, or one above ``most``.

    Text that is longer than ``most`` isn't read at all: Python refuses thousands of digits, and zeros count.
    """
    if not (text.isascii() and text.isdigit()) or len(text) > len(str(most)):
        return None
    number = int(text)
    return number if number <= most else None


def id_in(text: str) -> UUID | None:
    """Return the id that a text is; None where it is none."""
    try:
        return UUID(text) if len(text) == 36 else None
    except ValueError:
        return None
