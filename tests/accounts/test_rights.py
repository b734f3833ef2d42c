"""The table of rights against the product: every endpoint is in it, and answers those whom it names."""

import re
from collections.abc import Callable, Iterator
from typing import Any, Final

import pytest
from django.contrib.auth import SESSION_KEY
from django.http import HttpResponse
from django.urls import URLPattern, get_resolver, resolve
from rest_framework.test import APIClient

from accounts.models import Scope, User
from accounts.ranks import Rank
from accounts.rights import AS_MUCH_AS, BELOW, MESSAGES, ROUTES, Right
from notifications.brokers import formats
from tests.factories import UserFactory

Machine = Callable[..., APIClient]

METHODS: Final = ("get", "post", "put", "patch", "delete")
#: Of things that are not there: whoever may ask is told so, and nothing is changed.
VALUES: Final = {
    "uuid": "0199a000-0000-7000-8000-00000000dead",
    "int": "7",
    "str": "no-token",
    "slug": "nothing",
    "path": "nothing",
}
#: Made by a regular expression.
PATHS: Final = {
    r"api/v1/^escalations/(?:policies|rotations|schedules)": "api/v1/escalations/policies/nothing"
}


def patterns(found: Any = None, prefix: str = "") -> Iterator[tuple[str, Any]]:
    """Every route of the product, as ``resolver_match`` has it, with its view."""
    for each in get_resolver().url_patterns if found is None else found:
        route = prefix + str(each.pattern)
        if isinstance(each, URLPattern):
            yield route.strip("/"), each.callback
        else:
            yield from patterns(each.url_patterns, route)


def is_below(route: str) -> bool:
    return route.split("/")[0] in BELOW


def operations() -> dict[str, set[str]]:
    """The methods that each route answers, by its view; of a function, those that the table has."""
    found: dict[str, set[str]] = {}
    for route, callback in patterns():
        view = getattr(callback, "cls", None) or getattr(callback, "view_class", None)
        if is_below(route):
            continue
        answered = found.setdefault(route, set())
        if view is None:
            answered |= set(ROUTES.get(route, {"a function without a row": None}))
        else:
            names = getattr(view, "http_method_names", METHODS)
            answered |= {each.upper() for each in METHODS if each in names and hasattr(view, each)}
    return found


def path_of(route: str) -> str:
    known = PATHS.get(route, route)
    return (
        "/"
        + re.sub(r"<(\w+):\w+>", lambda match: VALUES[match[1]], known)
        + ("" if known.endswith((".ics", ".md")) else "/")
    )


#: Of the admin: for those who are not logged in, and what is asked by pages with more than a path.
NO_PAGES: Final = ("admin/login", "admin/logout", "admin/autocomplete")
ROWS: Final = [(route, method, right) for route, rights in ROUTES.items() for method, right in rights.items()]
PEOPLE: Final = {
    "person": (Rank.PERSON, {}),
    "staff": (Rank.STAFF, {"is_staff": True}),
    "admin": (Rank.ADMIN, {"is_staff": True, "role": "admin"}),
    "superuser": (Rank.SUPERUSER, {"is_staff": True, "is_superuser": True}),
    "a superuser who is not on the staff": (Rank.PERSON, {"is_superuser": True}),
}


def is_refused(answer: HttpResponse) -> bool:
    """Whether somebody was turned away for who they are."""
    to_log_in = answer.status_code == 302 and answer["Location"].startswith(("/login/", "/admin/login/"))
    return answer.status_code in (401, 403) or to_log_in


def is_turned_away(answer: HttpResponse, right: Right) -> bool:
    """The same; where anyone may come, pages may lead on to the log-in."""
    return answer.status_code in (401, 403) if right.rank is Rank.ANYONE else is_refused(answer)


def test_every_endpoint_has_a_row_and_every_row_an_endpoint() -> None:
    there = operations()
    listed = {route: set(rights) for route, rights in ROUTES.items()}
    unlisted = {route: methods for route, methods in there.items() if listed.get(route) != methods}
    assert not unlisted, "Say who may do this: a row in ROUTES of accounts/rights.py."
    assert listed.keys() == there.keys(), "ROUTES of accounts/rights.py has rows without an endpoint."


@pytest.mark.slow
@pytest.mark.django_db
def test_every_operation_of_the_schema_has_a_row(as_user: Any) -> None:
    schema = as_user(UserFactory()).get("/api/schema/?format=json").json()
    assert schema["paths"]
    for path, operations_of in schema["paths"].items():
        whole = ("device_id", "number")
        names = re.findall(r"{(\w+)}", path)
        values = {name: VALUES["int" if name in whole else "uuid"] for name in names}
        route = resolve(path.format(**values)).route.strip("/")
        for method in set(operations_of) & set(METHODS):
            assert method.upper() in ROUTES[route], path


@pytest.mark.slow
@pytest.mark.django_db
@pytest.mark.parametrize("who", PEOPLE)
def test_people_may_do_what_the_table_says_and_nothing_else(as_user: Any, who: str) -> None:
    rank, fields = PEOPLE[who]
    client, wrong = as_user(UserFactory(**fields)), []
    for route, method, right in ROWS:
        if right.permissions and fields.get("is_superuser"):
            continue  # has every permission, whatever the rank
        if SESSION_KEY not in client.session:  # some of these log them out, or delete them
            client = as_user(UserFactory(**fields))
        answer = client.generic(method, path_of(route), "{}", content_type="application/json")
        may = right.rank is not None and rank >= right.rank
        if is_turned_away(answer, right) == may:
            wrong.append((method, route, answer.status_code))
    assert wrong == []


@pytest.mark.slow
@pytest.mark.django_db
def test_nobody_anonymous_gets_in_but_where_the_table_says_anyone(anonymous: APIClient) -> None:
    wrong = []
    for route, method, right in ROWS:
        answer = anonymous.generic(method, path_of(route), "{}", content_type="application/json")
        if is_turned_away(answer, right) == (right.rank is Rank.ANYONE):
            wrong.append((method, route, answer.status_code))
    assert wrong == []


@pytest.mark.slow
@pytest.mark.django_db
def test_keys_may_do_what_their_scopes_say_and_nothing_else(as_machine: Machine) -> None:
    clients: dict[tuple[Scope, ...], tuple[APIClient, APIClient]] = {}
    wrong = []
    for route, method, right in ROWS:
        if right.rank in (Rank.ANYONE, None):
            continue
        if right.scopes not in clients:
            # With all scopes enough, any other key is one without a scope, and there is none.
            others = [scope for scope in Scope if scope not in right.scopes] or right.scopes[:1]
            clients[right.scopes] = (as_machine(*(right.scopes[:1] or Scope)), as_machine(*others))
        with_it, with_all_others = clients[right.scopes]
        for client, may in (
            (with_it, bool(right.scopes)),
            (with_all_others, len(right.scopes) == len(Scope)),
        ):
            answer = client.generic(method, path_of(route), "{}", content_type="application/json")
            if is_refused(answer) == may:
                wrong.append((method, route, answer.status_code, may))
    assert wrong == []


def test_a_refusal_says_that_keys_may_not_only_where_it_is_so(
    as_machine: Machine, as_user: Any, stranger: User
) -> None:
    only_people = "Only people can do this, not an API key."
    machine = as_machine("alerts:write")
    assert machine.get("/api/v1/inbox/").json()["detail"] == only_people
    for client, path in ((machine, "/api/v1/alerts/"), (as_user(stranger), "/api/v1/invitations/")):
        refused = client.get(path)
        assert refused.status_code == 403
        assert refused.json()["detail"] != only_people, path


@pytest.mark.slow
@pytest.mark.django_db
def test_the_admin_is_for_the_staff_and_the_queues_are_for_superusers(as_user: Any) -> None:
    clients = {who: as_user(UserFactory(**fields)) for who, (_, fields) in PEOPLE.items()}
    for route, _ in patterns():
        is_plain = "<" not in route and "(" not in route and "^" not in route
        if not is_below(route) or not is_plain or route in NO_PAGES:
            continue
        right = BELOW[route.split("/")[0]]
        assert is_refused(APIClient().get(f"/{route}/")), route
        for who, client in clients.items():
            rank = PEOPLE[who][0]
            # Adding takes a permission besides, and some rows are never added.
            if route.endswith("/add") and rank >= Rank.STAFF:
                continue
            assert is_refused(client.get(f"/{route}/")) == (right.rank is None or rank < right.rank), (
                who,
                route,
            )


@pytest.mark.django_db
def test_a_key_gets_into_no_page_of_the_admin(as_machine: Machine) -> None:
    key = as_machine(*Scope)
    for path in (
        "/admin/",
        "/admin/accounts/user/",
        "/django-rq/",
        "/inbox/",
        "/account/",
        "/tracing/",
        "/dating/",
    ):
        assert is_refused(key.get(path)), path


def test_every_scope_has_a_permission_that_is_as_much_and_every_format_a_scope() -> None:
    assert set(AS_MUCH_AS) == set(Scope)
    unread = set(formats.names()) - set(MESSAGES)
    assert not unread, "Say which scope their dead letters take: a row in MESSAGES of accounts/rights.py."
    assert set(MESSAGES) == set(formats.names())


def test_no_right_is_more_than_it_says() -> None:
    """No key does what only administrators may, and whatever a person may do takes no rank."""
    assert not [row for row in ROWS if row[2].rank in (Rank.ADMIN, Rank.SUPERUSER) and row[2].scopes]
    assert Right(Rank.STAFF).scopes == ()
