"""Settings that contradict each other are refused."""

import pytest
from pytest_django import Settings

from notifications.checks import addresses_make_sense, leases_outlive_sends, policies_make_sense


def test_the_defaults_are_sound() -> None:
    assert policies_make_sense() == []
    assert leases_outlive_sends() == []
    assert addresses_make_sense() == []


@pytest.mark.parametrize(
    "policy",
    [
        {"pigeon": {}},
        {"email": {"speed": 1}},
        {"email": {"attempts": 0}},
        {"email": {"attempts": "3"}},
        {"email": {"wait_s": -1}},
    ],
)
def test_a_policy_that_makes_no_sense_is_refused(settings: Settings, policy: dict[str, object]) -> None:
    settings.CHANNEL_POLICIES = policy
    assert policies_make_sense() != []


def test_a_lease_shorter_than_a_send_is_refused(settings: Settings) -> None:
    settings.CHANNEL_POLICIES = {"email": {"timeout_s": 30}}
    (fault,) = leases_outlive_sends()
    assert "email" in fault.msg


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("WEBHOOK_ALLOWED_NETWORKS", ["10.0.0.0/99"]),
        ("SMTP_SECURITY", "ssl"),
        ("THIRD_PARTY_URL", "localhost:5000"),
    ],
)
def test_an_address_that_makes_no_sense_is_refused(settings: Settings, name: str, value: object) -> None:
    setattr(settings, name, value)
    assert len(addresses_make_sense()) == 1
