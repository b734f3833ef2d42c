"""What `make run` sets up for somebody who tries it out."""

from typing import Any

import pytest
from rest_framework.test import APIClient

from accounts.models import Scope, User
from accounts.services import api_key_create
from notifications.management.commands.runstack import SCOPES, key_works, of_this_machine


def test_the_printed_key_may_do_what_the_documents_show() -> None:
    assert set(SCOPES) == set(Scope.values)


@pytest.mark.parametrize(("scopes", "works"), [(SCOPES, True), (SCOPES[:-1], False)])
def test_a_kept_key_that_may_do_less_is_replaced(db: None, scopes: tuple[str, ...], works: bool) -> None:
    _, key = api_key_create(name="make run", scopes=scopes)
    assert key_works(key) is works


@pytest.mark.parametrize("key", ["", "tsn_of_another_database"])
def test_a_key_of_no_use_is_replaced(db: None, key: str) -> None:
    assert not key_works(key)


def test_links_lead_to_the_port_and_mail_is_offered_where_there_is_a_server(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.delenv("PUBLIC_URL", raising=False)
    monkeypatch.delenv("SMTP_HOST", raising=False)
    assert of_this_machine(8441) == {"PUBLIC_URL": "http://localhost:8441", "SMTP_HOST": ""}
    monkeypatch.setenv("PUBLIC_URL", "https://tocsin.example.com")
    monkeypatch.setenv("SMTP_HOST", "mail.example.com")
    assert of_this_machine(8441)["PUBLIC_URL"] == "https://tocsin.example.com"
    assert of_this_machine(8441)["SMTP_HOST"] == "mail.example.com"


def test_without_a_mail_server_mail_is_refused_at_once(
    anonymous: APIClient, owner: User, settings: Any
) -> None:
    settings.SMTP_HOST = ""
    User.objects.filter(pk=owner.pk).update(email_verified_at=None)
    anonymous.force_login(owner)
    point = anonymous.post("/api/v1/contact-points/", {"channel": "email", "address": owner.email})
    assert (point.status_code, "email is not set up" in str(point.json())) == (400, True)
    code = anonymous.post("/api/v1/auth/email/verify/")
    assert (code.status_code, "No channel for email is set up." in str(code.json())) == (409, True)
