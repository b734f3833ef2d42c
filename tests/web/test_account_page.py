"""One's own account in the browser."""

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from django.test import Client
from django.utils import timezone

from accounts.models import User, Verification
from accounts.verification import code_of, token_of
from tests.factories import UserFactory

Browse = Callable[..., Client]
DETAILS = {"first_name": "Bea", "last_name": "Lima", "phone": "+33 5 46 00 00 00", "language": "fr"}


@pytest.fixture
def owner(owner: User) -> User:
    """Has not shown yet that the address is theirs."""
    User.objects.filter(pk=owner.pk).update(email_verified_at=None)
    owner.refresh_from_db()
    return owner


@pytest.fixture
def code(owner: User) -> Verification:
    """One that was sent to the owner's email address."""
    return Verification.objects.create(
        user=owner,
        purpose=Verification.Purpose.EMAIL,
        address=owner.email,
        expires_at=timezone.now() + timedelta(minutes=15),
    )


def test_details_are_changed(browse: Browse, owner: User) -> None:
    client = browse(owner)
    assert client.post("/account/details/", DETAILS)["Location"] == "/account/"
    owner.refresh_from_db()
    assert (owner.first_name, owner.last_name, owner.language) == ("Bea", "Lima", "fr")
    assert owner.phone == "+33546000000"
    assert "Your changes are saved." in client.get("/account/").content.decode()


@pytest.mark.slow
@pytest.mark.parametrize("wrong", [{"phone": "12"}, {"language": "tlh"}, {"first_name": "x" * 151}])
def test_wrong_details_are_refused_and_change_nothing(
    browse: Browse, owner: User, wrong: dict[str, str]
) -> None:
    response = browse(owner).post("/account/details/", DETAILS | wrong)
    assert response.status_code == 422
    assert list(response.context["details"].errors) == list(wrong)
    # Neither in the database nor in the bar.
    assert response.context["user"].first_name == "Ana"
    owner.refresh_from_db()
    assert (owner.first_name, owner.phone) == ("Ana", "")


@pytest.mark.slow
@pytest.mark.parametrize(
    "field", ["email", "role", "is_staff", "is_superuser", "is_active", "email_verified_at"]
)
def test_nothing_else_can_be_changed(browse: Browse, owner: User, field: str) -> None:
    before = getattr(owner, field)
    browse(owner).post("/account/details/", DETAILS | {field: "admin"})
    owner.refresh_from_db()
    assert getattr(owner, field) == before


def test_a_new_password_ends_every_other_session(browse: Browse, owner: User) -> None:
    here, elsewhere = browse(owner), browse(owner)
    body = {"current_password": "correct horse battery", "new_password": "staple full of hay"}
    assert here.post("/account/password/", body)["Location"] == "/account/"
    assert here.get("/account/").status_code == 200
    assert elsewhere.get("/account/").status_code == 302
    owner.refresh_from_db()
    assert owner.check_password("staple full of hay")


@pytest.mark.parametrize(
    ("current", "new", "wrong"),
    [
        ("not mine", "staple full of hay", "current_password"),
        ("correct horse battery", "12345678", "new_password"),
    ],
)
def test_a_password_that_will_not_do_is_refused(
    browse: Browse, owner: User, current: str, new: str, wrong: str
) -> None:
    response = browse(owner).post("/account/password/", {"current_password": current, "new_password": new})
    assert response.status_code == 422
    assert list(response.context["password"].errors) == [wrong]
    owner.refresh_from_db()
    assert owner.check_password("correct horse battery")


def test_an_address_is_confirmed_by_its_code(browse: Browse, owner: User, code: Verification) -> None:
    client = browse(owner)
    wrong = client.post("/account/email/confirm/", {"code": "000000"})
    assert wrong.status_code == 422
    assert "code" in wrong.context["email_code"].errors
    assert client.post("/account/email/confirm/", {"code": code_of(code.pk)})["Location"] == "/account/"
    owner.refresh_from_db()
    assert owner.email_verified_at
    assert "Confirmed on" in client.get("/account/").content.decode()


def test_a_code_is_sent_and_not_too_often(browse: Browse, owner: User, settings: Any) -> None:
    settings.RATES = settings.RATES | {"verify-account": "1/hour"}
    client = browse(owner)
    assert client.post("/account/email/code/").status_code == 302
    assert Verification.objects.get().user == owner
    response = client.post("/account/email/code/")
    assert response.status_code == 429
    assert "Too many attempts" in response.content.decode()


def test_a_phone_that_is_not_there_gets_no_code(browse: Browse, owner: User) -> None:
    response = browse(owner).post("/account/phone/code/")
    assert response.status_code == 422
    assert not Verification.objects.exists()


def test_the_link_of_a_mail_confirms_by_its_button_only(
    browse: Browse, owner: User, code: Verification
) -> None:
    client, link = browse(owner), f"/verify-email/?token={token_of(code.pk)}"
    assert client.get(link).status_code == 200
    owner.refresh_from_db()
    assert owner.email_verified_at is None
    assert client.post(link)["Location"] == "/account/"
    owner.refresh_from_db()
    assert owner.email_verified_at


def test_a_link_confirms_nothing_for_another(
    browse: Browse, owner: User, stranger: User, code: Verification
) -> None:
    User.objects.filter(pk=stranger.pk).update(email_verified_at=None)
    response = browse(stranger).post(f"/verify-email/?token={token_of(code.pk)}")
    assert response.status_code == 422
    assert "was used or has expired" in response.content.decode()
    for user in (owner, stranger):
        user.refresh_from_db()
        assert user.email_verified_at is None
    code.refresh_from_db()
    assert code.failures == 0


def test_a_link_that_another_came_after_confirms_nothing(
    browse: Browse, owner: User, code: Verification
) -> None:
    newer = Verification.objects.create(
        user=owner, purpose=code.purpose, address=owner.email, expires_at=code.expires_at
    )
    assert browse(owner).post(f"/verify-email/?token={token_of(code.pk)}").status_code == 422
    newer.refresh_from_db()
    assert (newer.used_at, newer.failures) == (None, 0)


@pytest.mark.parametrize("token", ["", "x", "AAAA"])
def test_a_made_up_link_confirms_nothing(browse: Browse, owner: User, code: Verification, token: str) -> None:
    assert browse(owner).post(f"/verify-email/?token={token}").status_code == 422
    owner.refresh_from_db()
    assert owner.email_verified_at is None


def test_a_link_leads_through_the_log_in(db: None, browse: Browse) -> None:
    assert browse().get("/verify-email/?token=x")["Location"] == "/login/?next=%2Fverify-email%2F%3Ftoken%3Dx"


def test_nobody_sees_the_account_of_another(browse: Browse, owner: User, stranger: User) -> None:
    assert owner.email not in browse(stranger).get("/account/").content.decode()


def test_another_address_takes_the_password_and_is_to_be_confirmed(browse: Browse, owner: User) -> None:
    User.objects.filter(pk=owner.pk).update(email_verified_at=timezone.now())
    client = browse(owner)
    body = {"email": "New@Example.com", "current_password": "correct horse battery"}
    assert client.post("/account/email/", body)["Location"] == "/account/"
    owner.refresh_from_db()
    assert (owner.email, owner.email_verified_at) == ("new@example.com", None)
    assert "new@example.com" in client.get("/account/").content.decode()


@pytest.mark.slow
@pytest.mark.parametrize(
    ("wrong", "status", "field"),
    [
        ({"current_password": "not mine"}, 422, "current_password"),
        ({"current_password": ""}, 422, "current_password"),
        ({"email": "no address"}, 422, "email"),
        ({"email": "\u212aate@example.com"}, 422, "email"),
        ({"email": "taken@example.com"}, 409, "__all__"),
    ],
)
def test_another_address_that_will_not_do_changes_nothing(
    browse: Browse, owner: User, wrong: dict[str, str], status: int, field: str
) -> None:
    UserFactory(email="taken@example.com")
    body = {"email": "new@example.com", "current_password": "correct horse battery"} | wrong
    response = browse(owner).post("/account/email/", body)
    assert response.status_code == status
    assert list(response.context["email"].errors) == [field]
    owner.refresh_from_db()
    assert owner.email == "owner@example.com"
