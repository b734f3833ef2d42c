"""The texts that come with the product: files in ``templates/messages`` of every installed app.

``<kind>.<language>[.<channel>].txt`` holds a title in the first line, an empty line, and the body;
``<kind>.sample.json`` says what the kind is about, what its variables mean, and gives an example of them.
"""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from pathlib import Path
from types import MappingProxyType
from typing import Any, Final

from django.conf import settings
from django.template.utils import get_app_template_dirs

from notifications.messages.compiled import Compiled, Text

#: Known to every text, whatever its kind.
COMMON: Final = {
    "product_name": "The product's name (PRODUCT_NAME).",
    "public_url": "Where people reach it (PUBLIC_URL).",
}


@dataclass(slots=True)
class Kind:
    """One kind of notification: its texts by language and channel, and what they are given."""

    name: str
    about: str = ""
    variables: Mapping[str, str] = field(default_factory=dict)
    sample: Mapping[str, Any] = field(default_factory=dict)
    #: Names of which each text must use one, if any.
    needs_one_of: Sequence[str] = ()
    texts: dict[tuple[str, str], Compiled] = field(default_factory=dict)


def common_variables() -> dict[str, str]:
    return {"product_name": settings.PRODUCT_NAME, "public_url": settings.PUBLIC_URL}


@lru_cache(maxsize=1)
def kinds() -> Mapping[str, Kind]:
    """Return every kind that has files, by name; read and compiled once in each process."""
    return MappingProxyType(read(get_app_template_dirs("templates/messages")))


def texts_of(kind: str) -> Mapping[tuple[str, str], Compiled]:
    """Return a kind's texts by language and channel; empty where there are no files of it."""
    known = kinds().get(kind)
    return known.texts if known else {}


def read(folders: tuple[Path, ...]) -> dict[str, Kind]:
    """Read the files of the given folders."""
    found: dict[str, Kind] = {}
    languages = {code for code, _ in settings.LANGUAGES}
    for folder in map(Path, folders):
        for path in sorted(folder.glob("*.sample.json")):
            name = path.name.removesuffix(".sample.json")
            found[name] = Kind(name, **json.loads(path.read_text()))
        for path in sorted(folder.glob("*.txt")):
            *words, last = path.name.removesuffix(".txt").split(".")
            channel = "" if last in languages else last
            language = words.pop() if channel and words else last
            if language not in languages or not words:
                raise ValueError(f"{path.name}: expected <kind>.<language>[.<channel>].txt")
            title, _, body = path.read_text().partition("\n")
            name, text = ".".join(words), Text(title, body.strip("\n"))
            kind = found.setdefault(name, Kind(name))
            kind.texts[language, channel] = Compiled(name, language, channel, "file", text)
    return dict(sorted(found.items()))
