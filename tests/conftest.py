"""The fixed cast and the servers that every test may use."""

from collections.abc import Callable, Iterator

import django_rq
import pytest
from redis import Redis
from rest_framework.test import APIClient

from accounts.models import Shop, User
from accounts.services import api_key_create
from tests.factories import MembershipFactory, ShopFactory, UserFactory


@pytest.fixture
def redis() -> Iterator[Redis]:
    """An empty Redis of this test's own."""
    connection = django_rq.get_connection()
    connection.flushdb()
    yield connection
    connection.flushdb()


@pytest.fixture(autouse=True)
def _fresh_redis(request: pytest.FixtureRequest) -> None:
    """Whoever uses the database gets an empty Redis too: jobs and throttles don't leak between tests."""
    if "db" in request.fixturenames or "transactional_db" in request.fixturenames:
        request.getfixturevalue("redis")


@pytest.fixture
def shop(db: None) -> Shop:
    return ShopFactory(name="Auchan La Rochelle", slug="fr-auchan-larochelle")


@pytest.fixture
def owner(shop: Shop) -> User:
    """Whose things a test is about; works at the shop."""
    user = UserFactory(email="owner@example.com")
    MembershipFactory(user=user, shop=shop)
    return user


@pytest.fixture
def teammate(shop: Shop) -> User:
    """Works at the same shop."""
    user = UserFactory(email="teammate@example.com")
    MembershipFactory(user=user, shop=shop)
    return user


@pytest.fixture
def stranger(db: None) -> User:
    """Has an account, and nothing to do with the others."""
    return UserFactory(email="stranger@example.com")


@pytest.fixture
def operator(db: None) -> User:
    """Staff: sees all."""
    return UserFactory(email="operator@example.com", is_staff=True, is_superuser=True)


@pytest.fixture
def as_user() -> Callable[[User], APIClient]:
    """A client logged in as someone."""

    def build(user: User) -> APIClient:
        client = APIClient()
        client.force_login(user)
        return client

    return build


@pytest.fixture
def as_machine(db: None) -> Callable[..., APIClient]:
    """A client that bears a fresh API key with the given scopes."""

    def build(*scopes: str) -> APIClient:
        _, key = api_key_create(name="a machine", scopes=scopes)
        client = APIClient()
        client.credentials(HTTP_AUTHORIZATION=f"Bearer {key}")
        return client

    return build


@pytest.fixture
def anonymous() -> APIClient:
    return APIClient()
