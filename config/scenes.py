"""The demo's scenes: each domain shows itself on the running product, from outside."""

from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path
from subprocess import CompletedProcess
from typing import Protocol


@dataclass(frozen=True, slots=True)
class Site:
    """The running product from outside: ``manage`` runs a command on its database, ``say`` prints a line."""

    base_url: str
    home: Path
    manage: Callable[..., CompletedProcess[str]]
    say: Callable[[str], None]


class Scene(Protocol):
    """One domain's part of the demo, named ``SCENE`` in its module ``demo``."""

    title: str

    def providers(self) -> AbstractContextManager[Mapping[str, str]]:
        """Run the local providers that it needs; gives the product's settings, which lead to them."""

    def play(self, site: Site) -> list[str]:
        """Act it out, say what comes of it, and return what was wrong, in words; nothing if all was well."""
