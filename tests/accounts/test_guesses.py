"""Many guess while others log in: no guess is of use, and nobody with the right password is refused."""

import random
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from django.db import connections
from rest_framework.test import APIClient

from accounts.models import User
from config import clock
from tests.accounts.conftest import ANA, PASSWORD
from tests.factories import UserFactory

LOGIN, REGISTER, RESET = "/api/v1/auth/login/", "/api/v1/auth/register/", "/api/v1/auth/password/reset/"
SCHOOL = "198.51.100.7"
ADDRESSES, ACCOUNTS, PEOPLE, GUESSES = 40, 5, 30, 300


def tried(email: str, password: str, address: str) -> int:
    answer = APIClient(REMOTE_ADDR=address).post(LOGIN, {"email": email, "password": password})
    return int(answer.status_code)


@pytest.mark.slow
def test_guesses_from_many_addresses_help_nobody_and_harm_nobody(
    transactional_db: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whoever guesses has all but the right password by then: each of the last guesses would be right."""
    now = clock.now()
    # One minute in which all of it happens, however slow the machine.
    monkeypatch.setattr(clock, "now", lambda: now)
    victims = [UserFactory().email for _ in range(ACCOUNTS)]
    people = [UserFactory().email for _ in range(PEOPLE)]
    wrong = [
        (victims[number % ACCOUNTS], "wrong horse", f"192.0.2.{number % ADDRESSES}")
        for number in range(GUESSES)
    ]
    right = [(email, PASSWORD, f"192.0.2.{number}") for email in victims for number in range(ADDRESSES)]
    log_ins = [(email, PASSWORD, SCHOOL) for email in people]
    mistyped = [(email, "corect horse", SCHOOL) for email in people[:5]]
    together = wrong + log_ins + mistyped
    random.Random(7).shuffle(together)

    def attempt(each: tuple[str, str, str]) -> tuple[tuple[str, str, str], int]:
        try:
            return each, tried(*each)
        finally:
            connections.close_all()

    with ThreadPoolExecutor(8) as pool:
        answers = list(pool.map(attempt, together))
        last = list(pool.map(attempt, right[:40]))
    assert {code for each, code in answers if each in log_ins} == {200}
    looked_at = [each for each, code in answers if code == 401 and each[2] != SCHOOL]
    assert len(looked_at) <= 20 * ACCOUNTS
    assert {code for _, code in last} == {429}


@pytest.mark.slow
def test_of_a_hundred_guesses_at_once_no_more_than_the_rate_are_answered(transactional_db: None) -> None:
    user = UserFactory()

    def attempt(number: int) -> int:
        try:
            return tried(user.email, f"guess {number}", "192.0.2.1")
        finally:
            connections.close_all()

    with ThreadPoolExecutor(16) as pool:
        codes = list(pool.map(attempt, range(100)))
    assert (codes.count(401), codes.count(429)) == (10, 90)


@pytest.mark.slow
def test_a_class_behind_one_address_logs_in(db: None) -> None:
    people = [UserFactory().email for _ in range(30)]
    assert {tried(email, PASSWORD, SCHOOL) for email in people} == {200}


@pytest.mark.slow
def test_a_class_behind_one_address_registers_and_asks_for_codes_and_links(db: None, settings: Any) -> None:
    settings.RESET_ANSWER_S = 0
    school = APIClient(REMOTE_ADDR=SCHOOL)
    bodies = [{**ANA, "email": f"pupil{number}@example.com"} for number in range(35)]
    answers = [school.post(REGISTER, body) for body in bodies]
    assert {answer.status_code for answer in answers} == {201}
    for answer in answers:
        one = APIClient(REMOTE_ADDR=SCHOOL, HTTP_AUTHORIZATION=f"Bearer {answer.json()['access_token']}")
        assert one.post("/api/v1/auth/email/verify/").status_code == 202
    assert {school.post(RESET, {"email": body["email"]}).status_code for body in bodies} == {202}


def test_behind_a_proxy_people_are_told_apart_and_nobody_chooses_who_they_are(
    db: None, settings: Any
) -> None:
    settings.BEHIND_TLS_PROXY = True
    user = UserFactory()

    def codes(forwarded: str) -> list[int]:
        client = APIClient(REMOTE_ADDR="10.0.0.1", HTTP_X_FORWARDED_FOR=forwarded)
        body = {"email": "nobody@example.com", "password": "guess"}
        return [client.post(LOGIN, body).status_code for _ in range(4)]

    for number in range(3):
        # What a client says of itself stands before what the proxy saw.
        codes(f"203.0.113.{number}, 192.0.2.1")
    assert codes("203.0.113.9, 192.0.2.1") == [429] * 4
    others = APIClient(REMOTE_ADDR="10.0.0.1", HTTP_X_FORWARDED_FOR="192.0.2.2")
    assert others.post(LOGIN, {"email": user.email, "password": PASSWORD}).status_code == 200


@pytest.mark.slow
def test_a_right_password_given_while_logged_in_counts_for_nothing(
    owner: User, as_user: Any, rate: Any
) -> None:
    rate("password-check", "2/min")
    client = as_user(owner)
    for number in range(5):
        body = {"email": f"new{number}@example.com", "current_password": PASSWORD}
        assert client.patch("/api/v1/users/me/", body).status_code == 200
    wrong = {"email": "x@example.com", "current_password": "wrong horse"}
    assert [client.patch("/api/v1/users/me/", wrong).status_code for _ in range(3)] == [400, 400, 429]
    assert client.delete("/api/v1/users/me/", {"password": PASSWORD}).status_code == 429
    assert int(client.patch("/api/v1/users/me/", wrong)["Retry-After"]) > 0
