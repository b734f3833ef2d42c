"""Pages speak each language: all that they say is marked, and translated with its placeholders."""

import ast
import re
from collections.abc import Iterator
from html.parser import HTMLParser
from pathlib import Path

import pytest
from django.conf import settings

from tests import languages
from tests.packages import ROOT

#: What is read as it stands: a name of ours, an example, or a unit of the SI.
SAME_EVERYWHERE = re.compile(
    r"\b(?:Tocsin|CSV|iCal|Ctrl-K|API|ms|KEY|JSON)\b|https?://\S*|[a-z]+@example\.com"
)
SPOKEN = ("alt", "aria-label", "placeholder", "title", "data-ask", "data-label", "hx-confirm")
#: The admin is Django's and unfold's own look; as the API, it is for those who run this, in English.
NOT_PAGES = ("admin", "unfold", "drf_spectacular", "messages")
TEMPLATES = sorted(
    path
    for app in languages.APPS
    for path in languages.sources(app)
    if path.suffix == ".html" and not set(path.parts) & set(NOT_PAGES)
)
#: What a page's code says by these must be marked.
FIELDS = ("label", "help_text", "empty_label", "text", "heading", "done")
SAYING = ("success", "error", "info", "warning", "add_error", "done", "ValidationError", "Conflict", "Hit")
VIEWS = sorted(
    path
    for app in languages.APPS
    for path in languages.sources(app)
    if path.suffix == ".py" and "web" in path.relative_to(ROOT).parts
)


class Spoken(HTMLParser):
    """What is left of a template's words, once what is marked is gone."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.found: list[str] = []
        self._is_code = False
        self.feed(html)

    def handle_starttag(self, tag: str, attributes: list[tuple[str, str | None]]) -> None:
        self._is_code = tag in ("code", "pre", "script", "style")
        self.found += [value for name, value in attributes if name in SPOKEN and value]

    def handle_endtag(self, tag: str) -> None:
        self._is_code = False

    def handle_data(self, data: str) -> None:
        if not self._is_code:
            self.found.append(data)


def unmarked(source: str) -> list[str]:
    """Return the words of a template that no translation reaches."""
    text = re.sub(r"\{% comment.*?%\}.*?\{% endcomment %\}|\{#.*?#\}", "", source, flags=re.DOTALL)
    text = re.sub(r"\{% block main_class %\}.*?\{% endblock %\}", "", text)
    text = re.sub(r"\{% (blocktrans\w*) .*?%\}.*?\{% end\1 %\}", "", text, flags=re.DOTALL)
    text = re.sub(r"\{% (blocktrans\w*) %\}.*?\{% end\1 %\}", "", text, flags=re.DOTALL)
    text = re.sub(r"\{%.*?%\}|\{\{.*?\}\}|&\w+;|&#\d+;", " ", text, flags=re.DOTALL)
    left = [SAME_EVERYWHERE.sub("", each) for each in Spoken(text).found]
    return [" ".join(each.split()) for each in left if re.search(r"[A-Za-z]{2}", each)]


@pytest.mark.parametrize("path", TEMPLATES, ids=lambda path: str(path.relative_to(ROOT)))
def test_what_a_template_says_is_marked(path: Path) -> None:
    assert unmarked(path.read_text()) == []


def test_words_that_are_not_marked_are_noticed() -> None:
    assert unmarked('<p title="Now">{% translate "Then" %} and {{ name }} {# why #}</p>') == ["Now", "and"]


def literals(tree: ast.AST) -> Iterator[str]:
    """Yield what code says in English on a page: sentences, unmarked, outside of docstrings and logs."""
    for node in ast.walk(tree):
        match node:
            case ast.Call(func=ast.Attribute(attr=name) | ast.Name(id=name), args=[*arguments]) if (
                name in SAYING
            ):
                said = [*arguments, *(each.value for each in node.keywords)]
                if name == "Hit":
                    said = said[:1]  # What follows is called as it is.
                if name == "add_error":
                    said = said[1:]  # The first is a field's name.
            case ast.keyword(
                arg="label" | "help_text" | "empty_label" | "text" | "heading" | "done", value=value
            ):
                said = [value]
            case ast.Dict(keys=keys, values=values):
                said = [
                    value
                    for key, value in zip(keys, values, strict=True)
                    if isinstance(key, ast.Constant) and key.value in FIELDS
                ]
            case _:
                continue
        for each in said:
            match each:
                case ast.Constant(value=str() as text) if " " in text or text[:1].isupper():
                    yield text
                case ast.JoinedStr():
                    yield ast.unparse(each)


@pytest.mark.parametrize("path", VIEWS, ids=lambda path: str(path.relative_to(ROOT)))
def test_what_a_view_says_is_marked(path: Path) -> None:
    assert list(literals(ast.parse(path.read_text()))) == []


CATALOGUES = [(app, language) for app in languages.APPS for language in languages.LANGUAGES]


@pytest.mark.parametrize(("app", "language"), CATALOGUES)
def test_catalogues_hold_all_that_is_said_and_nothing_else(app: str, language: str) -> None:
    catalog, path = languages.current(app, language), languages.catalogue(app, language)

    assert list(languages.missing(catalog)) == []
    po, mo = languages.written(catalog)
    assert path.read_bytes() == po, "run: make languages"
    assert path.with_suffix(".mo").read_bytes() == mo, "run: make languages"


@pytest.mark.parametrize(("app", "language"), CATALOGUES)
def test_translations_keep_the_placeholders(app: str, language: str) -> None:
    faults = [
        (message.id, str(fault)) for message in languages.current(app, language) for fault in message.check()
    ]

    assert faults == []


def test_there_is_a_catalogue_for_each_language() -> None:
    assert {"en", *languages.LANGUAGES} == {code for code, _ in settings.LANGUAGES}


def marked(tree: ast.AST) -> Iterator[str]:
    """Yield each sentence that code gives to gettext."""
    for node in ast.walk(tree):
        match node:
            case ast.Call(
                func=ast.Name(id="gettext" | "gettext_lazy" | "ngettext" | "ngettext_lazy"),
                args=[ast.Constant(value=str() as text), *_],
            ):
                yield text


@pytest.mark.parametrize("app", languages.APPS)
def test_what_code_marks_is_found_by_what_collects_it(app: str) -> None:
    """Within an f-string some of it is not."""
    collected = {each.id if isinstance(each.id, str) else each.id[0] for each in languages.messages_of(app)}
    said = {
        text
        for path in languages.sources(app)
        if path.suffix == ".py"
        for text in marked(ast.parse(path.read_text()))
    }
    assert said - collected == set()
