"""What tests of accounts share."""

from collections.abc import Callable, Iterator
from typing import Any

import pytest
from django.conf import settings
from rest_framework.test import APIClient

from accounts.models import User, Verification
from accounts.signals import verification_requested

#: What UserFactory gives everybody.
PASSWORD = "correct horse battery"
#: A registration.
ANA = {
    "email": "ana@example.com",
    "password": "correct horse battery",
    "first_name": "Ana",
    "last_name": "Lima",
    "role": "student",
}


def unverified(user: User) -> User:
    User.objects.filter(pk=user.pk).update(email_verified_at=None)
    user.refresh_from_db()
    return user


@pytest.fixture
def owner(owner: User) -> User:
    """Has not shown yet that the address is theirs."""
    return unverified(owner)


@pytest.fixture
def stranger(stranger: User) -> User:
    return unverified(stranger)


@pytest.fixture
def sent() -> Iterator[list[Verification]]:
    """A channel that takes every code and link; what it was given to send."""
    taken: list[Verification] = []

    def take(verification: Verification, **kwargs: Any) -> bool:
        taken.append(verification)
        return True

    verification_requested.connect(take)
    yield taken
    verification_requested.disconnect(take)


@pytest.fixture
def no_channel() -> Iterator[None]:
    """Nothing is set up that could send a code or link."""
    receivers, verification_requested.receivers = verification_requested.receivers, []
    verification_requested.sender_receivers_cache.clear()
    yield
    verification_requested.receivers = receivers
    verification_requested.sender_receivers_cache.clear()


@pytest.fixture
def rate(monkeypatch: pytest.MonkeyPatch) -> Callable[[str, str | None], None]:
    """Set the rate of a scope; all others have none."""
    for scope in settings.RATES:
        monkeypatch.setitem(settings.RATES, scope, None)

    def put(scope: str, value: str | None) -> None:
        monkeypatch.setitem(settings.RATES, scope, value)

    return put


@pytest.fixture
def unlimited(rate: Any, settings: Any) -> None:
    """No rate, and no wait until an answer."""
    settings.RESET_ANSWER_S = 0


@pytest.fixture
def log_in(anonymous: APIClient) -> Callable[..., Any]:
    """Log in by the API; the answer's body."""

    def call(user: User, password: str = PASSWORD) -> Any:
        answer = anonymous.post("/api/v1/auth/login/", {"email": user.email, "password": password})
        assert answer.status_code == 200, answer.content
        return answer.json()

    return call


@pytest.fixture
def bearing() -> Callable[[object], APIClient]:
    """A client that bears this access token."""

    def build(token: object) -> APIClient:
        client = APIClient()
        client.credentials(HTTP_AUTHORIZATION=f"Bearer {token}")
        return client

    return build
