"""Whoever takes an account back by its mailed link is alone in it: nothing tells the one of before."""

from collections.abc import Callable
from typing import Any

import pytest
from django.utils import timezone
from rest_framework.test import APIClient

from accounts.models import User, Verification
from accounts.verification import token_of
from dating.models import BotAccount
from notifications.models import ContactPoint, Delivery, Preference, Subscription
from tests.factories import ContactPointFactory, UserFactory

pytestmark = pytest.mark.django_db

CONFIRM, NEW = "/api/v1/auth/password/reset/confirm/", "staple full of hay"
ATTACKER = {"channel": "email", "address": "attacker@evil.example"}


def take_back(email: str) -> None:
    """Ask for a link and use it, as whoever reads the mail."""
    anyone = APIClient()
    assert anyone.post("/api/v1/auth/password/reset/", {"email": email}).status_code == 202
    link = Verification.objects.filter(purpose="password", user__email=email).latest("created_at")
    done = anyone.post(CONFIRM, {"token": token_of(link.pk), "new_password": NEW})
    assert done.status_code == 204


def planted(user: User, **point: Any) -> ContactPoint:
    """What was added before addresses had to be confirmed, or while another one was confirmed."""
    Subscription.objects.create(user=user, channel="email", kind="alert", is_enabled=False)
    Preference.objects.create(user=user, level="CRITICAL")
    BotAccount.objects.create(user=user, number=666)
    made: ContactPoint = ContactPointFactory(user=user, **{**ATTACKER, **point})
    return made


def test_what_was_added_before_the_first_confirmation_is_taken_away_and_the_owner_is_told() -> None:
    victim = UserFactory(email="victim@example.com", phone="+33612345678")
    own = ContactPointFactory(user=victim, channel="email", address="victim@example.com")
    planted(victim)
    ContactPointFactory(user=victim, channel="sms", address="+33612345678")
    take_back("victim@example.com")
    victim.refresh_from_db()
    assert victim.email_verified_at
    assert victim.phone == ""
    assert [point.pk for point in ContactPoint.objects.filter(deleted_at=None)] == [own.pk]
    for model in (Subscription, Preference, BotAccount):
        assert not model.objects.exists()
    mail = Delivery.objects.get(notification__kind="account.taken")
    assert (mail.channel, mail.address) == ("email", "victim@example.com")


def test_a_new_email_is_confirmed_for_the_first_time_too(as_user: Callable[[User], APIClient]) -> None:
    attacker = UserFactory(email="attacker@evil.example", email_verified_at=timezone.now())
    client = as_user(attacker)
    assert client.post("/api/v1/contact-points/", ATTACKER).json()["confirmed_at"]
    moved = {"email": "victim@example.com", "current_password": "correct horse battery"}
    assert client.patch("/api/v1/users/me/", moved).status_code == 200
    take_back("victim@example.com")
    assert not ContactPoint.objects.filter(deleted_at=None).exists()


@pytest.mark.slow
def test_what_staff_vouch_for_stays_and_so_does_all_of_whom_nobody_was_logged_in_as() -> None:
    known = UserFactory(email="known@example.com")
    planted(known, is_vouched=True)
    made_by_staff = UserFactory(email="staff-made@example.com")
    made_by_staff.set_unusable_password()
    made_by_staff.save()
    ContactPointFactory(user=made_by_staff, channel="email", address="desk@example.com")
    take_back("known@example.com")
    take_back("staff-made@example.com")
    kept = ContactPoint.objects.filter(deleted_at=None).values_list("address", flat=True)
    assert sorted(kept) == ["attacker@evil.example", "desk@example.com"]


def test_a_reset_of_a_confirmed_account_takes_nothing_away(owner: User) -> None:
    point = planted(owner)
    take_back(owner.email)
    point.refresh_from_db()
    assert point.deleted_at is None
    assert Subscription.objects.count() == 1
    assert not Delivery.objects.filter(notification__kind="account.taken").exists()
