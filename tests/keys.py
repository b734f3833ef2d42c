"""Keys of machines for products in homes of their own: as the command makes them, without its two seconds."""

import secrets
from collections.abc import Callable

INSERT = """
INSERT INTO accounts_apikey (id, name, digest, hint, scopes, created_at)
VALUES (uuidv7(), %(name)s, encode(sha256(convert_to(%(key)s::text, 'UTF8')), 'hex'),
        left(%(key)s::text, 10), %(scopes)s, now())
"""


def insert(execute: Callable[..., object], name: str, *scopes: str) -> str:
    """Store a new key with a function that runs SQL with named parameters; returns the key."""
    key = f"tsn_{secrets.token_urlsafe(32)}"
    execute(INSERT, name=name, key=key, scopes=list(scopes))
    return key
