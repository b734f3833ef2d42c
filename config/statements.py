"""The SQL written by hand: modules name each statement below it, and ``manage.py show_sql`` prints it."""

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path
from typing import Final

from django.apps import apps
from django.conf import settings

_PARAMETER: Final = re.compile(r"%(?:%|s|\((\w+)\)s)")
# Modules that name statements are known by this line.
_IMPORT: Final = "from config.statements import named"


@dataclass(frozen=True, slots=True)
class Statement:
    """A statement, with its parameters as psycopg has them: ``%(now)s``."""

    name: str
    purpose: str
    text: str

    @property
    def parameters(self) -> tuple[str, ...]:
        """The names of its parameters, each once; those that have none are numbered."""
        return tuple(dict.fromkeys(re.findall(r":'(\w+)'", self.for_psql)))

    @property
    def for_psql(self) -> str:
        """The same with parameters as psql has them: ``:'now'``, after ``\\set now 2026-01-01``."""
        numbers = iter(range(1, 100))

        def place(found: re.Match[str]) -> str:
            return "%" if found[0] == "%%" else f":'{found[1] or next(numbers)}'"

        return _PARAMETER.sub(place, self.text).strip()


_named: dict[str, tuple[str, str | Callable[[], str]]] = {}


def named(name: str, purpose: str, text: str | Callable[[], str]) -> None:
    """Name a statement for ``show_sql``.

    Args:
        purpose: in one line.
        text: the statement; or, of one that is composed when it is run, a function that composes one.
    """
    if name in _named:
        raise ValueError(f"there is another statement {name}")
    _named[name] = purpose, text


def known() -> Mapping[str, Statement]:
    """Return all statements by their names, in the order of these; imports the modules that name them."""
    folders = [Path(app.path) for app in apps.get_app_configs()]
    files = [
        file for folder in folders if folder.parent == settings.BASE_DIR for file in folder.rglob("*.py")
    ]
    for file in sorted(files):
        if f"\n{_IMPORT}\n" in file.read_text():
            import_module(".".join(file.relative_to(settings.BASE_DIR).with_suffix("").parts))
    return {
        name: Statement(name, purpose, text if isinstance(text, str) else text())
        for name, (purpose, text) in sorted(_named.items())
    }
