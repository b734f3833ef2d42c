"""The contracts of layers leave out no module of config, and no app."""

import re
from collections.abc import Iterable
from itertools import chain
from typing import Final

import pytest
from django.conf import settings

from accounts import personal_data
from config import ends
from tests.packages import PACKAGES, ROOT, TOOLS

CONTRACTS: Final = TOOLS["importlinter"]["contracts"]
LAYERS: Final = CONTRACTS[0]["layers"]
APPS: Final = {path.parent.name for path in ROOT.glob("*/apps.py")}
#: Whatever has to name each app, and how it is called there.
LISTS: Final[dict[str, Iterable[str]]] = {
    "INSTALLED_APPS in config/settings.py": settings.INSTALLED_APPS,
    "APPS in config/ends.py": ends.APPS,
    "APPS in accounts/personal_data.py": personal_data.APPS,
    "[tool.mypy] files in pyproject.toml": TOOLS["mypy"]["files"],
    "[tool.importlinter] root_packages in pyproject.toml": PACKAGES,
    "the layers of the first contract in pyproject.toml": re.findall(r"\w+", " ".join(LAYERS)),
    **{
        f"the contract {contract['name']!r} in pyproject.toml": contract.get("ancestors")
        or contract["source_modules"]
        for contract in CONTRACTS
        if "ancestors" in contract or "source_modules" in contract
    },
}


def test_every_module_of_config_is_roof_or_ground() -> None:
    named = list(chain.from_iterable(re.findall(r"config\.(\w+)", layer) for layer in LAYERS))
    folder = ROOT / "config"
    there = {path.stem for path in folder.glob("*.py")} | {
        path.parent.name for path in folder.glob("*/__init__.py")
    }
    assert sorted(named) == sorted(there - {"__init__"}), "Put it above the domains, or below accounts."


@pytest.mark.parametrize("where", LISTS)
def test_every_app_is_named_wherever_apps_are(where: str) -> None:
    missing = APPS - set(LISTS[where])
    assert not missing, f"Add {', '.join(sorted(missing))} to {where}: docs/development/add-an-app.md."
