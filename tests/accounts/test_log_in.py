"""Logging in: what it answers, what it costs, and how often it may be tried."""

from collections.abc import Callable, Iterator
from typing import Any

import pytest
from django.contrib.auth.hashers import get_hashers, identify_hasher, make_password
from django.urls import reverse
from django.utils import timezone
from rest_framework.test import APIClient

from accounts import rate_limits
from accounts.models import User
from tests.accounts.conftest import PASSWORD
from tests.accounts.hashers import work

LOGIN, ORIGINAL, TOKEN = "/api/v1/auth/login/", "/auth/api/v1/login", "/api/v1/auth/token/"
OPTIMISED = "accounts.hashers.LeanArgon2PasswordHasher"
DJANGOS = "django.contrib.auth.hashers.Argon2PasswordHasher"
Bearing = Callable[[object], APIClient]


@pytest.fixture
def hashers(settings: Any) -> Iterator[Callable[..., None]]:
    def use(*names: str) -> None:
        settings.PASSWORD_HASHERS = list(names)
        get_hashers.cache_clear()

    yield use
    get_hashers.cache_clear()


@pytest.mark.parametrize("path", [LOGIN, LOGIN.rstrip("/"), ORIGINAL, ORIGINAL + "/"])
def test_whoever_knows_the_password_gets_tokens(
    owner: User, anonymous: APIClient, bearing: Bearing, path: str
) -> None:
    answer = anonymous.post(path, {"email": " Owner@Example.com", "password": PASSWORD})
    assert answer.status_code == 200
    body = answer.json()
    assert list(body) == ["access_token", "refresh_token", "user"]
    assert body["user"] == bearing(body["access_token"]).get("/api/v1/users/me/").json()
    assert body["user"]["id"] == str(owner.pk)
    assert answer["Cache-Control"] == "no-store"


def test_when_somebody_logged_in_last_is_kept(owner: User, log_in: Any) -> None:
    before = timezone.now()
    log_in(owner)
    owner.refresh_from_db()
    assert owner.last_login is not None
    assert owner.last_login >= before


@pytest.mark.slow
@pytest.mark.parametrize("path", [LOGIN, TOKEN])
@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("email", None),
        ("email", 1),
        ("email", ""),
        ("email", "a\x00b"),
        ("email", "x" * 255),
        ("password", None),
        ("password", 1),
        ("password", ["x"]),
        ("password", "x" * 257),
    ],
)
def test_a_bad_value_is_refused_with_a_message_for_its_field(
    owner: User, anonymous: APIClient, path: str, field: str, value: object
) -> None:
    refused = anonymous.post(path, {"email": owner.email, "password": PASSWORD, field: value})
    assert (refused.status_code, list(refused.json())) == (400, [field])


def test_all_refusals_are_the_same(owner: User, stranger: User, teammate: User, anonymous: APIClient) -> None:
    stranger.is_active = False
    stranger.save()
    teammate.set_unusable_password()
    teammate.save()
    tried = [
        (owner.email, "wrong horse"),
        ("nobody@example.com", PASSWORD),
        (stranger.email, PASSWORD),
        (teammate.email, PASSWORD),
    ]
    answers = [anonymous.post(LOGIN, {"email": email, "password": word}) for email, word in tried]
    assert {answer.status_code for answer in answers} == {401}
    assert len({answer.content for answer in answers}) == 1
    assert all(answer["WWW-Authenticate"].startswith("Bearer") for answer in answers)


@pytest.mark.slow
@pytest.mark.parametrize("path", [LOGIN, TOKEN])
def test_every_log_in_hashes_once(
    owner: User, stranger: User, teammate: User, anonymous: APIClient, hashers: Any, path: str
) -> None:
    """Counted, not timed: right, wrong, unknown, locked out, and without any password."""
    hashers("tests.accounts.hashers.Counting")
    for user in (owner, stranger):
        user.set_password(PASSWORD)
    stranger.is_active = False
    teammate.set_unusable_password()
    for user in (owner, stranger, teammate):
        user.save()
    spent = []
    for email, password in [
        (owner.email, PASSWORD),
        (owner.email, "wrong horse"),
        ("nobody@example.com", PASSWORD),
        ("not an email", PASSWORD),
        (stranger.email, PASSWORD),
        (teammate.email, PASSWORD),
    ]:
        work.clear()
        anonymous.post(path, {"email": email, "password": password})
        spent.append(work["hashes"])
    assert spent == [1] * 6


# --- Hashes -----------------------------------------------------------------------------------------


def test_the_product_hashes_as_owasp_says(hashers: Any) -> None:
    hashers(OPTIMISED)
    assert make_password(PASSWORD).startswith("argon2$argon2id$v=19$m=19456,t=2,p=1$")


def test_the_product_uses_that_hasher() -> None:
    from config import settings as product  # noqa: PLC0415  (the tests' own settings hash quickly)

    assert product.PASSWORD_HASHERS[0] == OPTIMISED


@pytest.mark.slow
@pytest.mark.parametrize("old", [DJANGOS, "django.contrib.auth.hashers.PBKDF2PasswordHasher"])
def test_an_old_hash_is_made_anew_at_log_in(owner: User, log_in: Any, hashers: Any, old: str) -> None:
    hashers(old)
    User.objects.filter(pk=owner.pk).update(password=make_password(PASSWORD))
    hashers(OPTIMISED, "django.contrib.auth.hashers.PBKDF2PasswordHasher")
    tokens = log_in(owner)
    owner.refresh_from_db()
    assert "m=19456,t=2,p=1" in owner.password
    assert identify_hasher(owner.password).must_update(owner.password) is False
    assert owner.check_password(PASSWORD)
    # The tokens of that very log-in are of the new hash.
    client = APIClient(HTTP_AUTHORIZATION=f"Bearer {tokens['access_token']}")
    assert client.get("/api/v1/users/me/").status_code == 200


@pytest.mark.slow
def test_a_wrong_password_makes_no_hash_anew(owner: User, anonymous: APIClient, hashers: Any) -> None:
    hashers(DJANGOS)
    old = make_password(PASSWORD)
    User.objects.filter(pk=owner.pk).update(password=old)
    hashers(OPTIMISED)
    anonymous.post(LOGIN, {"email": owner.email, "password": "wrong horse"})
    owner.refresh_from_db()
    assert owner.password == old


# --- How often -----------------------------------------------------------------------------------------


def tried(email: str, password: str = "wrong horse", *, address: str = "192.0.2.1", path: str = LOGIN) -> Any:
    return APIClient(REMOTE_ADDR=address).post(path, {"email": email, "password": password})


def test_log_ins_from_an_address_are_limited(owner: User) -> None:
    answers = [tried(f"u{n}@example.com") for n in range(11)]
    assert [answer.status_code for answer in answers] == [401] * 10 + [429]
    assert 0 < int(answers[-1]["Retry-After"]) <= 60


def test_each_way_in_counts_together(owner: User) -> None:
    paths = [LOGIN, ORIGINAL, TOKEN, TOKEN.rstrip("/")] * 3
    codes = [tried(owner.email, path=path).status_code for path in paths]
    assert codes == [401] * 10 + [429] * 2


@pytest.mark.slow
def test_a_token_does_not_buy_more_attempts(owner: User, log_in: Any) -> None:
    token = log_in(owner)["access_token"]
    client = APIClient(HTTP_AUTHORIZATION=f"Bearer {token}", REMOTE_ADDR="192.0.2.1")
    codes = [tried(owner.email).status_code for _ in range(10)]
    codes.append(client.post(LOGIN, {"email": owner.email, "password": "wrong horse"}).status_code)
    assert codes == [401] * 10 + [429]


def test_addresses_of_one_ipv6_network_count_together(owner: User) -> None:
    codes = [tried(owner.email, address=f"2001:db8::{n:x}").status_code for n in range(1, 12)]
    assert codes[-1] == 429


def test_guesses_from_many_addresses_are_limited(owner: User) -> None:
    spellings = [owner.email, owner.email.upper(), f" {owner.email}"]
    codes = [tried(spellings[n % 3], address=f"192.0.2.{n}").status_code for n in range(25)]
    assert codes == [401] * 20 + [429] * 5
    assert tried("somebody@example.com", address="192.0.2.77").status_code == 401


@pytest.mark.slow
def test_no_stranger_keeps_the_owner_out_from_where_they_were_before(owner: User) -> None:
    home = "198.51.100.7"
    assert tried(owner.email, PASSWORD, address=home).status_code == 200
    for n in range(25):
        tried(owner.email, address=f"192.0.2.{n}")
    assert tried(owner.email, PASSWORD, address="192.0.2.77").status_code == 429
    assert tried(owner.email, PASSWORD, address=home).status_code == 200


def test_a_wrong_password_makes_no_address_known(owner: User) -> None:
    for n in range(20):
        tried(owner.email, address=f"192.0.2.{n}")
    assert tried(owner.email, PASSWORD, address="192.0.2.5").status_code == 429


@pytest.mark.slow
def test_whether_an_account_exists_changes_nothing_of_the_limit(owner: User) -> None:
    def codes(email: str, net: str) -> list[int]:
        return [tried(email, address=f"{net}.{n}").status_code for n in range(22)]

    assert codes(owner.email, "192.0.2") == codes("nobody@example.com", "198.51.100")


def test_a_body_without_an_email_is_an_attempt_too(db: None, anonymous: APIClient) -> None:
    codes = [anonymous.post(LOGIN, body).status_code for body in [{}, [], "x", {"email": 1}] * 3]
    assert codes == [400] * 10 + [429] * 2


def test_without_redis_nothing_is_let_through(owner: User, settings: Any) -> None:
    settings.REDIS_URL = "redis://127.0.0.1:1/0"
    refused = tried(owner.email, PASSWORD)
    assert refused.status_code == 503
    assert int(refused["Retry-After"]) > 0


def test_log_ins_to_the_admin_count_with_the_others(operator: User, client: Any) -> None:
    path = reverse("admin:login")
    for _ in range(10):
        tried(operator.email, address="127.0.0.1")
    page = client.post(path, {"username": operator.email, "password": PASSWORD})
    assert page.status_code == 200
    assert "Too many attempts" in page.content.decode()
    assert "_auth_user_id" not in client.session


def test_the_admin_lets_in_who_knows_the_password(operator: User, client: Any) -> None:
    path = reverse("admin:login")
    wrong = client.post(path, {"username": operator.email, "password": "wrong horse"})
    assert wrong.status_code == 200
    assert client.post(path, {"username": operator.email, "password": PASSWORD}).status_code == 302
    assert client.session["_auth_user_id"] == str(operator.pk)


@pytest.mark.parametrize("password", [PASSWORD, "wrong horse", "", None])
def test_an_address_is_known_from_a_log_in_alone(operator: User, client: Any, password: str | None) -> None:
    body = {"username": operator.email} | ({} if password is None else {"password": password})
    client.post(reverse("admin:login"), body)
    known = rate_limits.address_is_known(account=operator.email, address="127.0.0.1")
    assert known is (password == PASSWORD)


def test_guesses_at_the_admin_hold_for_the_api(operator: User, client: Any) -> None:
    for _ in range(10):
        client.post(reverse("admin:login"), {"username": operator.email, "password": "wrong horse"})
    assert tried(operator.email, PASSWORD, address="127.0.0.1").status_code == 429
