"""Numbers in place of ids, for a bot that takes nothing else and has 64 bytes for what a button says."""

from typing import Final
from uuid import UUID

#: As many bits as every language's floating point numbers hold whole, all of the id's random part.
_BITS: Final = 53


def number_of(registration_id: UUID) -> int:
    """Return the number by which the bot means somebody whom one of its people has met."""
    return registration_id.int & ((1 << _BITS) - 1)
