"""What may be asked for: every route, found from the URLs, and every endpoint, found from the schema."""

import inspect
import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote

from django.contrib import admin
from django.contrib.admin.options import ModelAdmin
from django.http import HttpResponse
from django.test import Client
from django.urls import URLPattern, URLResolver, get_resolver

from tests.furnished import Furnished
from tests.hostile import Hostile
from tests.openapi import SCHEMA

_PARAMETER = re.compile(r"<(?:(\w+):)?(\w+)>")
_ASKED = re.compile(r"""(?:GET|query_params)(?:\.get(?:list)?)?[(\[]"(\w+)["]""")
_NOTHING = {"uuid": "00000000-0000-4000-8000-000000000000", "int": "1"}
#: What Django's own lists in the admin take, besides their filters.
OF_LISTS = ("q", "p", "o", "all", "e", "_facets", "_popup", "_to_field", "_changelist_filters")


@dataclass(frozen=True)
class Route:
    """A path with ``<converter:name>`` in it, and the view that answers there."""

    path: str
    view: Any

    @property
    def parameters(self) -> list[tuple[str, str]]:
        """The converters and the names."""
        return [(converter or "str", name) for converter, name in _PARAMETER.findall(self.path)]

    @property
    def asked(self) -> set[str]:
        """The names of query parameters that the view's module reads."""
        view = getattr(self.view, "view_class", getattr(self.view, "cls", self.view))
        return set(_ASKED.findall(inspect.getsource(inspect.getmodule(inspect.unwrap(view)))))

    def filled(self, furnished: Furnished, **values: str) -> str:
        def value(match: re.Match[str]) -> str:
            converter, name = match[1] or "str", match[2]
            token = next((each for part, each in furnished.tokens.items() if part in self.path), "token")
            known = furnished.id_of(self.path, name) or (token if name == "token" else None)
            return values.get(name, str(known or _NOTHING.get(converter, "x")))

        return _PARAMETER.sub(value, self.path)


def routes(patterns: Any = None, prefix: str = "/") -> Iterator[Route]:
    """Every route but those of Django's admin and RQ's own, which are written as regular expressions."""
    for each in get_resolver().url_patterns if patterns is None else patterns:
        path = prefix + str(each.pattern)
        if isinstance(each, URLResolver):
            if not path.startswith(("/admin", "/django-rq")):
                yield from routes(each.url_patterns, path)
        elif isinstance(each, URLPattern):
            yield Route(path, each.callback)


def operations(method: str) -> Iterator[tuple[str, dict[str, Any]]]:
    for path, each in SCHEMA["paths"].items():
        if method in each:
            yield path, each[method]


def path_of(path: str, furnished: Furnished) -> str:
    """The path of an endpoint, as the schema has it, with the ids of what is there."""
    return re.sub(r"{(\w+)}", lambda match: quote(str(furnished.id_of(path, match[1]) or "x"), safe=""), path)


def admins() -> Iterator[tuple[str, ModelAdmin]]:
    """The lists of the admin: their address, and what stands behind."""
    for model, model_admin in admin.site._registry.items():
        if model._meta.managed:  # RQ's dashboard has no table
            yield f"/admin/{model._meta.app_label}/{model._meta.model_name}/", model_admin


def filters_of(model_admin: ModelAdmin) -> list[str]:
    """The query parameters by which a list in the admin is narrowed."""
    names = []
    for each in model_admin.list_filter:
        field = each if isinstance(each, str) else each[0] if isinstance(each, tuple) else None
        if field:
            names += [f"{field}__exact", f"{field}__gte", f"{field}__isnull", f"{field}__in"]
        else:
            names.append(getattr(each, "parameter_name", None) or "none")
    return names


def encoded(text: str) -> str:
    """Percent-encode; half a surrogate pair becomes what it would be in UTF-8, which is none."""
    return quote(text.encode("utf-8", "surrogatepass"), safe="")


def in_header(text: str) -> str:
    """As a server hands on the bytes of a header, which never hold line ends."""
    return text.encode("utf-8", "surrogatepass").replace(b"\r", b"").replace(b"\n", b"").decode("latin-1")


def said(response: HttpResponse, asked: str, given: Hostile) -> str | None:
    """What to report if that is an answer that nobody may get."""
    if response.status_code < 500:
        return None
    cause = getattr(response, "exc_info", None)
    return f"{response.status_code} {asked} {given.id}: {cause and repr(cause[1])[:300]}"


def quiet(client: Client) -> Client:
    client.raise_request_exception = False
    return client
