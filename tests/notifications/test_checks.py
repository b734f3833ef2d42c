"""Settings that contradict each other are refused."""

import os

import pytest
from django.conf import settings as settings_of_django
from django.core.management import call_command
from django.core.management.base import SystemCheckError
from pytest_django import Settings

from notifications.checks import (
    addresses_make_sense,
    archive_makes_sense,
    batches_make_sense,
    days_make_sense,
    leases_outlive_sends,
    policies_make_sense,
    twilio_makes_sense,
)
from tests.servers.twilio import ACCOUNT_SID


def test_the_defaults_are_sound() -> None:
    assert policies_make_sense() == []
    assert leases_outlive_sends() == []
    assert addresses_make_sense() == []
    assert batches_make_sense() == []
    assert days_make_sense() == []
    assert twilio_makes_sense() == []
    assert archive_makes_sense() == []


@pytest.mark.parametrize(
    "policy",
    [
        {"pigeon": {}},
        {"email": {"speed": 1}},
        {"email": {"attempts": 0}},
        {"email": {"attempts": "3"}},
        {"email": {"wait_s": -1}},
        {"sms": {"rate": 0}},
        {"sms": {"rate": float("nan")}},
        {"sms": {"rate": float("inf")}},
        {"sms": {"attempts": 10**400}},
        {"sms": {"attempts": True}},
        {"inbox": {"attempts": 3}},
    ],
)
def test_a_policy_that_makes_no_sense_is_refused(settings: Settings, policy: dict[str, object]) -> None:
    settings.CHANNEL_POLICIES = policy
    assert policies_make_sense() != []


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("THIRD_PARTY_BATCH", 0),
        ("THIRD_PARTY_BATCH", 1001),
        ("THIRD_PARTY_LINGER_MS", -1),
        ("THIRD_PARTY_LINGER_MS", 10_001),
        ("THIRD_PARTY_BATCH_FORMAT", "xml"),
    ],
)
def test_batches_that_make_no_sense_are_refused(settings: Settings, name: str, value: object) -> None:
    setattr(settings, name, value)
    (fault,) = batches_make_sense()
    assert name in fault.msg


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


OF_DAYS = sorted(name for name in dir(settings_of_django) if name.endswith("_DAYS"))


@pytest.mark.parametrize("name", OF_DAYS)
def test_nothing_is_deleted_by_a_number_of_days_that_was_not_meant(settings: Settings, name: str) -> None:
    for days in (-1, 0, 10**9):
        setattr(settings, name, days)
        if days or name not in ("HISTORY_RETENTION_DAYS", "ADDRESS_RETENTION_DAYS"):
            (fault,) = days_make_sense()
            assert name in fault.msg
        else:
            assert days_make_sense() == []
    setattr(settings, name, 36_500)
    assert days_make_sense() == []


@pytest.mark.parametrize("hours", [0.0, -1.0, float("nan"), 1e9])
def test_deliveries_that_would_all_be_too_old_are_refused(settings: Settings, hours: float) -> None:
    settings.DELIVERY_MAX_AGE_H = hours
    assert [fault.id for fault in days_make_sense()] == ["tocsin.E018"]


@pytest.mark.parametrize("url", ["/srv/archive", "file:///srv/archive", "s3://bucket", "s3://bucket/a/b"])
def test_an_archive_may_be_a_directory_or_a_bucket(settings: Settings, url: str) -> None:
    settings.ARCHIVE_URL = url
    assert archive_makes_sense() == []


@pytest.mark.parametrize(
    "url", ["https://archive.example.com", "file://srv/archive", "s3:///prefix", "//srv/x"]
)
def test_an_archive_elsewhere_is_refused(settings: Settings, url: str) -> None:
    settings.ARCHIVE_URL = url
    assert [fault.id for fault in archive_makes_sense()] == ["tocsin.E020"]


TWILIO = {
    "TWILIO_ACCOUNT_SID": ACCOUNT_SID,
    "TWILIO_AUTH_TOKEN": "secret",
    "TWILIO_SMS_FROM": "+33755555555",
    "TWILIO_CALL_FROM": "+33755555555",
    "TWILIO_TWIML_URL": "https://twiml.example.com/",
}


@pytest.mark.parametrize(
    "change",
    [
        {},
        {"TWILIO_CALL_FROM": ""},  # the registry of caller ids may have it
        {"TWILIO_TWIML_URL": "", "PUBLIC_URL": "https://tocsin.example.com"},  # calls are said here
    ],
)
def test_a_whole_twilio_account_is_sound(settings: Settings, change: dict[str, str]) -> None:
    for name, value in {**TWILIO, **change}.items():
        setattr(settings, name, value)
    assert twilio_makes_sense() == []


@pytest.mark.parametrize(
    "change",
    [
        {"TWILIO_AUTH_TOKEN": ""},
        {"TWILIO_ACCOUNT_SID": "SK" + "0" * 32},
        {"TWILIO_TWIML_URL": ""},
        {"TWILIO_TWIML_URL": "twiml.example.com"},
        {"TWILIO_BASE_URL": "api.twilio.com"},
        {"PUBLIC_URL": "tocsin.example.com"},
        {"TWILIO_ACCOUNT_SID": "", "TWILIO_AUTH_TOKEN": "", "TWILIO_SMS_FROM": ""},
        {"TWILIO_ACCOUNT_SID": "", "TWILIO_AUTH_TOKEN": "", "TWILIO_CALL_FROM": "", "TWILIO_TWIML_URL": ""},
    ],
)
def test_half_a_twilio_account_is_refused(settings: Settings, change: dict[str, str]) -> None:
    for name, value in {**TWILIO, **change}.items():
        setattr(settings, name, value)
    assert len(twilio_makes_sense()) == 1


@pytest.mark.parametrize(
    "command", [("rqworker",), ("rqscheduler",), ("publish",), ("consume", "x"), ("audit_deliveries",)]
)
def test_no_part_starts_with_settings_that_can_not_work(settings: Settings, command: tuple[str, ...]) -> None:
    settings.CHANNEL_POLICIES = {"pigeon": {}}
    with pytest.raises(SystemCheckError, match="pigeon"):
        call_command(*command, skip_checks=False)


@pytest.mark.parametrize(("user", "warned"), [(0, True), (1000, False)])
def test_a_deployment_that_runs_as_root_is_warned_of(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], user: int, warned: bool
) -> None:
    monkeypatch.setattr(os, "geteuid", lambda: user)
    call_command("check", "--deploy", "--tag", "tocsin")
    assert ("runs as root" in capsys.readouterr().err) is warned


@pytest.mark.parametrize(
    ("changes", "warned"),
    [
        ({}, True),
        ({"SMTP_HOST": ""}, False),
        ({"SMTP_HOST": "mail.example.com"}, False),
        ({"MAIL_FROM": "Tocsin <alerts@example.com>"}, False),
    ],
)
def test_a_deployment_that_says_nothing_of_mail_is_warned_of(
    settings: Settings, capsys: pytest.CaptureFixture[str], changes: dict[str, str], warned: bool
) -> None:
    for name, value in ({"SMTP_HOST": "localhost", "MAIL_FROM": "tocsin@localhost"} | changes).items():
        setattr(settings, name, value)
    call_command("check", "--deploy", "--tag", "tocsin")
    assert ("Mail goes to localhost" in capsys.readouterr().err) is warned
