"""Lists in the environment are read as they are meant."""

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
