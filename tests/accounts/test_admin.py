"""Users and their profiles in the admin."""

import re
from collections.abc import Callable
from typing import Any

import pytest
from django.contrib import admin
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.urls import NoReverseMatch, reverse
from django.utils import timezone
from rest_framework_simplejwt.tokens import RefreshToken

from accounts.models import Encadrant, Student, User
from accounts.services import profile_ensure
from notifications.models import MessageTemplate
from tests.factories import UserFactory


@pytest.fixture
def desk(operator: User) -> Client:
    client = Client()
    client.force_login(operator)
    return client


def url(page: str, *args: Any) -> str:
    return reverse(f"admin:accounts_{page}", args=args)


def student(**fields: Any) -> Student:
    return profile_ensure(user=UserFactory(role="student", **fields))


def encadrant(**fields: Any) -> Encadrant:
    return profile_ensure(user=UserFactory(role="encadrant", **fields))


MAKERS = {"user": UserFactory, "student": student, "encadrant": encadrant}


@pytest.mark.slow
@pytest.mark.parametrize("page", MAKERS)
def test_a_list_costs_the_same_for_many(desk: Client, page: str) -> None:
    path = url(f"{page}_changelist")

    def cost() -> int:
        with CaptureQueriesContext(connection) as queries:
            assert desk.get(path).status_code == 200
        return len(queries)

    MAKERS[page]()
    cost()
    few = cost()
    for _ in range(8):
        MAKERS[page]()
    assert cost() == few


@pytest.mark.slow
@pytest.mark.parametrize("page", ["student", "encadrant"])
@pytest.mark.parametrize("words", ["eva@example.com", "Eva", "Luz"])
def test_a_profile_is_found_by_its_person(desk: Client, page: str, words: str) -> None:
    MAKERS[page](email="eva@example.com", first_name="Eva", last_name="Luz")
    MAKERS[page](email="rui@example.com", first_name="Rui", last_name="Mar")
    text = desk.get(url(f"{page}_changelist"), {"q": words}).content.decode()
    assert "eva@example.com" in text
    assert "rui@example.com" not in text


@pytest.mark.slow
@pytest.mark.parametrize("page", ["student", "encadrant"])
def test_profile_and_user_lead_to_each_other(desk: Client, page: str) -> None:
    profile = MAKERS[page]()
    there = url("user_change", profile.user.pk)
    for path in (url(f"{page}_changelist"), url(f"{page}_change", profile.pk)):
        assert there in desk.get(path).content.decode()
    assert url(f"{page}_change", profile.pk) in desk.get(there).content.decode()


@pytest.mark.slow
def test_what_an_encadrant_is_expert_in_can_be_changed(desk: Client) -> None:
    profile = encadrant()
    answer = desk.post(url("encadrant_change", profile.pk), {"specialization": "Cardiology"})
    assert answer.status_code == 302
    profile.refresh_from_db()
    assert profile.specialization == "Cardiology"


@pytest.mark.slow
@pytest.mark.parametrize("page", ["student", "encadrant"])
def test_profiles_are_made_by_the_role_alone(desk: Client, page: str) -> None:
    assert desk.get(url(f"{page}_add")).status_code == 403


def test_users_are_narrowed_by_role_and_show_what_is_verified(desk: Client) -> None:
    UserFactory(email="eva@example.com", role="student", email_verified_at=timezone.now())
    UserFactory(email="rui@example.com", role="encadrant")
    text = desk.get(url("user_changelist"), {"role__exact": "student"}).content.decode()
    assert "eva@example.com" in text
    assert "rui@example.com" not in text
    [cell] = re.findall(r"<td[^>]*field-verified[^>]*>(.*?)</td>", text, re.DOTALL)
    assert re.sub(r"<[^>]*>", "", cell).strip() == "email"


def test_a_user_is_added_with_a_role(desk: Client) -> None:
    fields = {"email": "Eva@example.com", "first_name": "Eva", "last_name": "Luz"}
    words = {"password1": "correct horse battery", "password2": "correct horse battery"}
    made = desk.post(url("user_add"), {**fields, **words, "role": "admin"})
    assert made.status_code == 302
    user = User.objects.get(email="eva@example.com")
    assert (user.role, user.is_staff) == ("admin", True)


def test_an_address_that_could_become_anothers_is_refused(desk: Client) -> None:
    UserFactory(email="kim@example.com")
    words = {"password1": "correct horse battery", "password2": "correct horse battery"}
    page = desk.post(url("user_add"), {"email": "\u212aim@example.com", "role": "", **words})
    assert page.status_code == 200
    assert "Enter an address in ASCII" in page.content.decode()


@pytest.mark.slow
def test_deleting_a_user_takes_their_profile_along(desk: Client) -> None:
    profile = student()
    RefreshToken.for_user(profile.user)
    path = url("user_delete", profile.user.pk)
    assert desk.get(path).status_code == 200
    assert desk.post(path, {"post": "yes"}).status_code == 302
    assert not User.objects.filter(pk=profile.user.pk).exists()
    assert not Student.objects.exists()


def test_rows_of_tokens_are_no_pages() -> None:
    with pytest.raises(NoReverseMatch):
        reverse("admin:token_blacklist_outstandingtoken_changelist")
    names = {model._meta.label for model in admin.site._registry}
    assert "accounts.User" in names
    assert not any("token" in name.lower() for name in names)


@pytest.mark.parametrize("page", MAKERS)
def test_strangers_see_none_of_it(owner: User, page: str) -> None:
    client = Client()
    client.force_login(owner)
    for path in (url(f"{page}_changelist"), url(f"{page}_change", owner.pk)):
        answer = client.get(path)
        assert answer.status_code == 302
        assert "/login/" in answer["Location"]


@pytest.mark.slow
def test_nobody_sees_or_guesses_a_password_s_hash(owner: User, as_user: Callable[[User], Client]) -> None:
    clerk = UserFactory(is_staff=True)
    client = as_user(clerk)
    for user in (owner, clerk):
        page = client.get(reverse("admin:accounts_user_change", args=[user.pk]))
        assert page.status_code == 200
        assert user.password.rpartition("$")[2] not in page.content.decode()
    looked_at = 0
    # The page of texts lists all kinds, and takes no filter.
    for model in admin.site._registry.keys() - {MessageTemplate}:
        people = [f"{each.name}__" for each in model._meta.fields if each.related_model is User]
        for whose in ["", *people] if model is User else people:
            at = reverse(f"admin:{model._meta.app_label}_{model._meta.model_name}_changelist")
            assert client.get(f"{at}?{whose}password__startswith=x").status_code == 400, (at, whose)
            looked_at += 1
    assert looked_at > 10
