"""Whoever's password, email or phone is changed hears of it where they were reached until then."""

from collections.abc import Callable
from typing import Any

import pytest
from django.contrib.auth.hashers import get_hashers, make_password
from django.core.management import call_command
from django.test import Client
from rest_framework.test import APIClient

from accounts.models import User
from accounts.services.mirroring import mirror_update
from accounts.services.passwords import password_reset_request
from accounts.verification import token_of
from config import clock
from notifications.models import Delivery, Preference, Subscription
from tests.accounts.conftest import PASSWORD
from tests.factories import UserFactory

ME, CHANGE = "/api/v1/users/me/", "/api/v1/auth/password/change/"
BEFORE, NEW = "ana@example.com", "staple full of hay"
PHONE = "+33612345678"

pytestmark = pytest.mark.usefixtures("unlimited")


@pytest.fixture
def ana(db: None) -> User:
    now = clock.now()
    user = UserFactory(email=BEFORE, phone=PHONE)
    User.objects.filter(pk=user.pk).update(email_verified_at=now, phone_verified_at=now)
    return User.objects.get(pk=user.pk)


def warnings() -> list[tuple[str, str, str]]:
    """What was told of changes: the kind, by which channel, and to whom."""
    told = Delivery.objects.filter(notification__kind__contains="_changed").order_by("created_at", "channel")
    return [(each.notification.kind.removeprefix("account."), each.channel, each.address) for each in told]


def by_api(user: User, operator: User) -> None:
    client = APIClient()
    client.force_login(user)
    body = {"current_password": PASSWORD, "new_password": NEW}
    assert client.post(CHANGE, body).status_code == 200


def by_page(user: User, operator: User) -> None:
    client = Client()
    client.force_login(user)
    body = {"current_password": PASSWORD, "new_password": NEW}
    assert client.post("/account/password/", body).status_code == 302


def by_link(user: User, operator: User) -> None:
    password_reset_request(email=user.email, now=clock.now())
    token = token_of(user.verifications.get().pk)
    body = {"token": token, "new_password": NEW}
    assert APIClient().post("/api/v1/auth/password/reset/confirm/", body).status_code == 204


def by_admin(user: User, operator: User) -> None:
    client = Client()
    client.force_login(operator)
    path = f"/admin/accounts/user/{user.pk}/password/"
    body = {"password1": NEW, "password2": NEW, "usable_password": "true"}
    assert client.post(path, body).status_code == 302


def by_admin_without_one(user: User, operator: User) -> None:
    client = Client()
    client.force_login(operator)
    path = f"/admin/accounts/user/{user.pk}/password/"
    assert client.post(path, {"usable_password": "false", "unset-password": "1"}).status_code == 302


def by_command(user: User, operator: User) -> None:
    command = "django.contrib.auth.management.commands.changepassword.getpass.getpass"
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(command, lambda prompt: NEW)
        call_command("changepassword", user.email, verbosity=0)


@pytest.mark.slow
@pytest.mark.parametrize("change", [by_api, by_page, by_link, by_admin, by_admin_without_one, by_command])
def test_a_new_password_is_told_by_whatever_way_it_is_set(
    ana: User, operator: User, change: Callable[[User, User], None]
) -> None:
    change(ana, operator)
    assert not User.objects.get(pk=ana.pk).check_password(PASSWORD)
    assert warnings() == [("password_changed", "email", BEFORE)]


def test_each_new_password_is_told(ana: User, operator: User, as_user: Any) -> None:
    for old, new in ((PASSWORD, NEW), (NEW, "another bale of straw")):
        body = {"current_password": old, "new_password": new}
        assert as_user(User.objects.get(pk=ana.pk)).post(CHANGE, body).status_code == 200
    assert warnings() == [("password_changed", "email", BEFORE)] * 2


def email_by_api(user: User, operator: User) -> None:
    client = APIClient()
    client.force_login(user)
    body = {"email": "thief@example.com", "current_password": PASSWORD}
    assert client.patch(ME, body).status_code == 200


def email_by_broker(user: User, operator: User) -> None:
    User.objects.filter(pk=user.pk).update(mirrored_from="events", password="!")
    assert mirror_update(user_id=user.pk, details={"email": "thief@example.com"}, source="events")


def email_by_save(user: User, operator: User) -> None:
    """As the admin's form does."""
    user.email = "thief@example.com"
    user.save()


@pytest.mark.parametrize("change", [email_by_api, email_by_broker, email_by_save])
def test_a_new_email_is_told_at_the_one_of_before(
    ana: User, operator: User, change: Callable[[User, User], None]
) -> None:
    change(ana, operator)
    assert User.objects.get(pk=ana.pk).email == "thief@example.com"
    assert warnings() == [("email_changed", "email", BEFORE)]


@pytest.mark.parametrize("phone", ["+33699999999", ""])
def test_a_new_phone_is_told(ana: User, as_user: Any, phone: str) -> None:
    assert as_user(ana).patch(ME, {"phone": phone}).status_code == 200
    assert warnings() == [("phone_changed", "email", BEFORE)]


def test_whoever_has_a_confirmed_phone_is_told_there_too(ana: User, as_user: Any, twilio: Any) -> None:
    client = as_user(ana)
    for number in range(3):
        body = {"email": f"thief{number}@example.com", "current_password": PASSWORD}
        assert client.patch(ME, body).status_code == 200
    assert client.patch(ME, {"phone": ""}).status_code == 200
    by_text = [each for each in warnings() if each[1] == "sms"]
    assert by_text == [("email_changed", "sms", PHONE), ("phone_changed", "sms", PHONE)]


def test_no_preference_has_a_say(ana: User, as_user: Any) -> None:
    Preference.objects.create(user=ana, level="CRITICAL", quiet_from="00:00", quiet_until="23:59")
    Subscription.objects.create(user=ana, channel="email", kind="", is_enabled=False)
    by_api(ana, ana)
    (delivery,) = Delivery.objects.filter(notification__kind="account.password_changed")
    assert delivery.status == "pending"


def test_nobody_is_flooded_by_who_registers_in_their_name(db: None, as_user: Any) -> None:
    user = UserFactory(email="victim@example.com")
    client = as_user(user)
    for number in range(5):
        assert client.patch(ME, {"phone": f"+3361234567{number}"}).status_code == 200
    assert warnings() == [("phone_changed", "email", "victim@example.com")]


def test_a_mailbox_is_not_flooded_by_many_accounts_either(db: None, as_user: Any) -> None:
    body = {"password": NEW, "first_name": "Eva", "last_name": "L", "role": "student"}
    for number in range(3):
        user = UserFactory(email=f"victim+{number}@example.com")
        assert as_user(user).patch(ME, {"phone": PHONE}).status_code == 200
        again = APIClient().post("/api/v1/auth/register/", {**body, "email": user.email})
        assert again.status_code == 409
    told = Delivery.objects.filter(notification__kind__startswith="account.").order_by("created_at")
    assert list(told.values_list("notification__kind", "address")) == [
        ("account.phone_changed", "victim+0@example.com"),
        ("account.registration_repeated", "victim+0@example.com"),
    ]


@pytest.mark.slow
def test_what_is_no_change_is_not_told(ana: User, as_user: Any, settings: Any, log_in: Any) -> None:
    assert as_user(ana).patch(ME, {"first_name": "Eva", "phone": PHONE, "email": BEFORE}).status_code == 200
    settings.PASSWORD_HASHERS = ["django.contrib.auth.hashers.PBKDF2PasswordHasher"]
    get_hashers.cache_clear()
    User.objects.filter(pk=ana.pk).update(password=make_password(PASSWORD))
    settings.PASSWORD_HASHERS = ["django.contrib.auth.hashers.MD5PasswordHasher", *settings.PASSWORD_HASHERS]
    get_hashers.cache_clear()
    log_in(ana)
    assert User.objects.get(pk=ana.pk).password.startswith("md5$")
    User.objects.create_user("new@example.com", PASSWORD)
    get_hashers.cache_clear()
    assert warnings() == []


def test_a_refresh_token_that_was_used_twice_is_told_once(ana: User, log_in: Any) -> None:
    token = log_in(ana)["refresh_token"]
    for _ in range(3):
        APIClient().post("/api/v1/auth/refresh/", {"refresh_token": token})
    (delivery,) = Delivery.objects.filter(notification__kind="account.log_in_ended")
    assert (delivery.address, delivery.user) == (BEFORE, ana)


def test_the_mail_has_nothing_that_a_stranger_wrote(ana: User) -> None:
    User.objects.filter(pk=ana.pk).update(first_name="win 0 http://evil.example/pay")
    by_api(User.objects.get(pk=ana.pk), ana)
    told = Delivery.objects.get(notification__kind="account.password_changed").notification
    assert "evil" not in f"{told.title}{told.body}{told.texts}"
    assert set(told.texts) == {"en", "fr", "ru"}
