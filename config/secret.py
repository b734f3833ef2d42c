"""Secrets that nobody has set: made once, and kept in the instance directory."""

from config import embedded
from config.embedded import kept


def generated(name: str) -> str:
    """Return the secret kept as ``<home>/<name>``, made on first use."""
    return kept.secret(embedded.home() / name)
