"""SPEC 7.2: everything that grows has a stated end, and docs/operations.md says which."""

import re

import pytest
from django.apps import apps
from django.conf import settings
from django.contrib.admin.models import LogEntry
from django.contrib.sessions.models import Session
from django.db import connection
from rest_framework_simplejwt.token_blacklist.models import BlacklistedToken

from config import ends
from config.ends import Ends
from tracing.models import Interaction

STATED = [each for _, each in ends.stated()]


def test_every_table_says_how_its_rows_end(db: None) -> None:
    unstated = ends.unstated()
    assert unstated == [], (
        f"Say how the rows of {', '.join(unstated)} end: in ENDS of the app's retention.py. "
        "If they would not, give them an end first."
    )


def test_every_model_of_every_app_is_among_them(db: None) -> None:
    models = [each for each in apps.get_models(include_auto_created=True) if each._meta.managed]
    assert {LogEntry, Session, BlacklistedToken, Interaction} <= set(models)
    assert {each._meta.db_table for each in models} - {each.table for each in STATED} == set()


def test_a_table_without_a_model_is_asked_about_too(db: None) -> None:
    with connection.cursor() as cursor:
        cursor.execute("CREATE TABLE forgotten (at timestamptz) PARTITION BY RANGE (at)")
        cursor.execute("CREATE TABLE forgotten_rest PARTITION OF forgotten DEFAULT")
        cursor.execute("CREATE MATERIALIZED VIEW remembered AS SELECT 1 AS one")
    assert ends.unstated() == ["forgotten", "remembered"]


def test_nothing_is_said_of_what_is_not_there_or_twice(db: None) -> None:
    tables = [each.table for each in STATED]
    assert sorted(tables) == sorted(set(tables))
    assert set(tables) <= set(connection.introspection.table_names())


@pytest.mark.parametrize("each", STATED, ids=lambda each: each.table)
def test_what_is_said_of_a_table_is_so(each: Ends) -> None:
    """It names settings that are there, and a parent that the rows refer to and go with."""
    assert bool(each.how) != bool(each.parent)
    assert ("{days}" in each.how) == bool(each.setting)
    for name in re.findall(r"[A-Z]+_[A-Z_]+", f"{each.how} {each.setting}"):
        assert getattr(settings, name) > 0
    if each.parent is not None:
        assert not isinstance(each.model, str)
        assert each.parent in [field.related_model for field in each.model._meta.fields]


def test_the_operator_reads_the_same_as_is_said_here() -> None:
    text = (settings.BASE_DIR / "docs" / "operations.md").read_text()
    written = text.partition("\n## What ends when\n")[2].partition("\n## ")[0]
    assert ends.as_markdown() in written, f"docs/operations.md, What ends when:\n\n{ends.as_markdown()}"
