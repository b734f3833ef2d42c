"""Lists in the environment are read as they are meant."""

import os
import subprocess
import sys

import pytest

from config import settings
from config.environment import Environment


@pytest.mark.parametrize(
    ("written", "read"),
    [
        ("a.fr,b.fr", ["a.fr", "b.fr"]),
        ("a.fr, b.fr", ["a.fr", "b.fr"]),
        (" a.fr ,\tb.fr,\n", ["a.fr", "b.fr"]),
        (",,", []),
        ("", []),
    ],
)
def test_blanks_around_commas_are_no_part_of_a_list(
    monkeypatch: pytest.MonkeyPatch, written: str, read: list[str]
) -> None:
    monkeypatch.setenv("DOMAINS", written)
    assert Environment().list("DOMAINS", default=[]) == read


def test_all_settings_are_read_so() -> None:
    assert isinstance(settings.env, Environment)


def test_an_unset_list_is_its_default() -> None:
    assert Environment().list("NOT_SET_ANYWHERE", default=["a", "b"]) == ["a", "b"]


def test_every_limit_but_that_of_intake_is_kept_where_nobody_has_said_otherwise() -> None:
    assert [scope for scope, rate in settings.RATES.items() if not rate] == ["intake"]


def test_links_have_no_second_slash_however_the_public_address_is_written() -> None:
    environment = {**os.environ, "PUBLIC_URL": "https://tocsin.example.com/"}
    asked = [sys.executable, "-c", "from config import settings; print(settings.PUBLIC_URL)"]
    done = subprocess.run(asked, env=environment, capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "https://tocsin.example.com"
