"""The forms of a page, as a browser would read and send them."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from html.parser import HTMLParser
from typing import Any

from django.http import HttpResponse
from django.test import Client

from tests.strings.asking import encoded

_KEPT_OUT = {"submit", "button", "image", "reset", "file"}
#: What somebody types into, as against what is chosen.
TYPED = {"text", "email", "url", "tel", "password", "search", "textarea", None}


@dataclass
class Form:
    action: str
    method: str
    values: dict[str, str] = field(default_factory=dict)
    kinds: dict[str, str | None] = field(default_factory=dict)

    def sent(self, client: Client, **changes: str) -> HttpResponse:
        """Send it as it is, but for these fields; half a surrogate pair too, as no browser does."""
        body = "&".join(
            f"{encoded(name)}={encoded(value)}" for name, value in {**self.values, **changes}.items()
        )
        return client.post(self.action, body, content_type="application/x-www-form-urlencoded")


class _Forms(HTMLParser):
    def __init__(self, at: str) -> None:
        super().__init__()
        self._at = at
        self.forms: list[Form] = []
        self._form: Form | None = None
        self._select = self._area = ""

    def handle_starttag(self, tag: str, attributes: list[tuple[str, str | None]]) -> None:
        given: dict[str, Any] = dict(attributes)
        if tag == "form":
            self._form = Form(given.get("action") or self._at, (given.get("method") or "get").lower())
            self.forms.append(self._form)
        elif self._form is not None:
            self._take(self._form, tag, given)

    def _take(self, form: Form, tag: str, given: dict[str, Any]) -> None:
        name, kind = given.get("name"), given.get("type")
        if tag == "option" and self._select:
            if "selected" in given or self._select not in form.values:
                form.values[self._select] = given.get("value") or ""
        elif not name or kind in _KEPT_OUT:
            return
        elif tag == "input" and (kind not in ("checkbox", "radio") or "checked" in given):
            form.values[name], form.kinds[name] = given.get("value") or "", kind
        elif tag == "textarea":
            self._area, form.values[name], form.kinds[name] = name, "", "textarea"
        elif tag == "select":
            self._select, form.kinds[name] = name, "select"

    def handle_data(self, data: str) -> None:
        if self._form is not None and self._area:
            self._form.values[self._area] += data

    def handle_endtag(self, tag: str) -> None:
        if tag == "form":
            self._form = None
        elif tag == "textarea":
            self._area = ""
        elif tag == "select":
            self._select = ""


def forms_of(response: HttpResponse, at: str) -> Iterator[Form]:
    """The forms of a page that are posted."""
    page = _Forms(at)
    if response["Content-Type"].startswith("text/html"):
        page.feed(response.content.decode())
    return (each for each in page.forms if each.method == "post")
