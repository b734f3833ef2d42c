"""What services refuse with, besides Django's ValidationError; the API answers each with its own code."""

import math
from datetime import timedelta


class BadJSON(ValueError):
    """A body isn't JSON, or more of it than is taken; its text says so to whoever sent it."""


class Conflict(Exception):
    """The request contradicts what is already there; its text says how."""


class TooMany(Exception):
    """Somebody has tried too often; ``wait`` is how long until they may again."""

    def __init__(self, wait: timedelta) -> None:
        self.wait = wait

    @property
    def seconds(self) -> int:
        return math.ceil(self.wait.total_seconds())

    def __str__(self) -> str:
        minutes = math.ceil(self.seconds / 60)
        when = f"{self.seconds} seconds" if self.seconds < 90 else f"{minutes} minutes"
        return f"Too many attempts. Try again in {when}."
