"""Links of a delivery's own, by which whoever gets it acts without logging in.

Texts have a mark in their place until they are sent: so a link stands in no database, dump or log.
"""

from collections.abc import Callable, Collection
from typing import Final, NamedTuple
from uuid import UUID

OPENING: Final = "⟦"


class Link(NamedTuple):
    """What stands for a mark in the messages of these channels; elsewhere nothing does."""

    url_of: Callable[[UUID], str]
    channels: Collection[str]


_LINKS: Final[dict[str, Link]] = {}


def register(mark: str, *, url_of: Callable[[UUID], str], channels: Collection[str]) -> None:
    """Have a mark replaced by a link that is made from the delivery's id.

    Args:
        channels: those that lead to one person alone. A webhook's receiver may log or forward what it gets.
    """
    _LINKS[mark] = Link(url_of, frozenset(channels))


def linked(delivery_id: UUID, channel: str, *texts: str) -> tuple[str, ...]:
    """Return texts with the delivery's links in the place of their marks."""
    for mark, link in _LINKS.items():
        if any(mark in text for text in texts):
            url = link.url_of(delivery_id) if channel in link.channels else ""
            texts = tuple(text.replace(mark, url) for text in texts)
    return texts
