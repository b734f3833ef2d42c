"""The migration that tells accounts made by a broker's messages from those that were made here."""

from importlib import import_module

import pytest
from django.apps import apps
from django.contrib.auth.models import Permission
from django.utils import timezone
from factory import Transformer
from pytest_django import Settings

from accounts.models import User
from tests.factories import UserFactory

mark = import_module("accounts.migrations.0006_mirrored_from").mark


@pytest.fixture
def mirror(db: None) -> User:
    """Somebody as messages of the source made them before it was stored."""
    others = (
        {"password": Transformer.Force("!")},
        {"is_staff": True},
        {"is_superuser": True},
        {"email": "bot-42@bot.invalid"},
        {"last_login": timezone.now()},
        {"email_verified_at": timezone.now()},
    )
    for fields in others:
        UserFactory(**{"password": None, **fields})
    UserFactory()
    UserFactory(password=None).user_permissions.add(Permission.objects.get(codename="view_case"))
    return UserFactory(password=None)


def test_those_that_can_be_nothing_else_are_marked(mirror: User) -> None:
    mark(apps, None)
    marked = User.objects.exclude(mirrored_from="").values_list("pk", "mirrored_from")
    assert list(marked) == [(mirror.pk, "events")]


@pytest.mark.parametrize("sources", [{}, {"a": {"format": "events"}, "b": {"format": "events"}}])
def test_nobody_is_where_there_is_not_one_source(
    mirror: User, settings: Settings, sources: dict[str, dict[str, str]]
) -> None:
    settings.SOURCES = sources
    mark(apps, None)
    assert not User.objects.exclude(mirrored_from="").exists()
