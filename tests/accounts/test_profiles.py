"""What a user is besides a user."""

from concurrent.futures import ThreadPoolExecutor

import pytest
from django.db import connections
from django.db.models.signals import post_save

from accounts.models import Encadrant, Student, User
from accounts.services import profile_ensure
from tests.factories import UserFactory


@pytest.mark.parametrize(("role", "model"), [("student", Student), ("encadrant", Encadrant)])
def test_a_role_has_its_profile_made_once(db: None, role: str, model: type) -> None:
    user = UserFactory(role=role)
    made: list[object] = []

    def note(created: bool, **kwargs: object) -> None:
        made.append(created)

    post_save.connect(note, sender=model)
    try:
        first, second = profile_ensure(user=user), profile_ensure(user=user)
    finally:
        post_save.disconnect(note, sender=model)
    assert first == second == model.objects.get()
    assert first.user == user
    assert made == [True]


@pytest.mark.parametrize("role", ["", "admin"])
def test_other_roles_have_none(db: None, role: str) -> None:
    assert profile_ensure(user=UserFactory(role=role, is_staff=True)) is None
    assert not Student.objects.exists()
    assert not Encadrant.objects.exists()


def test_the_profile_of_a_former_role_stays(db: None) -> None:
    user = UserFactory(role="encadrant")
    profile_ensure(user=user)
    Encadrant.objects.update(specialization="Cardiology")
    user.role = "student"
    profile_ensure(user=user)
    user.role = "encadrant"
    assert profile_ensure(user=user).specialization == "Cardiology"
    assert Student.objects.count() == 1


def test_made_twice_at_once_there_is_one(transactional_db: None) -> None:
    user = User.objects.create_user("ana@example.com", role="student")

    def ensure(_: int) -> object:
        try:
            return profile_ensure(user=user).pk
        finally:
            connections.close_all()

    with ThreadPoolExecutor(6) as pool:
        assert len(set(pool.map(ensure, range(6)))) == 1
    assert Student.objects.count() == 1
