"""Whatever stands in a query, a path or the credentials, no page and no endpoint breaks."""

from base64 import b64encode, urlsafe_b64encode
from collections.abc import Iterator
from itertools import cycle

import pytest
from django.test import Client
from rest_framework.test import APIClient

from accounts.models import User
from tests.furnished import Furnished
from tests.hostile import ALL, Supply
from tests.strings.asking import (
    OF_LISTS,
    Route,
    admins,
    encoded,
    filters_of,
    in_header,
    operations,
    path_of,
    quiet,
    routes,
    said,
)


@pytest.fixture
def desk(operator: User) -> Client:
    client = quiet(APIClient())
    client.force_login(operator)
    return client


def readable() -> Iterator[Route]:
    return (each for each in routes() if not each.path.startswith("/api/v1/"))


def test_parameters_of_every_endpoint(desk: Client, furnished: Furnished) -> None:
    supply, broken, count = Supply(), [], 0
    for path, operation in operations("get"):
        at = path_of(path, furnished)
        for parameter in operation.get("parameters", ()):
            for given in supply.some(2):
                if parameter["in"] == "query":
                    asked = f"{at}?{parameter['name']}={encoded(given.text)}"
                elif parameter["in"] == "path":
                    there = encoded(str(furnished.id_of(path, parameter["name"])))
                    asked = at.replace(there, encoded(given.text))
                else:
                    continue
                count += 1
                broken.append(said(desk.get(asked), asked, given))
    assert count > 200
    assert not list(filter(None, broken))


def test_parameters_of_every_page(desk: Client, furnished: Furnished) -> None:
    supply, broken = Supply(), []
    for route in readable():
        at = route.filled(furnished)
        for name in sorted(route.asked):
            for given in supply.some(2):
                asked = f"{at}?{name}={encoded(given.text)}"
                broken.append(said(desk.get(asked), asked, given))
        for name in (name for converter, name in route.parameters if converter in ("str", "path")):
            for given in supply.some(3):
                asked = route.filled(furnished, **{name: encoded(given.text)})
                broken.append(said(desk.get(asked), asked, given))
    assert not list(filter(None, broken))


def test_what_lists_of_the_admin_are_asked(desk: Client, furnished: Furnished) -> None:
    supply, broken = Supply(), []
    names = cycle(OF_LISTS)  # all lists do the same with these
    for turn, (at, model_admin) in enumerate(admins()):
        asked_for = [next(names), *filters_of(model_admin)[turn % 4 :: 4]]
        for name, given in zip(asked_for, supply.in_turn(), strict=False):
            asked = f"{at}?{name}={encoded(given.text)}"
            broken.append(said(desk.get(asked), asked, given))
        given = next(supply.in_turn())
        asked = f"{at}{encoded(given.text)}/change/"
        broken.append(said(desk.get(asked), asked, given))
    assert not list(filter(None, broken))


def test_no_filter_of_the_admin_takes_nul_to_the_database(desk: Client, db: None) -> None:
    for at, model_admin in admins():
        for name in filters_of(model_admin)[::4]:
            answer = desk.get(f"{at}?{name}=%00")
            assert answer.status_code in (302, 400), (at, name)


def test_nothing_that_is_no_key_or_token_is_taken_for_one(db: None) -> None:
    client, wrong = quiet(APIClient()), []
    for given in ALL[::21]:
        raw = given.text.encode("utf-8", "surrogatepass")
        part = urlsafe_b64encode(raw).decode()
        for said_to_be in (
            f"Bearer {in_header(given.text)}",
            f"Api-Key {in_header(given.text)}",
            f"Basic {b64encode(raw).decode()}",
            f"Bearer {part}.{part}.{part}",
        ):
            answer = client.get("/api/v1/users/me/", HTTP_AUTHORIZATION=said_to_be)
            if answer.status_code != 401:
                wrong.append((given.id, said_to_be[:80], answer.status_code))
    assert not wrong
