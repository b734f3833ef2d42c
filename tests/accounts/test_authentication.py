"""SPEC 0.2: who gets in, by which credentials, and what is never shown."""

import base64
import logging
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.utils import timezone
from rest_framework.test import APIClient

from accounts.api.authentication import key_from_header
from accounts.models import ApiKey, User
from accounts.services import api_key_create

PATH = "/api/v1/alerts/"


@pytest.fixture
def key_and_record(db: None) -> tuple[str, ApiKey]:
    record, key = api_key_create(name="a machine", scopes=["alerts:read"])
    return key, record


def basic(username: str, password: str) -> str:
    return "Basic " + base64.b64encode(f"{username}:{password}".encode()).decode()


FORMS: list[Callable[[str], str]] = [
    lambda key: f"Bearer {key}",
    lambda key: f"bearer  {key} ",
    lambda key: f"Api-Key {key}",
    lambda key: f"API-KEY {key}",
    lambda key: basic(key, ""),
    lambda key: basic(key, "x"),
    lambda key: basic("camera", key),
]


def get(header: str) -> Any:
    return APIClient().get(PATH, HTTP_AUTHORIZATION=header)


@pytest.mark.slow
@pytest.mark.parametrize("form", FORMS)
def test_a_key_is_taken_in_each_form(key_and_record: tuple[str, ApiKey], form: Callable[[str], str]) -> None:
    assert get(form(key_and_record[0])).status_code == 200


@pytest.mark.slow
@pytest.mark.parametrize("form", FORMS)
def test_an_unknown_key_is_refused_in_each_form(db: None, form: Callable[[str], str]) -> None:
    refused = get(form("tsn_" + "x" * 43))
    assert refused.status_code == 401
    assert refused["WWW-Authenticate"].startswith("Bearer ")
    assert list(refused.json()) == ["detail"]


@pytest.mark.slow
@pytest.mark.parametrize(
    "header",
    [
        "",
        "Bearer",
        "Bearer ",
        "Bearer tsn_",
        "Bearer not.a.jwt",
        "Bearer é",
        "Api-Key",
        "Api-Key ",
        "Basic",
        "Basic !",
        "Basic Og==",
        "Basic /w==",
        "Basic " + "A" * 100_000,
        "Digest x",
        "Token tsn_x",
        "Bearer a b c",
        "tsn_x",
        "Bearer tsn_a\x00",
        "Api-Key \x00",
        basic("\x00", "\x00"),
    ],
)
def test_anything_else_answers_401(db: None, header: str) -> None:
    refused = get(header)
    assert refused.status_code == 401
    assert "WWW-Authenticate" in refused


def test_a_revoked_key_stops_working_at_once(key_and_record: tuple[str, ApiKey]) -> None:
    key, record = key_and_record
    assert get(f"Bearer {key}").status_code == 200
    ApiKey.objects.filter(pk=record.pk).update(revoked_at=timezone.now())
    assert get(f"Bearer {key}").status_code == 401


@pytest.mark.parametrize(("left", "code"), [(timedelta(seconds=-1), 401), (timedelta(minutes=1), 200)])
def test_a_key_works_until_it_expires(key_and_record: tuple[str, ApiKey], left: timedelta, code: int) -> None:
    key, record = key_and_record
    ApiKey.objects.filter(pk=record.pk).update(expires_at=timezone.now() + left)
    assert get(f"Bearer {key}").status_code == code


def test_a_key_without_the_scope_is_refused(db: None) -> None:
    _, key = api_key_create(name="other", scopes=["deliveries:read"])
    assert get(f"Bearer {key}").status_code == 403


def test_recognising_a_key_takes_one_query(key_and_record: tuple[str, ApiKey]) -> None:
    key, _ = key_and_record
    get(f"Bearer {key}")
    with CaptureQueriesContext(connection) as queries:
        APIClient().get("/api/v1/users/me/", HTTP_AUTHORIZATION=f"Bearer {key}")
    assert len(queries) == 1


def test_its_use_is_noted_once_a_minute(key_and_record: tuple[str, ApiKey]) -> None:
    key, record = key_and_record
    get(f"Bearer {key}")
    record.refresh_from_db()
    first = record.last_used_at
    assert first is not None
    get(f"Bearer {key}")
    record.refresh_from_db()
    assert record.last_used_at == first
    ApiKey.objects.filter(pk=record.pk).update(last_used_at=first - timedelta(seconds=61))
    get(f"Bearer {key}")
    record.refresh_from_db()
    assert record.last_used_at >= first


def test_a_key_is_kept_as_a_digest_only(key_and_record: tuple[str, ApiKey]) -> None:
    key, _ = key_and_record
    with connection.cursor() as cursor:
        cursor.execute("SELECT t::text FROM accounts_apikey AS t")
        assert key not in cursor.fetchone()[0]


def test_keys_and_passwords_are_not_logged(
    key_and_record: tuple[str, ApiKey],
    owner: User,
    caplog: pytest.LogCaptureFixture,
    capfd: pytest.CaptureFixture[str],
) -> None:
    key, _ = key_and_record
    with caplog.at_level(logging.DEBUG):
        for form in FORMS:
            get(form(key))
            get(form(key + "x"))
        APIClient().post("/api/v1/auth/token/", {"email": owner.email, "password": "wrong horse"})
    said = caplog.text + "".join(capfd.readouterr())
    assert key not in said
    assert "wrong horse" not in said


@pytest.mark.parametrize("header", ["Bearer eyJ", "", "Negotiate x"])
def test_other_schemes_are_left_to_others(header: str) -> None:
    assert key_from_header(header) is None
