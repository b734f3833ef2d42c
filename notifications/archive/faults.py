"""What can be wrong with the archive."""

from dataclasses import dataclass


class ArchiveError(Exception):
    """The archive can't be written or read as it is; the message says why."""


@dataclass(frozen=True, slots=True)
class Fault:
    """Something in the archive that is not as it was written: where, and what."""

    where: str
    what: str

    def __str__(self) -> str:
        return f"{self.where}: {self.what}"
