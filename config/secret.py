"""Secrets that nobody has set: made once, kept in the instance directory, readable by its owner alone."""

import contextlib
import os
import secrets

from config import embedded


def generated(name: str) -> str:
    """Return the secret kept as ``<home>/<name>``, made on first use; safe against two first uses at once."""
    path = embedded.home() / name
    path.parent.mkdir(parents=True, exist_ok=True)
    if not path.exists():
        draft = path.with_name(f".{name}.{os.getpid()}")
        with os.fdopen(os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w") as file:
            file.write(secrets.token_urlsafe(48))
        # A hard link fails where the name exists already: the first writer wins, the others read its value.
        with contextlib.suppress(FileExistsError):
            os.link(draft, path)
        draft.unlink()
    return path.read_text().strip()
