"""manage.py create_api_key, and the quicker way of the flow tests, which makes the same."""

from typing import Any

import pytest
from django.core.management import call_command
from django.db import connection
from rest_framework.test import APIClient

from accounts.models import ApiKey
from tests import keys


def by_command(name: str, *scopes: str, capsys: pytest.CaptureFixture[str]) -> str:
    call_command("create_api_key", name, *(part for scope in scopes for part in ("--scope", scope)))
    return capsys.readouterr().out.split()[-1]


def execute(statement: str, **parameters: Any) -> None:
    with connection.cursor() as cursor:
        cursor.execute(statement, parameters)


@pytest.mark.slow
@pytest.mark.parametrize("way", ["command", "flows"])
def test_a_key_is_made_that_opens_what_it_was_made_for(
    db: None, capsys: pytest.CaptureFixture[str], way: str
) -> None:
    scopes = ("alerts:read", "alerts:write")
    if way == "command":
        key = by_command("cameras", *scopes, capsys=capsys)
    else:
        key = keys.insert(execute, "cameras", *scopes)
    made = ApiKey.objects.get()
    assert (made.name, made.digest, made.hint) == ("cameras", ApiKey.digest_of(key), key[:10])
    assert sorted(made.scopes) == sorted(scopes)
    client = APIClient(HTTP_AUTHORIZATION=f"Bearer {key}")
    assert client.get("/api/v1/alerts/").status_code == 200
    assert client.get("/api/v1/deliveries/").status_code == 403
