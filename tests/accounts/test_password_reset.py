"""Setting a new password by a mailed link, which is asked for without telling who has an account."""

import time
from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.utils import timezone
from rest_framework.test import APIClient

from accounts.models import User, Verification
from accounts.services.passwords import password_reset_confirm, password_reset_request
from accounts.services.users import user_update
from accounts.verification import code_of, token_of
from tests.accounts.conftest import PASSWORD
from tests.accounts.passwords import NEW, WEAK, refreshed, status_of_log_in

pytestmark = pytest.mark.usefixtures("unlimited")

RESET = "/api/v1/auth/password/reset/"
CONFIRM, ME = "/api/v1/auth/password/reset/confirm/", "/api/v1/users/me/"
Bearing = Callable[[object], APIClient]
LogIn = Callable[[User], APIClient]


# --- Asking for a link ---------------------------------------------------------------------------------


def ask(email: object, **meta: Any) -> Any:
    return APIClient(**meta).post(RESET, {"email": email})


@pytest.mark.parametrize("path", [RESET, RESET.rstrip("/")])
def test_a_link_goes_to_the_address_of_the_account(
    owner: User, sent: list[Verification], settings: Any, path: str
) -> None:
    before = timezone.now()
    assert APIClient().post(path, {"email": " Owner@EXAMPLE.com"}).status_code == 202
    [link] = sent
    assert (link.user, link.address, link.purpose) == (owner, owner.email, "password")
    lifetime = timedelta(seconds=settings.RESET_EXPIRES_S)
    assert before + lifetime <= link.expires_at <= timezone.now() + lifetime


@pytest.mark.slow
def test_the_answer_does_not_tell_whether_there_is_an_account(
    owner: User, stranger: User, sent: list[Verification]
) -> None:
    stranger.is_active = False
    stranger.save()
    answers = [ask(email) for email in (owner.email, stranger.email, "nobody@example.com")]
    assert [answer.status_code for answer in answers] == [202] * 3
    assert len({answer.content for answer in answers}) == 1
    assert len({tuple(sorted(answer.headers.items())) for answer in answers}) == 1
    assert [link.user for link in sent] == [owner]


@pytest.mark.usefixtures("no_channel")
def test_nor_does_it_where_nothing_can_be_sent(owner: User) -> None:
    known, unknown = ask(owner.email), ask("nobody@example.com")
    assert (known.status_code, known.content) == (unknown.status_code, unknown.content)
    assert known.status_code == 202
    assert not Verification.objects.exists()


@pytest.mark.slow
@pytest.mark.parametrize("known", [True, False])
def test_nor_does_the_time_it_takes(
    owner: User, sent: list[Verification], settings: Any, known: bool
) -> None:
    """Whatever it takes to make the mail is within a time that every answer takes."""
    settings.RESET_ANSWER_S = 0.4
    started = time.monotonic()
    ask(owner.email if known else "nobody@example.com")
    assert time.monotonic() - started >= 0.4


@pytest.mark.parametrize("email", ["", "x", None, 1, ["owner@example.com"], "a\x00@example.com"])
def test_what_is_no_email_is_refused(db: None, email: object) -> None:
    refused = ask(email)
    assert (refused.status_code, list(refused.json())) == (400, ["email"])


def test_an_email_that_only_looks_like_the_accounts_gets_nothing(
    owner: User, sent: list[Verification]
) -> None:
    User.objects.filter(pk=owner.pk).update(email="kim@example.com")
    assert ask("\u212aim@example.com").status_code == 400
    assert sent == []


def test_asking_is_limited_by_account_whether_there_is_one_or_not(owner: User, sent: Any, rate: Any) -> None:
    rate("reset-account", "2/hour")

    def codes(email: str) -> list[int]:
        return [ask(email, REMOTE_ADDR=f"192.0.2.{n}").status_code for n in range(4)]

    assert codes(owner.email) == codes("nobody@example.com") == [202, 202, 429, 429]
    assert len(sent) == 2


def test_asking_is_limited_by_address(db: None, rate: Any) -> None:
    rate("reset", "2/hour")
    codes = [ask(f"u{n}@example.com").status_code for n in range(3)]
    assert codes == [202, 202, 429]


def test_whoever_can_not_ask_any_more_has_a_link_that_works(settings: Any) -> None:
    """Nobody is kept out by a stranger who asks in their name: a link lives as long as the limit holds."""
    from accounts.rate_limits import parsed  # noqa: PLC0415
    from config import settings as product  # noqa: PLC0415

    _, window = parsed(product.RESET_ACCOUNT_RATE)
    assert timedelta(seconds=product.RESET_EXPIRES_S) >= window


def test_each_link_works_until_one_is_used(owner: User, sent: list[Verification]) -> None:
    ask(owner.email), ask(owner.email)
    first, second = (token_of(link.pk) for link in sent)
    assert confirm(first).status_code == 204
    assert confirm(second, "another bale of straw").status_code == 400


# --- Using it -----------------------------------------------------------------------------------------------


@pytest.fixture
def link(owner: User, sent: list[Verification]) -> Verification:
    password_reset_request(email=owner.email, now=timezone.now())
    return sent[0]


def confirm(token: object, password: object = NEW, path: str = CONFIRM) -> Any:
    return APIClient().post(path, {"token": token, "new_password": password})


@pytest.mark.parametrize("path", [CONFIRM, CONFIRM.rstrip("/")])
def test_a_link_sets_a_new_password(owner: User, link: Verification, path: str) -> None:
    assert confirm(token_of(link.pk), path=path).status_code == 204
    assert (status_of_log_in(owner, PASSWORD), status_of_log_in(owner, NEW)) == (401, 200)


def test_a_link_works_once(owner: User, link: Verification) -> None:
    confirm(token_of(link.pk))
    refused = confirm(token_of(link.pk), "another bale of straw")
    assert (refused.status_code, list(refused.json())) == (400, ["token"])
    assert status_of_log_in(owner, NEW) == 200


def test_a_refused_password_does_not_use_up_the_link(owner: User, link: Verification) -> None:
    for password in WEAK:
        refused = confirm(token_of(link.pk), password)
        assert (refused.status_code, list(refused.json())) == (400, ["new_password"])
    assert confirm(token_of(link.pk)).status_code == 204


def at(moment: datetime, link: Verification) -> User:
    return password_reset_confirm(token=token_of(link.pk), new_password=NEW, now=moment)


def test_a_link_works_until_it_expires(link: Verification) -> None:
    with pytest.raises(Exception, match="expired"):
        at(link.expires_at, link)
    assert at(link.expires_at - timedelta(microseconds=1), link)


def test_a_link_ends_every_token_and_session(
    owner: User, link: Verification, log_in: Any, bearing: Bearing, as_user: LogIn
) -> None:
    tokens, session = log_in(owner), as_user(owner)
    confirm(token_of(link.pk))
    assert bearing(tokens["access_token"]).get(ME).status_code == 401
    assert refreshed(tokens["refresh_token"]) == 401
    assert session.get(ME).status_code == 401


def test_using_a_link_verifies_the_address_that_it_came_to(owner: User, link: Verification) -> None:
    confirm(token_of(link.pk))
    owner.refresh_from_db()
    assert owner.email_verified_at is not None


def test_a_link_is_void_when_the_address_has_changed(owner: User, link: Verification) -> None:
    user_update(user=owner, email="elsewhere@example.com")
    assert confirm(token_of(link.pk)).status_code == 400


def test_a_link_is_void_for_who_is_locked_out(owner: User, link: Verification) -> None:
    User.objects.filter(pk=owner.pk).update(is_active=False)
    assert confirm(token_of(link.pk)).status_code == 400


def test_who_never_had_a_password_sets_one(owner: User, link: Verification) -> None:
    User.objects.filter(pk=owner.pk).update(password="!")
    assert confirm(token_of(link.pk)).status_code == 204
    assert status_of_log_in(owner, NEW) == 200


@pytest.mark.parametrize("token", ["x", "x" * 64, "x" * 201, "", None, 1, ["x"], "é" * 64, "a\x00"])
def test_what_is_no_link_is_refused(db: None, token: object) -> None:
    refused = confirm(token)
    assert (refused.status_code, list(refused.json())) == (400, ["token"])


def test_a_code_is_no_link_and_a_link_to_verify_sets_no_password(owner: User, link: Verification) -> None:
    assert confirm(code_of(link.pk)).status_code == 400
    Verification.objects.filter(pk=link.pk).update(purpose="email")
    assert confirm(token_of(link.pk)).status_code == 400


def test_links_are_not_stored(owner: User, link: Verification) -> None:
    with connection.cursor() as cursor:
        cursor.execute("SELECT t::text FROM accounts_verification AS t")
        row = cursor.fetchone()[0]
    assert token_of(link.pk) not in row
    assert token_of(link.pk)[24:] not in row


def test_trying_links_is_limited(db: None, rate: Any) -> None:
    rate("reset", "2/hour")
    assert [confirm("x").status_code for _ in range(3)] == [400, 400, 429]


def test_the_account_is_locked_while_its_link_is_used(owner: User, link: Verification) -> None:
    with CaptureQueriesContext(connection) as queries:
        confirm(token_of(link.pk))
    assert any("FOR UPDATE OF" in query["sql"] for query in queries)
