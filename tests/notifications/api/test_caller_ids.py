"""The registry of caller ids: read, replaced and added to by the staff; loaded from the original's file."""

import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from django.core.management import CommandError, call_command
from django.db import IntegrityError, transaction
from pytest_django import DjangoAssertNumQueries, Settings
from rest_framework.test import APIClient

from accounts.models import User
from notifications.channels import registry
from notifications.channels.phone import caller_ids
from notifications.models import CallerId

URL = "/api/v1/caller-ids/"
ORIGINAL = {"+385": "+3851111111", "+61": "+6117065677", "default": "+12569065677"}


@pytest.fixture
def staff(as_user: Callable[[User], APIClient], operator: User) -> APIClient:
    return as_user(operator)


@pytest.fixture(autouse=True)
def _nothing_read() -> Iterator[None]:
    caller_ids.use([])
    yield
    caller_ids.use([])


def test_it_is_replaced_and_added_to(staff: APIClient) -> None:
    assert staff.put(URL, ORIGINAL).json() == ORIGINAL
    assert staff.put(URL, ORIGINAL).status_code == 200
    assert staff.post(URL, {"+61": "+6100000000", "+33": "+33100000000"}).json() == {
        **ORIGINAL,
        "+61": "+6100000000",
        "+33": "+33100000000",
    }
    assert staff.put(URL, {"+33": "+33100000000"}).json() == {"+33": "+33100000000"}
    assert staff.get(URL).json() == {"+33": "+33100000000"}
    assert staff.put(URL, {}).json() == {}


def test_it_takes_few_queries_whatever_its_size(
    staff: APIClient, django_assert_num_queries: DjangoAssertNumQueries
) -> None:
    many = {f"+{n}": "+33100000000" for n in range(100, 400)}
    staff.get(URL)
    with django_assert_num_queries(7):  # two for the log-in, two for the transaction
        assert len(staff.put(URL, many).json()) == 300


@pytest.mark.slow
@pytest.mark.parametrize(
    ("wrong", "field"),
    [
        ({"385": "+3851111111"}, "385"),
        ({"+": "+3851111111"}, "+"),
        ({"+3851234567890123": "+3851111111"}, "+3851234567890123"),
        ({"Default": "+3851111111"}, "Default"),
        ({"": "+3851111111"}, ""),
        ({"+385": ""}, "+385"),
        ({"+385": "3851111111"}, "+385"),
        ({"+385": "+385 1 111"}, "+385"),
        ({"+385": "+385\n"}, "+385"),
        ({"+385": 385}, "+385"),
        ({"+385": None}, "+385"),
        ({"+385": ["+3851111111"]}, "+385"),
        ({"+385\x00": "+3851111111"}, "+385\x00"),
        ([], "non_field_errors"),
        ("x", "non_field_errors"),
        ({f"+{n}": "+33100000000" for n in range(1001)}, "non_field_errors"),
    ],
)
def test_what_is_none_is_refused_by_prefix_and_changes_nothing(
    staff: APIClient, wrong: Any, field: str
) -> None:
    staff.put(URL, ORIGINAL)
    for method in (staff.put, staff.post):
        given = {**wrong, "+33": "+33100000000"} if isinstance(wrong, dict) else wrong
        refused = method(URL, given)
        assert refused.status_code == 400
        assert list(refused.json()) == [field]
    assert staff.get(URL).json() == ORIGINAL


def test_strangers_and_machines_without_the_scope_get_nothing(
    as_user: Callable[[User], APIClient],
    as_machine: Callable[..., APIClient],
    anonymous: APIClient,
    stranger: User,
) -> None:
    for client, status in ((anonymous, 401), (as_user(stranger), 403), (as_machine("alerts:write"), 403)):
        for method in (client.get, client.put, client.post):
            assert method(URL).status_code == status
    assert as_machine("escalations:read").put(URL, ORIGINAL).status_code == 403
    machine = as_machine("escalations:read", "escalations:write")
    assert machine.put(URL, ORIGINAL).status_code == 200
    assert machine.get(URL).json() == ORIGINAL


def test_the_database_holds_to_it_too(db: None) -> None:
    for wrong in ({"prefix": "385"}, {"number": "1"}, {"prefix": "DEFAULT"}):
        row = CallerId(**{"prefix": "+385", "number": "+3851111111", **wrong})
        with pytest.raises(IntegrityError), transaction.atomic():
            row.save()


def test_the_originals_file_is_loaded(db: None, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "caller-ids.json"
    CallerId.objects.create(prefix="+1", number="+12569065677")
    path.write_text(json.dumps(ORIGINAL))
    call_command("load_caller_ids", str(path))
    assert "3 caller ids" in capsys.readouterr().out
    assert dict(CallerId.objects.values_list("prefix", "number")) == ORIGINAL
    for wrong in ("", "[]", '{"385": "+3851111111"}'):
        path.write_text(wrong)
        with pytest.raises(CommandError):
            call_command("load_caller_ids", str(path))
    assert CallerId.objects.count() == 3


def test_with_a_registry_alone_calls_are_offered(db: None, settings: Settings) -> None:
    settings.TWILIO_ACCOUNT_SID = settings.TWILIO_AUTH_TOKEN = "x"
    settings.TWILIO_TWIML_URL, settings.TWILIO_CALL_FROM = "https://a.example/", ""
    assert not registry.is_offered("phone")
    CallerId.objects.create(prefix="default", number="+12569065677")
    assert registry.is_offered("phone")


def test_the_admin_shows_and_checks_it(client: Any, operator: User) -> None:
    client.force_login(operator)
    page = "/admin/notifications/callerid/"
    wrong = client.post(f"{page}add/", {"prefix": "385", "number": "+3851111111"})
    assert "Enter the beginning of phone numbers" in wrong.content.decode()
    assert client.post(f"{page}add/", {"prefix": "+385", "number": "+3851111111"}).status_code == 302
    assert "+3851111111" in client.get(page).content.decode()
