"""Showing that an email address or phone is one's own."""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from typing import Any
from uuid import UUID, uuid4

import pytest
from django.core.exceptions import ValidationError
from django.db import connection, connections
from django.utils import timezone
from rest_framework.test import APIClient

from accounts.models import User, Verification
from accounts.services.users import user_update
from accounts.services.verifications import verification_confirm, verification_send
from accounts.verification import code_of, id_of_token, is_code_of, token_of
from config.rest.exceptions import Conflict
from tests.factories import UserFactory

LogIn = Callable[[User], APIClient]
PURPOSES = ["email", "phone"]
PHONE = "+33612345678"


@pytest.fixture(autouse=True)
def _unlimited(rate: Any) -> None:
    """What a rate does is for its own tests."""


@pytest.fixture
def owner(owner: User) -> User:
    user_update(user=owner, phone=PHONE)
    return owner


def verify(client: APIClient, purpose: str, slash: str = "/") -> Any:
    return client.post(f"/api/v1/auth/{purpose}/verify{slash}")


def confirm(client: APIClient, purpose: str, code: object, slash: str = "/") -> Any:
    return client.post(f"/api/v1/auth/{purpose}/confirm{slash}", {"code": code})


def other_than(code: str) -> str:
    return f"{(int(code) + 1) % 1_000_000:06}"


# --- Codes and tokens ----------------------------------------------------------------------------------


def test_a_code_is_six_digits_that_follow_from_the_id() -> None:
    for verification_id in (uuid4() for _ in range(200)):
        code = code_of(verification_id)
        assert len(code) == 6
        assert code.isascii()
        assert code.isdigit()
        assert code == code_of(verification_id)
        assert is_code_of(verification_id, code)
        assert not is_code_of(verification_id, other_than(code))


def test_codes_differ() -> None:
    assert len({code_of(uuid4()) for _ in range(1000)}) > 990


def test_a_token_leads_back_to_its_id_and_fits_into_a_url() -> None:
    for verification_id in (uuid4() for _ in range(50)):
        token = token_of(verification_id)
        assert id_of_token(token) == verification_id
        assert set(token) <= set("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_")


def test_no_token_but_the_one_that_was_made_is_taken() -> None:
    token = token_of(uuid4())
    for place in range(len(token)):
        changed = token[:place] + ("A" if token[place] != "A" else "B") + token[place + 1 :]
        assert id_of_token(changed) is None
    for other in (token + "=", token[:-1], token[:-4], token + "AAAA", token.replace("A", "a", 1) + " ", ""):
        assert id_of_token(other) is None


def test_codes_and_tokens_need_the_secret_key(settings: Any) -> None:
    verification_id = UUID(int=7)
    code, token = code_of(verification_id), token_of(verification_id)
    settings.SECRET_KEY = "another" * 10
    assert token_of(verification_id) != token
    assert code_of(verification_id) != code
    assert id_of_token(token) is None


# --- Sending -----------------------------------------------------------------------------------------


@pytest.mark.slow
@pytest.mark.parametrize("purpose", PURPOSES)
@pytest.mark.parametrize("slash", ["/", ""])
def test_a_code_is_sent_to_the_address(
    owner: User, as_user: LogIn, sent: list[Verification], settings: Any, purpose: str, slash: str
) -> None:
    before = timezone.now()
    answer = verify(as_user(owner), purpose, slash)
    assert (answer.status_code, list(answer.json())) == (202, ["detail"])
    [verification] = sent
    assert (verification.user, verification.purpose) == (owner, purpose)
    assert verification.address == getattr(owner, purpose)
    assert verification.expires_at >= before + timedelta(seconds=settings.CODE_EXPIRES_S)
    assert code_of(verification.pk) not in answer.content.decode()


@pytest.mark.usefixtures("no_channel")
@pytest.mark.parametrize("purpose", PURPOSES)
def test_where_nothing_can_send_it_nothing_is_kept(owner: User, as_user: LogIn, purpose: str) -> None:
    refused = verify(as_user(owner), purpose)
    assert (refused.status_code, list(refused.json())) == (409, ["detail"])
    assert refused.json()["detail"].startswith("No channel for")
    assert not Verification.objects.exists()


def test_without_a_number_there_is_nothing_to_verify(
    stranger: User, as_user: LogIn, sent: list[Verification]
) -> None:
    refused = verify(as_user(stranger), "phone")
    assert (refused.status_code, list(refused.json())) == (400, ["phone"])
    assert sent == []


@pytest.mark.parametrize("purpose", PURPOSES)
def test_what_is_verified_needs_no_code(
    owner: User, as_user: LogIn, sent: list[Verification], purpose: str
) -> None:
    User.objects.update(**{f"{purpose}_verified_at": timezone.now()})
    assert verify(as_user(owner), purpose).status_code == 409
    assert sent == []


@pytest.mark.slow
@pytest.mark.parametrize("purpose", PURPOSES)
def test_sends_are_limited_by_account(
    owner: User, stranger: User, as_user: LogIn, sent: Any, rate: Any, purpose: str
) -> None:
    rate("verify-account", "2/hour")
    answers = [verify(as_user(owner), purpose) for _ in range(3)]
    assert [answer.status_code for answer in answers] == [202, 202, 429]
    assert int(answers[-1]["Retry-After"]) > 0
    assert len(sent) == 2
    assert verify(as_user(stranger), "email").status_code == 202


@pytest.mark.slow
def test_one_mailbox_gets_few_codes_and_links_whoever_asks_and_whatever_follows_a_plus(
    db: None, as_user: LogIn, anonymous: APIClient, sent: list[Verification], rate: Any, settings: Any
) -> None:
    settings.RESET_ANSWER_S = 0
    rate("code-destination", "5/hour")

    def reset(email: str) -> int:
        return anonymous.post("/api/v1/auth/password/reset/", {"email": email}).status_code

    codes, links = [], []
    for number in range(4):
        user = UserFactory(email=f"victim+{number}@example.com")
        codes.append(verify(as_user(user), "email").status_code)
        links.append(reset(user.email))
    assert (codes, links) == ([202, 202, 202, 429], [202] * 4)
    assert len(sent) == 5
    # Their owner is kept from nothing by it.
    assert verify(as_user(UserFactory(email="victim@example.com")), "email").status_code == 202
    UserFactory(email="victim+me@example.com", email_verified_at=timezone.now())
    assert reset("victim+me@example.com") == 202
    assert [each.address for each in sent[5:]] == ["victim@example.com", "victim+me@example.com"]


def test_sends_are_limited_by_address(
    owner: User, stranger: User, as_user: LogIn, sent: Any, rate: Any
) -> None:
    rate("verify", "2/hour")
    codes = [verify(as_user(user), "email").status_code for user in (owner, stranger, owner)]
    assert codes == [202, 202, 429]


# --- Entering the code -------------------------------------------------------------------------------


@pytest.mark.slow
@pytest.mark.parametrize("purpose", PURPOSES)
@pytest.mark.parametrize("slash", ["/", ""])
def test_the_right_code_verifies(owner: User, as_user: LogIn, sent: Any, purpose: str, slash: str) -> None:
    client = as_user(owner)
    verify(client, purpose)
    before = timezone.now()
    answer = confirm(client, purpose, f" {code_of(sent[0].pk)} ", slash)
    assert answer.status_code == 200
    assert answer.json()[f"{purpose}_verified_at"] is not None
    owner.refresh_from_db()
    assert getattr(owner, f"{purpose}_verified_at") >= before
    other = {"email": "phone", "phone": "email"}[purpose]
    assert getattr(owner, f"{other}_verified_at") is None


def test_the_same_again_answers_the_same(owner: User, as_user: LogIn, sent: Any) -> None:
    client = as_user(owner)
    verify(client, "email")
    answers = [confirm(client, "email", code_of(sent[0].pk)) for _ in range(2)]
    assert [answer.status_code for answer in answers] == [200, 200]
    assert answers[0].json() == answers[1].json()


@pytest.mark.parametrize("purpose", PURPOSES)
def test_a_wrong_code_verifies_nothing_and_says_how_many_are_left(
    owner: User, as_user: LogIn, sent: Any, purpose: str
) -> None:
    client = as_user(owner)
    verify(client, purpose)
    refused = confirm(client, purpose, other_than(code_of(sent[0].pk)))
    assert refused.status_code == 400
    assert refused.json() == {"code": ["This code is wrong. Attempts left: 4."]}
    owner.refresh_from_db()
    assert getattr(owner, f"{purpose}_verified_at") is None


def test_a_code_is_void_after_so_many_wrong_ones(
    owner: User, as_user: LogIn, sent: Any, settings: Any
) -> None:
    client = as_user(owner)
    verify(client, "email")
    right = code_of(sent[0].pk)
    for _ in range(settings.CODE_ATTEMPTS):
        confirm(client, "email", other_than(right))
    refused = confirm(client, "email", right)
    assert refused.status_code == 400
    assert "There is no valid code" in refused.json()["code"][0]
    verify(client, "email")
    assert confirm(client, "email", code_of(sent[1].pk)).status_code == 200


def test_guesses_at_the_same_instant_are_counted_one_by_one(
    transactional_db: None, sent: Any, settings: Any
) -> None:
    user = User.objects.create_user("ana@example.com")
    verification = verification_send(user=user, purpose="email", now=timezone.now())
    wrong = other_than(code_of(verification.pk))

    def guess(_: int) -> None:
        try:
            with pytest.raises(ValidationError):
                verification_confirm(user=user, purpose="email", code=wrong, now=timezone.now())
        finally:
            connections.close_all()

    with ThreadPoolExecutor(12) as pool:
        list(pool.map(guess, range(12)))
    verification.refresh_from_db()
    assert verification.failures == settings.CODE_ATTEMPTS


def test_a_code_works_until_it_expires(owner: User, sent: Any) -> None:
    verification = verification_send(user=owner, purpose="email", now=timezone.now())
    code = code_of(verification.pk)
    with pytest.raises(ValidationError, match="expired"):
        verification_confirm(user=owner, purpose="email", code=code, now=verification.expires_at)
    just_before = verification.expires_at - timedelta(microseconds=1)
    assert verification_confirm(user=owner, purpose="email", code=code, now=just_before).email_verified_at


def test_only_the_newest_code_works(owner: User, as_user: LogIn, sent: Any) -> None:
    client = as_user(owner)
    verify(client, "email"), verify(client, "email")
    first, second = (code_of(verification.pk) for verification in sent)
    assert confirm(client, "email", first).status_code == 400
    assert confirm(client, "email", second).status_code == 200


@pytest.mark.parametrize("purpose", PURPOSES)
def test_a_code_is_void_when_the_address_has_changed(
    owner: User, as_user: LogIn, sent: Any, purpose: str
) -> None:
    client = as_user(owner)
    verify(client, purpose)
    new = {"email": "new@example.com", "phone": "+33687654321"}[purpose]
    user_update(user=User.objects.get(pk=owner.pk), **{purpose: new})
    assert confirm(client, purpose, code_of(sent[0].pk)).status_code == 400
    owner.refresh_from_db()
    assert getattr(owner, f"{purpose}_verified_at") is None


def test_an_address_that_changes_as_its_code_is_taken_is_not_called_confirmed(
    owner: User, as_user: LogIn, sent: Any
) -> None:
    client = as_user(owner)
    verify(client, "email")
    seen: list[str] = []

    def change_first(execute: Any, sql: str, *rest: Any) -> Any:
        if sql.startswith('UPDATE "accounts_user" SET "email_verified_at"'):
            seen.append(sql)
            User.objects.filter(pk=owner.pk).update(email="other@example.com")
        return execute(sql, *rest)

    with connection.execute_wrapper(change_first):
        answer = confirm(client, "email", code_of(sent[0].pk))
    assert seen
    assert answer.status_code == 400
    owner.refresh_from_db()
    assert owner.email_verified_at is None


def test_a_code_is_for_one_purpose(owner: User, as_user: LogIn, sent: Any) -> None:
    client = as_user(owner)
    verify(client, "email")
    assert confirm(client, "phone", code_of(sent[0].pk)).status_code == 400


def test_a_mailed_link_is_no_code(owner: User, as_user: LogIn, sent: Any) -> None:
    verification = verification_send(user=owner, purpose="password", now=timezone.now())
    assert confirm(as_user(owner), "email", code_of(verification.pk)).status_code == 400


def test_several_people_verify_at_the_same_time(
    owner: User, stranger: User, teammate: User, as_user: LogIn, sent: Any
) -> None:
    User.objects.update(email_verified_at=None)
    clients = [as_user(user) for user in (owner, stranger, teammate)]
    for client in clients:
        verify(client, "email")
    codes = [code_of(verification.pk) for verification in sent]
    pairs = zip(clients, codes, strict=True)
    assert [confirm(client, "email", code).status_code for client, code in pairs] == [200] * 3


def test_nobody_uses_anothers_code(owner: User, stranger: User, as_user: LogIn, sent: Any) -> None:
    verify(as_user(owner), "email")
    assert confirm(as_user(stranger), "email", code_of(sent[0].pk)).status_code == 400
    stranger.refresh_from_db()
    assert stranger.email_verified_at is None
    assert confirm(as_user(owner), "email", code_of(sent[0].pk)).status_code == 200


@pytest.mark.slow
@pytest.mark.parametrize("purpose", PURPOSES)
@pytest.mark.parametrize(
    "code", ["", "12345", "1234567", "12345a", "１２３４５６", None, 123456, ["123456"], "12 456"]
)
def test_what_is_no_code_is_refused_and_not_counted(
    owner: User, as_user: LogIn, sent: list[Verification], purpose: str, code: object
) -> None:
    client = as_user(owner)
    verify(client, purpose)
    refused = confirm(client, purpose, code)
    assert (refused.status_code, list(refused.json())) == (400, ["code"])
    sent[0].refresh_from_db()
    assert sent[0].failures == 0


@pytest.mark.parametrize("purpose", PURPOSES)
def test_only_people_verify(anonymous: APIClient, as_machine: Any, purpose: str) -> None:
    machine = as_machine("alerts:read")
    assert verify(anonymous, purpose).status_code == confirm(anonymous, purpose, "123456").status_code == 401
    assert verify(machine, purpose).status_code == confirm(machine, purpose, "123456").status_code == 403


def test_the_service_refuses_what_the_api_does(owner: User, sent: Any) -> None:
    User.objects.update(email_verified_at=timezone.now())
    owner.refresh_from_db()
    with pytest.raises(Conflict):
        verification_send(user=owner, purpose="email", now=timezone.now())
