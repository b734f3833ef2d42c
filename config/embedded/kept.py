"""Secrets that are made once and kept in a file that its owner alone can read."""

import contextlib
import os
import secrets
from pathlib import Path


def secret(path: Path) -> str:
    """Return the secret in this file, made on first use; safe against two first uses at once."""
    path.parent.mkdir(parents=True, exist_ok=True)
    if not path.exists():
        draft = path.with_name(f".{path.name}.{os.getpid()}")
        with os.fdopen(os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w") as file:
            file.write(secrets.token_urlsafe(48))
        # A hard link fails where the name exists already: the first writer wins, the others read its value.
        with contextlib.suppress(FileExistsError):
            os.link(draft, path)
        draft.unlink()
    return path.read_text().strip()
