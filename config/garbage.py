"""Garbage, looked for by a process that stays."""

import gc
from typing import Final

# New objects between two looks: Python's own 700 are not a hundred deliveries' worth.
_AFTER: Final = 20_000


def spare_the_loaded() -> None:
    """Look for garbage less often, and never again in what is loaded now, which stays until the end."""
    gc.freeze()
    gc.set_threshold(_AFTER, 10, 10)
