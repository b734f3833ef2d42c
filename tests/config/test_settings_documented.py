"""docs/operations.md tells of every setting that is read from the environment, with its default."""

import ast
import re
from typing import Any

import pytest
from django.conf import settings

ROW = re.compile(r"^\| `([A-Z0-9_]+)` \| ([^|\s][^|]*) \| [^|\s][^|]* \|$", re.MULTILINE)
# Read by config.embedded, which the settings ask.
ELSEWHERE = {"TOCSIN_HOME"}
# What stands for an unset one is no value but something that is made or started.
WORDS = ("generated", "the embedded one")


@pytest.fixture(scope="module")
def defaults() -> dict[str, Any]:
    """Each setting that config/settings.py reads from the environment, with its default."""
    tree = ast.parse((settings.BASE_DIR / "config" / "settings.py").read_text())
    calls = [node for node in ast.walk(tree) if isinstance(node, ast.Call) and _is_env(node.func)]
    return {
        ast.literal_eval(call.args[0]): ast.literal_eval(
            next(each.value for each in call.keywords if each.arg == "default")
        )
        for call in calls
    }


@pytest.fixture(scope="module")
def rows() -> dict[str, str]:
    """The table of docs/operations.md: a setting's name, and its default as written there."""
    text = (settings.BASE_DIR / "docs" / "operations.md").read_text()
    return dict(ROW.findall(text.partition("\n## Settings\n")[2].partition("\n## ")[0]))


def test_every_setting_has_a_row_and_every_row_a_setting(
    defaults: dict[str, Any], rows: dict[str, str]
) -> None:
    assert len(defaults) > 30
    read = set(defaults) | ELSEWHERE
    assert read - set(rows) == set(), "add a row for these to the table in docs/operations.md"
    assert set(rows) - read == set(), "these are in docs/operations.md and are not settings any more"


def test_the_defaults_are_as_documented(defaults: dict[str, Any], rows: dict[str, str]) -> None:
    written = {name: rows[name] for name in defaults if not rows[name].startswith(WORDS)}
    assert written == {name: _in_words(defaults[name]) for name in written}


def _is_env(function: ast.expr) -> bool:
    return (
        isinstance(function, ast.Attribute)
        and isinstance(function.value, ast.Name)
        and function.value.id == "env"
    )


def _in_words(default: Any) -> str:
    if default in ("", []):
        return "empty"
    if isinstance(default, list):
        default = ",".join(default)
    if isinstance(default, float) and default.is_integer():
        default = int(default)
    return f"`{default}`"
