"""What is deleted by the clock: refresh tokens and verifications that nobody can use any more."""

from datetime import timedelta

import pytest
from django.utils import timezone
from rest_framework.test import APIClient
from rest_framework_simplejwt.token_blacklist.models import BlacklistedToken, OutstandingToken
from rest_framework_simplejwt.tokens import RefreshToken

from accounts import jobs
from accounts.models import User, Verification
from config.schedule import ENTRIES


@pytest.fixture
def verification(owner: User) -> Verification:
    return Verification.objects.create(
        user=owner, purpose="email", address=owner.email, expires_at=timezone.now()
    )


def aged(user: User, age: timedelta, count: int = 1) -> list[int]:
    tokens = [
        OutstandingToken(user=user, jti=f"{age}-{n}", token="", expires_at=timezone.now() - age)
        for n in range(count)
    ]
    return [token.pk for token in OutstandingToken.objects.bulk_create(tokens)]


def test_expired_tokens_go_and_living_ones_stay(owner: User, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(jobs, "CHUNK", 3)
    expired = aged(owner, timedelta(seconds=1), count=8)
    BlacklistedToken.objects.bulk_create([BlacklistedToken(token_id=pk) for pk in expired[::2]])
    living = aged(owner, timedelta(days=-1), count=2)
    BlacklistedToken.objects.create(token_id=living[0])
    jobs.tokens_flush()
    assert set(OutstandingToken.objects.values_list("pk", flat=True)) == set(living)
    assert list(BlacklistedToken.objects.values_list("token_id", flat=True)) == [living[0]]
    jobs.tokens_flush()
    assert OutstandingToken.objects.count() == 2


def test_a_dead_token_stays_dead_afterwards(owner: User) -> None:
    token = str(RefreshToken.for_user(owner))
    APIClient().post("/api/v1/auth/logout/", {"refresh_token": token})
    jobs.tokens_flush()
    assert APIClient().post("/api/v1/auth/refresh/", {"refresh_token": token}).status_code == 401


@pytest.mark.parametrize(("age", "stays"), [(0, True), (6, True), (8, False)])
def test_verifications_stay_for_a_week(verification: Verification, age: int, stays: bool) -> None:
    Verification.objects.update(expires_at=timezone.now() - timedelta(days=age))
    jobs.tokens_flush()
    assert Verification.objects.exists() is stays


def test_it_runs_by_the_clock() -> None:
    [entry] = [entry for entry in ENTRIES if entry.job is jobs.tokens_flush]
    assert entry.cron is not None
