"""Whatever is typed into a field, or sent for one, is taken or refused in words, and breaks nothing."""

import csv
import io
import json
import logging
import re
import time
from collections.abc import Callable, Iterator, Sequence
from copy import deepcopy
from itertools import cycle
from typing import Any
from urllib.parse import urlsplit

import pytest
from django.test import Client
from rest_framework.test import APIClient

from accounts.models import User
from config import logs
from tests.examples import undone
from tests.furnished import Furnished
from tests.hostile import ALL, MARKS, Hostile, Supply
from tests.strings.asking import admins, operations, path_of, quiet, routes, said
from tests.strings.forms import TYPED, Form, forms_of

Place = tuple[Any, ...]


def examples(operation: dict[str, Any]) -> Iterator[Any]:
    body = operation.get("requestBody", {}).get("content", {})
    for content in body.values():
        yield from (example["value"] for example in content.get("examples", {}).values())


def places(body: Any, at: Place = ()) -> Iterator[Place]:
    """Where a value stands that could be another."""
    if isinstance(body, dict):
        for name, value in body.items():
            yield from places(value, (*at, name))
    elif isinstance(body, list):
        for number, value in enumerate(body[:1]):
            yield from places(value, (*at, number))
    else:
        yield at


def changed(body: Any, place: Place, text: str) -> Any:
    made = deepcopy(body)
    inner = made
    for step in place[:-1]:
        inner = inner[step]
    inner[place[-1]] = text
    return made


def of_what_is_there(body: Any, path: str, furnished: Furnished) -> Any:
    """The example with the ids of what is there."""
    if isinstance(body, list):
        return [of_what_is_there(each, path, furnished) for each in body]
    if not isinstance(body, dict):
        return body
    known = {name: str(furnished.ids[name]) for name in body if name in furnished.ids}
    return {name: known.get(name, of_what_is_there(value, path, furnished)) for name, value in body.items()}


@pytest.fixture(autouse=True)
def _stands_in_no_log() -> Iterator[None]:
    root = logging.getLogger()
    before, level, out = root.handlers[:], root.level, io.StringIO()
    logs.configure({"level": "INFO", "format": "json"})
    root.handlers[0].setStream(out)  # type: ignore[attr-defined]
    yield
    root.handlers[:] = before
    root.setLevel(level)
    lines = out.getvalue().splitlines()
    assert lines
    assert not [line[:300] for line in lines if MARKS.search(line)]


@pytest.fixture
def desk(operator: User) -> Client:
    client = quiet(APIClient())
    client.force_login(operator)
    return client


@pytest.mark.parametrize("method", ["post", "put", "patch", "delete"])
def test_fields_of_every_endpoint(desk: Client, furnished: Furnished, method: str) -> None:
    supply, broken = Supply(), []
    for path, operation in operations(method):
        at = path_of(path, furnished)
        for example in examples(operation):
            if isinstance(example, str):
                continue
            body = of_what_is_there(example, path, furnished)
            for place in places(body):
                for given in supply.some(3):
                    sent = json.dumps(changed(body, place, given.text))
                    with undone():
                        answer = desk.generic(method.upper(), at, sent, content_type="application/json")
                    broken.append(said(answer, f"{method} {at} {place}", given))
                    broken.append(of_json(answer, f"{method} {at} {place}", given))
                    broken.append(in_a_header(answer, f"{method} {at} {place}", given))
    assert not list(filter(None, broken))


def in_a_header(answer: Any, asked: str, given: Hostile) -> str | None:
    """What to report if it came back in a header; in an address of ours it may be a parameter, or a slug."""
    found = [
        name
        for name, value in answer.items()
        if given.mark in f"{name}{value}" and not (name == "Location" and is_encoded(value, given))
    ]
    return f"{found} {asked} {given.id}" if found else None


def is_encoded(location: str, given: Hostile) -> bool:
    parts = urlsplit(location)
    return (
        not parts.scheme + parts.netloc
        and (given.mark not in parts.path or re.fullmatch(r"(/[a-z0-9-]+)+/", parts.path) is not None)
        and re.fullmatch(r"[A-Za-z0-9_.~%&=+-]*", parts.query) is not None
    )


def of_json(answer: Any, asked: str, given: Hostile) -> str | None:
    """What to report if the answer could be taken for a page."""
    if not answer.content:
        return None
    if answer["Content-Type"] != "application/json" or answer["X-Content-Type-Options"] != "nosniff":
        return f"{answer['Content-Type']} {asked} {given.id}"
    return None


#: A record of an upload, whose fields the schema's example gives for JSON alone.
RECORD = {
    "my_id": "1", "other_id": "2", "timestamp_start": str(int(time.time()) - 3600), "distance": "1.5",
    "timestamp_end": str(int(time.time()) - 600), "interval": "60", "rssi": "-60", "platform": "ios",
    "latitude": "48.8", "longitude": "2.3",
}  # fmt: skip


def as_csv(record: dict[str, str]) -> bytes:
    out = io.StringIO()
    csv.writer(out).writerows([record, record.values()])
    return out.getvalue().encode("utf-8", "surrogatepass")


def as_ndjson(record: dict[str, str]) -> bytes:
    return json.dumps(record).encode() + b"\n"


@pytest.mark.parametrize(
    ("media_type", "written", "texts"),
    [("text/csv", as_csv, ALL[::2]), ("application/x-ndjson", as_ndjson, ALL[1::2])],
)
def test_fields_of_every_record_of_an_upload(
    desk: Client, media_type: str, written: Callable[[dict[str, str]], bytes], texts: Sequence[Hostile]
) -> None:
    broken, names = [], cycle([*RECORD, "name of a column"])
    at = "/api/v1/tracing/interactions/"
    for name, given in zip(names, texts, strict=False):
        record = {**RECORD, name: given.text} if name in RECORD else {**RECORD, given.text: "1"}
        with undone():
            answer = desk.generic("POST", at, written(record), content_type=media_type)
        broken += [said(answer, f"{at} {name}", given), of_json(answer, f"{at} {name}", given)]
    assert not list(filter(None, broken))


def every_form(client: Client, furnished: Furnished) -> Iterator[Form]:
    seen = set()
    for route in routes():
        if route.path.startswith(("/api/", "/preferences/<", "/health", "/metrics", "/webhook")):
            continue
        at = route.filled(furnished)
        for form in forms_of(client.get(at, HTTP_ACCEPT="text/html"), at):
            what = (form.action, tuple(sorted(form.values)))
            if what not in seen and form.action != "/logout/":
                seen.add(what)
                yield form


@pytest.mark.parametrize("who", ["nobody", "the owner", "an operator"])
def test_fields_of_every_form(owner: User, operator: User, furnished: Furnished, who: str) -> None:
    person, client = Client(), quiet(Client())
    person.force_login(owner)
    if who != "nobody":
        client.force_login(owner if who == "the owner" else operator)
    forms = {form.action: form for form in every_form(client, furnished)}
    assert len(forms) > (2 if who == "nobody" else 10)
    if who == "an operator":  # has those of everybody, and more
        everybodys = {form.action for form in every_form(person, furnished)}
        forms = {at: form for at, form in forms.items() if at not in everybodys}
        assert forms
    supply, broken = Supply(), []
    for at, form in sorted(forms.items()):
        for name in form.values:
            for given in supply.some(2 if form.kinds.get(name) in TYPED else 1):
                with undone():
                    answer = form.sent(client, **{name: given.text})
                broken += [said(answer, f"{at} {name}", given), in_a_header(answer, f"{at} {name}", given)]
    assert not list(filter(None, broken))


def forms_of_the_admin(client: Client) -> Iterator[Form]:
    """Those that add something or change it."""
    for at, model_admin in admins():
        newest = model_admin.model._default_manager.order_by("-pk")[:1]
        for page in (f"{at}add/", *(f"{at}{each.pk}/change/" for each in newest)):
            for form in forms_of(client.get(page), page):
                if form.action == page and "csrfmiddlewaretoken" in form.values:
                    yield form


def test_fields_of_every_form_of_the_admin(operator: User, furnished: Furnished) -> None:
    client, supply, broken, count = quiet(Client()), Supply(), [], 0
    client.force_login(operator)
    for form in forms_of_the_admin(client):
        for name in form.values:
            if form.kinds.get(name) in TYPED:
                given = next(supply.in_turn())
                with undone():
                    answer = form.sent(client, **{name: given.text})
                asked = f"{form.action} {name}"
                broken += [said(answer, asked, given), in_a_header(answer, asked, given)]
                count += 1
    assert count > 100
    assert not list(filter(None, broken))
