"""The fixed cast and the servers that every test may use."""

import gc
import os
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Any

import django_rq
import psycopg
import pytest
from django.core.management.commands import flush
from django.db import connection
from django.utils import timezone
from pytest_django import DjangoDbBlocker, Settings
from redis import Redis
from rest_framework.test import APIClient

from accounts.models import Shop, User
from accounts.services import api_key_create
from notifications import metrics
from tests import templates
from tests.clock import Clock
from tests.distribution import ByProduct, read_all_files
from tests.factories import MembershipFactory, ShopFactory, UserFactory
from tests.servers import rabbitmq as rabbitmq_server
from tests.servers.refusing import refusing
from tests.servers.twilio import Twilio


def pytest_configure() -> None:
    """Collect no garbage while everything is imported and collected: there is none."""
    gc.disable()


def pytest_sessionstart(session: pytest.Session) -> None:
    read_all_files(session.config)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Begin with the tests of real processes: they mostly wait, while the quick ones compute beside them.

    And leave to ``make test`` whatever needs a message broker.
    """
    items.sort(key=lambda item: item.get_closest_marker("flow") is None)
    for item in items:
        if "rabbitmq" in getattr(item, "fixturenames", ()):
            item.add_marker("slow")  # the broker takes longer to start than most of make check


def pytest_collection_finish() -> None:
    """From now on collect garbage, but don't look again and again at what stays until the end."""
    gc.freeze()
    gc.enable()


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> ByProduct | None:
    return ByProduct(config, log) if config.getoption("dist") == "loadfile" else None


@pytest.fixture(scope="session")
def django_db_modify_db_settings(
    django_db_modify_db_settings: None, django_db_keepdb: bool, django_db_blocker: DjangoDbBlocker
) -> None:
    """Migrate one database, which those of all processes are copies of."""
    if not django_db_keepdb:
        with django_db_blocker.unblock():
            connection.settings_dict["TEST"]["TEMPLATE"] = templates.database()


# What migrations leave behind, and no test changes.
KEPT = frozenset({"django_content_type", "auth_permission"})


@pytest.fixture(scope="session", autouse=True)
def _quick_flush() -> None:
    """Empty the tables quickly after a test that commits.

    Django truncates them all, for which PostgreSQL makes a few hundred files anew, and then stores all
    permissions again: most of what such a test took. Without triggers the order of the tables does not
    matter; that is for superusers only, as on the embedded server.
    """
    stock = connection.ops.sql_flush, flush.emit_post_migrate_signal

    def sql_flush(style: Any, tables: Iterable[str], **options: Any) -> list[str]:
        with connection.cursor() as cursor:
            cursor.execute("SELECT rolsuper FROM pg_roles WHERE rolname = current_user")
            (is_superuser,) = cursor.fetchone()
        flush.emit_post_migrate_signal = (lambda *_, **__: None) if is_superuser else stock[1]
        if not is_superuser:
            return stock[0](style, tables, **options)
        emptied = map(connection.ops.quote_name, sorted(set(tables) - KEPT))
        return ["SET LOCAL session_replication_role = replica; DELETE FROM " + "; DELETE FROM ".join(emptied)]

    connection.ops.sql_flush = sql_flush


@pytest.fixture(scope="session")
def _redis() -> Redis:
    return django_rq.get_connection()


@pytest.fixture
def redis(_redis: Redis) -> Redis:
    """An empty Redis of this test's own."""
    metrics.flush()  # what the tests before have counted, it would add later
    _redis.flushdb()
    return _redis


@pytest.fixture(autouse=True)
def _fresh_redis(request: pytest.FixtureRequest) -> None:
    """Whoever uses the database gets an empty Redis too: jobs and throttles don't leak between tests."""
    uses = {"db", "transactional_db"} & set(request.fixturenames)
    if uses or request.node.get_closest_marker("django_db"):
        request.getfixturevalue("redis")


@pytest.fixture
def asked(db: None, monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """What this process asks of PostgreSQL from now on. Django counts only its own cursors' statements."""
    statements: list[str] = []
    execute = psycopg.Cursor.execute

    def noted(cursor: psycopg.Cursor, query: str, *args: Any, **kwargs: Any) -> Any:
        statements.append(query)
        return execute(cursor, query, *args, **kwargs)

    monkeypatch.setattr(psycopg.Cursor, "execute", noted)
    return statements


@pytest.fixture
def shop(db: None) -> Shop:
    return ShopFactory(name="Auchan La Rochelle", slug="fr-auchan-larochelle")


@pytest.fixture
def owner(shop: Shop) -> User:
    """Whose things a test is about; works at the shop."""
    user = UserFactory(email="owner@example.com", email_verified_at=timezone.now())
    MembershipFactory(user=user, shop=shop)
    return user


@pytest.fixture
def teammate(shop: Shop) -> User:
    """Works at the same shop."""
    user = UserFactory(email="teammate@example.com", email_verified_at=timezone.now())
    MembershipFactory(user=user, shop=shop)
    return user


@pytest.fixture
def stranger(db: None) -> User:
    """Has an account, and nothing to do with the others."""
    return UserFactory(email="stranger@example.com", email_verified_at=timezone.now())


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


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def closed_port() -> Iterator[int]:
    """A port on loopback where nobody listens."""
    with refusing() as port:
        yield port


@pytest.fixture
def twilio(settings: Settings) -> Iterator[Twilio]:
    """Twilio, set up for text messages and phone calls; reports of it are asked for."""
    with Twilio() as server:
        settings.TWILIO_BASE_URL = server.origin
        settings.TWILIO_ACCOUNT_SID = server.account_sid
        settings.TWILIO_AUTH_TOKEN = server.auth_token
        settings.TWILIO_SMS_FROM = settings.TWILIO_CALL_FROM = "+33755555555"
        settings.TWILIO_TWIML_URL = "https://twiml.example.com/say.xml"
        settings.PUBLIC_URL = "https://tocsin.example.com"
        yield server


@pytest.fixture(scope="session")
def rabbitmq_home() -> Path:
    """Where nodes of RabbitMQ may keep their data; tests that ask for it are skipped where there is none."""
    if not rabbitmq_server.is_installed():
        if os.environ.get("RABBITMQ_REQUIRED"):
            pytest.fail("RabbitMQ is not installed, and RABBITMQ_REQUIRED says that it must be.")
        pytest.skip(
            "RabbitMQ is not installed, so this did not run: apt-get install rabbitmq-server (as root)"
        )
    # Short: Erlang, and sockets of others, bear no long paths.
    return Path(os.environ["TOCSIN_HOME"]) / "rabbitmq"


@pytest.fixture(scope="session")
def rabbitmq(rabbitmq_home: Path) -> Iterator[str]:
    """The URL of a RabbitMQ that all tests of this run share: take names of your own, and never stop it."""
    with rabbitmq_server.shared(rabbitmq_home) as url:
        yield url
