"""User.changed_fields: what receivers of post_save learn of a save."""

from collections.abc import Iterator
from typing import Any

import pytest
from django.db import connection
from django.db.models.signals import post_save
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from accounts.models import User

TOLD = {
    "email": "new@example.com",
    "first_name": "Eva",
    "last_name": "Lima",
    "role": "student",
    "language": "fr",
    "time_zone": "Europe/Paris",
    "phone": "+33612345678",
    "is_active": False,
}


@pytest.fixture
def told() -> Iterator[list[tuple[str, ...]]]:
    """What each save said that it changed."""
    seen: list[tuple[str, ...]] = []

    def note(instance: User, **kwargs: Any) -> None:
        seen.append(instance.changed_fields)

    post_save.connect(note, sender=User)
    yield seen
    post_save.disconnect(note, sender=User)


@pytest.mark.slow
def test_making_somebody_changes_nothing(db: None, told: list[tuple[str, ...]]) -> None:
    User.objects.create_user("ana@example.com", first_name="Ana")
    assert told == [()]


@pytest.mark.slow
@pytest.mark.parametrize("field", TOLD)
def test_a_saved_change_is_told(owner: User, told: list[tuple[str, ...]], field: str) -> None:
    loaded = User.objects.get(pk=owner.pk)
    setattr(loaded, field, TOLD[field])
    loaded.save()
    assert told == [(field,)]


@pytest.mark.slow
def test_each_change_is_told_once(owner: User, told: list[tuple[str, ...]]) -> None:
    for name in ("Eva", "Eva", "Ana"):
        owner.first_name = name
        owner.save()
    assert told == [("first_name",), (), ("first_name",)]


@pytest.mark.slow
def test_only_what_is_saved_is_told(owner: User, told: list[tuple[str, ...]]) -> None:
    owner.first_name, owner.last_name = "Eva", "Lima"
    owner.save(update_fields=["last_name"])
    owner.save(update_fields=["last_login"])
    owner.save()
    assert told == [("last_name",), (), ("first_name",)]


def test_a_password_is_no_change_that_is_told(owner: User, told: list[tuple[str, ...]]) -> None:
    owner.set_password("staple full of hay")
    owner.save()
    assert told == [()]


def test_what_was_read_again_is_where_changes_start(owner: User, told: list[tuple[str, ...]]) -> None:
    User.objects.filter(pk=owner.pk).update(first_name="Eva")
    owner.refresh_from_db()
    owner.save()
    owner.first_name = "Ana"
    owner.refresh_from_db(fields=["last_name"])
    owner.save()
    assert told == [(), ("first_name",)]


def test_a_field_that_was_loaded_late_counts_from_then(owner: User, told: list[tuple[str, ...]]) -> None:
    loaded = User.objects.only("email").get(pk=owner.pk)
    assert loaded.first_name == "Ana"
    loaded.save()
    loaded.first_name = "Eva"
    loaded.save()
    assert told == [(), ("first_name",)]


def test_a_field_set_without_having_been_loaded_is_told(owner: User, told: list[tuple[str, ...]]) -> None:
    loaded = User.objects.only("email").get(pk=owner.pk)
    loaded.first_name = "Eva"
    loaded.save(update_fields=["first_name"])
    assert told == [("first_name",)]


def test_knowing_changes_costs_no_query(owner: User) -> None:
    with CaptureQueriesContext(connection) as queries:
        loaded = User.objects.get(pk=owner.pk)
        loaded.last_login = timezone.now()
        loaded.save(update_fields=["last_login"])
    assert len(queries) == 2


@pytest.mark.parametrize("field", ["email", "phone"])
@pytest.mark.parametrize("sparing", [False, True])
def test_a_new_address_is_not_verified(owner: User, field: str, sparing: bool) -> None:
    User.objects.update(email_verified_at=timezone.now(), phone_verified_at=timezone.now())
    loaded = User.objects.get(pk=owner.pk)
    setattr(loaded, field, TOLD[field])
    loaded.save(**({"update_fields": [field]} if sparing else {}))
    loaded.refresh_from_db()
    other = {"email": "phone", "phone": "email"}[field]
    assert getattr(loaded, f"{field}_verified_at") is None
    assert getattr(loaded, f"{other}_verified_at") is not None


def test_an_address_saved_unchanged_stays_verified(owner: User) -> None:
    User.objects.update(email_verified_at=timezone.now())
    loaded = User.objects.get(pk=owner.pk)
    loaded.save()
    loaded.save(update_fields=["email", "first_name"])
    loaded.refresh_from_db()
    assert loaded.email_verified_at is not None
