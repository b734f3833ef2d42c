"""A furnished product, in which nobody is too fast."""

from collections.abc import Callable, Generator, Iterator
from pathlib import Path

import pytest
from django.conf import settings as product
from django.core.signals import request_finished, request_started
from django.db import close_old_connections
from rest_framework.throttling import ScopedRateThrottle
from rest_framework_simplejwt.tokens import AccessToken

from accounts.models import Role, Scope, Shop, User
from accounts.services import api_key_create
from tests.factories import UserFactory
from tests.furnished import Furnished, furnish
from tests.strings.roles import Headers

HERE = Path(__file__).parent


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        if HERE in item.path.parents:
            item.add_marker(pytest.mark.slow)


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport() -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """Write halves of surrogate pairs as escapes: between its processes, xdist can't send them."""
    report = yield
    report.sections = [(title, _sendable(text)) for title, text in report.sections]
    if report.longrepr is not None and _sendable(str(report.longrepr)) != str(report.longrepr):
        report.longrepr = _sendable(str(report.longrepr))
    return report


def _sendable(text: str) -> str:
    return text.encode("utf-8", "backslashreplace").decode()


@pytest.fixture
def furnished(owner: User, shop: Shop) -> Furnished:
    return furnish(owner, shop)


@pytest.fixture(autouse=True)
def _unlimited(monkeypatch: pytest.MonkeyPatch) -> None:
    for scope in product.RATES:
        monkeypatch.setitem(product.RATES, scope, None)
    monkeypatch.setattr(ScopedRateThrottle, "allow_request", lambda *args: True)


@pytest.fixture
def one_connection() -> Iterator[None]:
    """The application runs in this thread and in the test's own transaction, which no request may end."""
    for signal in (request_started, request_finished):
        signal.disconnect(close_old_connections)
    yield
    for signal in (request_started, request_finished):
        signal.connect(close_old_connections)


@pytest.fixture
def as_role(owner: User, stranger: User, operator: User, shop: Shop) -> Callable[[str], Headers]:
    people = {
        "a stranger": stranger,
        "the owner": owner,
        "staff": UserFactory(is_staff=True),
        "an administrator": UserFactory(role=Role.ADMIN, is_staff=True),
        "a superuser": operator,
    }

    def headers(role: str) -> Headers:
        if role == "nobody":
            return {}
        if role in people:
            return {"Authorization": f"Bearer {AccessToken.for_user(people[role])}"}
        scopes = Scope.values if role == "a machine" else [role]
        return {"Authorization": f"Api-Key {api_key_create(name=role, scopes=scopes)[1]}"}

    return headers
