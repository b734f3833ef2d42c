"""`make languages`: collect what pages say, and bring the catalogue of each app and language up to date.

Catalogues are ``<app>/locale/<language>/LC_MESSAGES/django.po``; translate what is empty there, then run this
again: it writes ``django.mo`` too, which is what Django reads.
"""

import sys
from collections.abc import Iterator
from io import BytesIO
from pathlib import Path
from typing import Final

from babel.messages.catalog import Catalog
from babel.messages.extract import DEFAULT_KEYWORDS, extract
from babel.messages.mofile import write_mo
from babel.messages.pofile import read_po, write_po
from django.utils.translation.template import templatize

from tests.packages import PACKAGES, ROOT

#: Beside English, in which the code is written.
LANGUAGES: Final = ("fr", "ru")
APPS: Final = tuple(sorted(package for package in PACKAGES if package != "config"))
#: Django's names of what Babel knows by others.
KEYWORDS: Final = DEFAULT_KEYWORDS | {
    "gettext_lazy": None,
    "gettext_noop": None,
    "ngettext_lazy": (1, 2),
    "pgettext_lazy": ((1, "c"), 2),
    "npgettext_lazy": ((1, "c"), 2, 3),
}


def sources(app: str) -> list[Path]:
    """Return the files of an app that may say something on a page."""
    found = [path for suffix in ("*.py", "*.html") for path in (ROOT / app).rglob(suffix)]
    return sorted(path for path in found if "migrations" not in path.parts)


def messages_of(app: str) -> Catalog:
    """Return all that an app says, not translated."""
    catalog = Catalog()
    for path in sources(app):
        text = path.read_text()
        if path.suffix == ".html":
            # On one line, since Babel reads it as Python, where indents must match.
            text = " ".join(templatize(text, origin=str(path)).split())
        for _, message, _, context in extract("python", BytesIO(text.encode()), KEYWORDS):
            catalog.add(message, locations=[(str(path.relative_to(ROOT)), 1)], context=context)
    return catalog


class Plain(Catalog):
    """With no time and no version in its head, so that the same words are the same file.

    French has two forms, as in Django; the third that Babel knows is for millions.
    """

    def __init__(self, locale: str) -> None:
        super().__init__(locale=locale)
        if locale == "fr":
            self._num_plurals, self._plural_expr = 2, "(n > 1)"

    @property
    def mime_headers(self) -> list[tuple[str, str]]:
        kept = ("Language", "Plural-Forms", "Content-Type", "Content-Transfer-Encoding")
        return [(name, value) for name, value in super().mime_headers if name in kept]


def catalogue(app: str, language: str) -> Path:
    """Return where what an app says stands in a language."""
    return ROOT / app / "locale" / language / "LC_MESSAGES" / "django.po"


def current(app: str, language: str) -> Catalog:
    """Return an app's catalogue with all that it says now and nothing else; what is new is empty."""
    path = catalogue(app, language)
    known = read_po(BytesIO(path.read_bytes() if path.exists() else b""), locale=language)
    catalog = Plain(language)
    for message in messages_of(app):
        if not message.id:  # the head
            continue
        found = known.get(message.id, message.context)
        said = found.string if found and isinstance(found.id, type(message.id)) else ""
        catalog.add(message.id, said, message.locations, message.flags, context=message.context)
    return catalog


def written(catalog: Catalog) -> tuple[bytes, bytes]:
    """Return a catalogue as text, and as Django reads it."""
    po, mo = BytesIO(), BytesIO()
    write_po(po, catalog, width=110, sort_output=True, include_lineno=False)
    write_mo(mo, catalog)
    return po.getvalue(), mo.getvalue()


def missing(catalog: Catalog) -> Iterator[str]:
    """Yield what is not translated, or not surely."""
    for message in catalog:
        forms = message.string if isinstance(message.string, list | tuple) else (message.string,)
        if message.id and (message.fuzzy or not all(forms)):
            yield str(message.id)


def main() -> int:
    left = 0
    for app in APPS:
        for language in LANGUAGES:
            catalog, path = current(app, language), catalogue(app, language)
            if not len(catalog):
                continue
            path.parent.mkdir(parents=True, exist_ok=True)
            po, mo = written(catalog)
            path.write_bytes(po)
            path.with_suffix(".mo").write_bytes(mo)
            without = list(missing(catalog))
            left += len(without)
            print(f"{path.relative_to(ROOT)}: {len(catalog)}, not translated: {len(without)}")
    return 1 if left else 0


if __name__ == "__main__":
    sys.exit(main())
