"""A database that a test may leave in whatever shape."""

from collections.abc import Iterator
from uuid import uuid4

import pytest
from django.db import connection
from psycopg import sql
from pytest_django import DjangoDbBlocker

from tests import templates


@pytest.fixture
def scratch(django_db_setup: None, django_db_blocker: DjangoDbBlocker) -> Iterator[None]:
    """A database of this test's own, with all migrations; what it is left as is nobody's concern."""
    name = f"test_migrations_{uuid4().hex}"
    with django_db_blocker.unblock():
        usual = connection.settings_dict["NAME"]
        connection.close()
        with connection._nodb_cursor() as cursor:
            make = sql.SQL("CREATE DATABASE {} TEMPLATE {}")
            cursor.execute(make.format(sql.Identifier(name), sql.Identifier(templates.database())))
            connection.settings_dict["NAME"] = name
            try:
                yield
            finally:
                connection.close()
                connection.settings_dict["NAME"] = usual
                cursor.execute(sql.SQL("DROP DATABASE {}").format(sql.Identifier(name)))
