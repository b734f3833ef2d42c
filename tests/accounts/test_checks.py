"""Rates that can't be meant are refused before anything starts."""

from typing import Any

import pytest
from django.conf import settings
from django.core.checks import run_checks


def found() -> list[str]:
    return [problem.id for problem in run_checks(tags=["tocsin"]) if problem.id.startswith("accounts.")]


def test_the_defaults_are_fine() -> None:
    assert found() == []


@pytest.mark.parametrize("value", ["10", "often", "10/week", "-1/min"])
def test_a_rate_that_can_not_be_read_is_named(monkeypatch: pytest.MonkeyPatch, value: str) -> None:
    monkeypatch.setitem(settings.RATES, "register", value)
    assert found() == ["accounts.E001"]


@pytest.mark.parametrize(
    ("address", "account", "fine"),
    [
        ("10/min", "20/min", True),
        ("10/min", None, True),
        (None, None, True),
        ("10/min", "601/hour", True),
        ("10/min", "10/min", False),
        ("10/min", "100/hour", False),
        (None, "20/min", False),
    ],
)
def test_one_address_must_not_use_up_an_account(
    monkeypatch: pytest.MonkeyPatch, address: Any, account: Any, fine: bool
) -> None:
    monkeypatch.setitem(settings.RATES, "login", address)
    monkeypatch.setitem(settings.RATES, "login-account", account)
    assert found() == ([] if fine else ["accounts.W001"])
