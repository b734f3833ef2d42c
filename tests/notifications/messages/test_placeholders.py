"""Codes and links stand in no database, and go to nobody but whom they are meant for."""

import re
from uuid import UUID, uuid4

import pytest
from pytest_django.fixtures import Settings
from structlog.testing import capture_logs

from accounts.verification import code_of, token_of
from notifications.messages.compose import notification_of
from notifications.messages.placeholders import LINKS, PRIVATE_CHANNELS, filled

ID = UUID("0197a6d0-1111-7000-8000-000000000001")
DATA = {"verification": str(ID)}


def test_code_and_link_are_filled_in_when_it_is_sent(settings: Settings) -> None:
    settings.PUBLIC_URL = "https://tocsin.example.com"
    title, body = filled("account.verify_email", "email", DATA, "Code ⟦code⟧", "⟦link⟧ or ⟦code⟧")
    assert title == f"Code {code_of(ID)}"
    link = f"https://tocsin.example.com/verify-email/?token={token_of(ID)}"
    assert body == f"{link} or {code_of(ID)}"


@pytest.mark.parametrize("kind", LINKS)
def test_a_link_leads_to_its_kinds_page(kind: str) -> None:
    (body,) = filled(kind, "email", DATA, "⟦link⟧")
    assert LINKS[kind] in body
    assert body.endswith(token_of(ID))


@pytest.mark.parametrize("channel", ["webhook", "third_party", "inbox", "console", "phone", ""])
def test_no_other_channel_ever_gets_them(channel: str) -> None:
    assert channel not in PRIVATE_CHANNELS
    with capture_logs() as logs:
        (body,) = filled("account.password_reset", channel, DATA, "⟦link⟧ ⟦code⟧")
    assert body == "⟦link⟧ ⟦code⟧"
    assert [entry["event"] for entry in logs] == ["placeholders_not_filled"]
    assert str(ID) not in str(logs)


@pytest.mark.parametrize("data", [{}, {"verification": "x"}, {"verification": None}])
def test_what_can_not_be_filled_in_is_sent_without_and_said_so(data: dict[str, object]) -> None:
    with capture_logs() as logs:
        assert filled("account.verify_email", "email", data, "⟦code⟧") == ("⟦code⟧",)
    assert logs[0]["log_level"] == "error"


def test_a_kind_without_a_link_gets_its_code() -> None:
    assert filled("account.new_kind", "sms", DATA, "⟦code⟧") == (code_of(ID),)


@pytest.mark.django_db
@pytest.mark.parametrize("kind", LINKS)
def test_what_is_stored_holds_neither_code_nor_link(kind: str) -> None:
    verification = uuid4()
    notification = notification_of(
        kind=kind,
        data={"verification": str(verification)},
        context={"minutes": 30},
        source_type="verification",
        source_id=str(verification),
        dedup_key=f"verification:{verification}",
    )
    stored = f"{notification.title} {notification.body} {notification.texts} {notification.data}"
    assert "⟦" in stored
    assert code_of(verification) not in stored
    assert token_of(verification) not in stored
    assert not re.search(r"\b\d{6}\b", f"{notification.title} {notification.body} {notification.texts}")


@pytest.mark.django_db
def test_nobody_can_have_a_name_that_is_filled_in() -> None:
    notification = notification_of(
        kind="account.made_up",
        data=DATA,
        context={"first_name": "⟦code⟧", "more": ["⟦link⟧"], "code": "123456", "link": "x"},
        source_type="s",
        source_id="1",
        dedup_key="1",
    )
    assert notification.body.splitlines()[0] == "first_name: code"
    assert "code: ⟦code⟧" in notification.body
    assert "123456" not in notification.body
