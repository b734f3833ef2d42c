"""One text, ready to be rendered: a title and a body in one language, from a file or from the admin."""

import hashlib
import re
from dataclasses import dataclass, field
from typing import Any, Final, Literal, NamedTuple

from django.template import TemplateSyntaxError

from notifications.cutting import before_link
from notifications.masking import description
from notifications.messages.sandbox import Budgeted, PlainTemplate

MAX_TITLE: Final = 200
MAX_BODY: Final = 10_000

Origin = Literal["file", "override"]
Part = Literal["title", "body"]

# Control characters, and those that turn the direction of what follows; PostgreSQL stores no NUL and no
# half of a surrogate pair.
_UNWANTED = "\x00-\x08\x0b-\x1f\x7f-\x9f\u2028\u2029\u202a-\u202e\u2066-\u2069\ud800-\udfff"
_NOT_IN_TITLE = re.compile(rf"[\s{_UNWANTED}]+")
_NOT_IN_BODY = re.compile(rf"[{_UNWANTED}]")
_EMPTY_LINES = re.compile(r"\n{3,}")


class Faulty(Exception):
    """The text can't be rendered; says why, in words for whoever can mend it, and in which part."""

    def __init__(self, error: str, part: Part) -> None:
        super().__init__(error)
        self.part = part

    def copy(self) -> "Faulty":
        """Return one without a traceback, which would keep alive what it was raised in."""
        return Faulty(str(self), self.part)


class Text(NamedTuple):
    title: str
    body: str


@dataclass(slots=True)
class Compiled:
    """A text of one kind, language and channel ("" for all channels), or why it can't be compiled."""

    kind: str
    language: str
    channel: str
    origin: Origin
    source: Text
    fault: Faulty | None = None
    title: PlainTemplate | None = None
    body: PlainTemplate | None = None
    reported_at: float | None = field(default=None, compare=False)

    def __post_init__(self) -> None:
        try:
            self.title = compiled_part("title", self.source.title)
            self.body = compiled_part("body", self.source.body)
        except Faulty as fault:
            self.fault = fault.copy()

    @property
    def digest(self) -> str:
        """Names this very text, so that a fault of an earlier one is not taken for its."""
        return hashlib.sha256("\0".join(self.source).encode("utf-8", "replace")).hexdigest()[:16]

    def render(self, variables: dict[str, Any]) -> Text:
        """Return title and body of plain variables (``sandbox.plain``), cleaned and cut; raises Faulty."""
        if self.title is None or self.body is None:
            assert self.fault is not None
            raise self.fault.copy()
        context = Budgeted(variables)
        title = clean_title(_rendered("title", self.title, context))
        if not title:
            raise Faulty("the title is empty", "title")
        return Text(title, clean_body(_rendered("body", self.body, context)))


def clean_title(title: str) -> str:
    """One line without control characters, of at most 200."""
    title = _NOT_IN_TITLE.sub(" ", title).strip()
    return title if len(title) <= MAX_TITLE else title[: MAX_TITLE - 1] + "…"


def clean_body(body: str) -> str:
    """Lines without control characters, never two empty ones in a row, of bounded length in all."""
    lines = (line.rstrip() for line in _NOT_IN_BODY.sub("", body).split("\n"))
    text = _EMPTY_LINES.sub("\n\n", "\n".join(lines)).strip()
    return text if len(text) <= MAX_BODY else f"{before_link(text, MAX_BODY - 1)}…"


def _rendered(part: Part, template: PlainTemplate, context: Budgeted) -> str:
    try:
        return template.render(context)
    except Exception as error:  # whatever a template does, it costs only itself
        raise Faulty(description(error), part) from error


def compiled_part(part: Part, source: str) -> PlainTemplate:
    """Compile a title or a body; raises Faulty, which says in which part and line, and why."""
    try:
        return PlainTemplate(source)
    except Exception as error:  # django.template raises more than TemplateSyntaxError
        line = getattr(getattr(error, "token", None), "lineno", None)
        where = f"{part}, line {line}" if line else part
        what = str(error) if isinstance(error, TemplateSyntaxError) else type(error).__name__
        # Django's message, without what does not hold here: nothing can be registered or loaded.
        words = re.sub(r"( on line \d+|\.? Did you forget to register or load this tag\?)", "", what)
        raise Faulty(f"{where}: {words}"[:500], part) from error
