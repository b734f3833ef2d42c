"""What accounts keep of people is deleted once it is of no more use."""

from datetime import datetime, timedelta

import pytest
from django.contrib.admin.models import CHANGE, LogEntry
from django.contrib.contenttypes.models import ContentType
from django.contrib.sessions.models import Session
from django.utils import timezone
from pytest_django import Settings
from rest_framework.test import APIClient
from rest_framework_simplejwt.settings import api_settings
from rest_framework_simplejwt.token_blacklist.models import BlacklistedToken, OutstandingToken
from rest_framework_simplejwt.tokens import RefreshToken

from accounts import retention
from accounts.models import User, Verification
from config import slices
from config.slices import Run


@pytest.fixture
def verification(owner: User) -> Verification:
    return Verification.objects.create(
        user=owner, purpose="email", address=owner.email, expires_at=timezone.now()
    )


def run() -> Run:
    return Run(now=timezone.now())


def aged(user: User, age: timedelta, count: int = 1) -> list[int]:
    tokens = [
        OutstandingToken(user=user, jti=f"{age}-{n}", token="", expires_at=timezone.now() - age)
        for n in range(count)
    ]
    return [token.pk for token in OutstandingToken.objects.bulk_create(tokens)]


def test_expired_tokens_go_and_living_ones_stay(owner: User, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(slices, "MOST", 3)
    expired = aged(owner, retention.STILL_GOOD + timedelta(seconds=1), count=8)
    BlacklistedToken.objects.bulk_create([BlacklistedToken(token_id=pk) for pk in expired[::2]])
    living = [*aged(owner, timedelta(days=-1)), *aged(owner, api_settings.LEEWAY)]
    BlacklistedToken.objects.create(token_id=living[0])
    assert retention.tokens_expire(run()) == 8
    assert set(OutstandingToken.objects.values_list("pk", flat=True)) == set(living)
    assert list(BlacklistedToken.objects.values_list("token_id", flat=True)) == [living[0]]
    assert retention.tokens_expire(run()) == 0


def test_a_dead_token_stays_dead_afterwards(owner: User) -> None:
    token = str(RefreshToken.for_user(owner))
    APIClient().post("/api/v1/auth/logout/", {"refresh_token": token})
    retention.tokens_expire(run())
    assert APIClient().post("/api/v1/auth/refresh/", {"refresh_token": token}).status_code == 401


@pytest.mark.parametrize(("age", "stays"), [(0, True), (6, True), (8, False)])
def test_verifications_stay_for_a_week(verification: Verification, age: int, stays: bool) -> None:
    Verification.objects.update(expires_at=timezone.now() - timedelta(days=age))
    retention.verifications_expire(run())
    assert Verification.objects.exists() is stays


def test_sessions_go_when_they_expire(db: None) -> None:
    now = timezone.now()
    for key, expires_at in (("old", now - timedelta(seconds=1)), ("young", now + timedelta(hours=1))):
        Session.objects.create(session_key=key, session_data="", expire_date=expires_at)
    assert retention.sessions_expire(run()) == 1
    assert Session.objects.get().session_key == "young"


def test_the_admins_log_goes_after_its_time(operator: User, settings: Settings) -> None:
    settings.ACTION_RETENTION_DAYS = 30

    def note(at: datetime) -> LogEntry:
        of = ContentType.objects.get_for_model(User)
        return LogEntry.objects.create(user=operator, content_type=of, action_flag=CHANGE, action_time=at)

    now = timezone.now()
    note(now - timedelta(days=31))
    young = note(now - timedelta(days=29))
    assert retention.admin_log_expire(run()) == 1
    assert LogEntry.objects.get() == young
