"""What can't wait: quiet hours don't hold it, it goes out first, and no limit keeps it back.

How grave something is, its severity, is another question: it says what people at level CRITICAL are told of,
and that only a rule for exactly its kind silences it. What is critical can't wait either; but a link into a
call that begins now can't, and is not critical.
"""

from typing import Final

# Not the model's own name for it, since the models ask this module.
_CRITICAL: Final = "critical"
_URGENT: Final[set[str]] = set()


def register(*kinds: str) -> None:
    """State that these kinds make no sense any more after quiet hours."""
    _URGENT.update(kinds)


def can_be_late(kind: str) -> bool:
    """Whether it makes sense after the hours in which somebody wants none of it by a channel."""
    return kind not in _URGENT


def can_wait(*, kind: str, severity: str) -> bool:
    return severity != _CRITICAL and can_be_late(kind)
