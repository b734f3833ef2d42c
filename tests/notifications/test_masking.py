"""What is kept of a handler's error says what went wrong, and no secret and no address."""

import time

import pytest
from django.db import DatabaseError

from notifications.masking import MAX_LENGTH, description, trail


def test_it_names_the_kind_and_the_first_line() -> None:
    assert description(ValueError("no such grade\nDETAIL: Key (email)=(ana@example.com)")) == (
        "ValueError: no such grade"
    )
    assert description(KeyError("student_id")) == "KeyError: 'student_id'"
    assert description(TimeoutError()) == "TimeoutError"


@pytest.mark.parametrize(
    "secret",
    [
        "postgresql://tocsin:hunter2@db/tocsin",
        "redis://:hunter2@cache:6379/0",
        "https://hooks.example.com/in?token=hunter2&x=1",
        "https://hooks.example.com/in#hunter2",
        "Authorization: Bearer hunter2",
        "authorization: Basic hunter2",
        "password=hunter2",
        "password = 'hunter2'",
        '{"api_key": "hunter2"}',
        "api-key: hunter2",
        "token hunter2",
        "SECRET=hunter2;",
        "tsn_hunter2hunter2",
        "whsec_hunter2+/=",
        "eyJhunter2.hunter2.hunter2",
        "hunter2@example.com",
        "hunter2.x+y@mail.example.co.uk",
        "Ana <hunter2@example.com>",
    ],
)
def test_secrets_and_addresses_are_masked(secret: str) -> None:
    kept = description(RuntimeError(f"could not reach {secret} in time"))
    assert "hunter2" not in kept
    assert "could not reach" in kept


@pytest.mark.parametrize("piece", ["a", "a.", "+1 ", "token ", "a@a.", "https://"])
def test_a_long_error_is_masked_in_no_time(piece: str) -> None:
    """It may hold what a message or a payload did, which is bounded by a megabyte."""
    began = time.monotonic()
    assert len(description(ValueError(piece * (500_000 // len(piece))))) <= MAX_LENGTH
    assert time.monotonic() - began < 5


def test_a_secret_at_the_cut_is_not_shown_by_half() -> None:
    text = f"https://a.example/?{'q' * 440} " * 4 + f"ana.{'b' * 300}@example.com"
    assert "ana" not in description(ValueError(text))


def test_phone_numbers_are_masked() -> None:
    assert "612" not in description(ValueError("nobody answers at +33 6 12 34 56 78 today"))


@pytest.mark.parametrize(
    "harmless",
    [
        "no such grade",
        "expected 3 of 5",
        "There is no one with this student_id: 0198c7f2-54b1-7d6e-8a53-6f2b1f0c9e11.",
        'duplicate key value violates unique constraint "accounts_student_user_id_key"',
    ],
)
def test_what_is_no_secret_stays(harmless: str) -> None:
    assert description(ValueError(harmless)) == f"ValueError: {harmless}"


def test_it_is_short_and_can_be_stored() -> None:
    assert len(description(DatabaseError("x" * 10_000))) == MAX_LENGTH
    assert "\x00" not in description(ValueError("a\x00b"))


@pytest.mark.slow
def test_the_trail_has_places_and_no_values() -> None:
    def handler(secret: str) -> None:
        raise ValueError(secret)

    try:
        handler("hunter2")
    except ValueError as error:
        found = trail(error)
    assert "in handler" in found
    assert "raise ValueError(secret)" in found
    assert "hunter2" not in found.replace('handler("hunter2")', "")
