"""The contract of layers leaves out no module of config."""

import re
import tomllib
from itertools import chain
from pathlib import Path
from typing import Final

import config

ROOT: Final = Path(config.__file__).parents[1]


def test_every_module_of_config_is_roof_or_ground() -> None:
    tools = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]
    layers = tools["importlinter"]["contracts"][0]["layers"]
    named = list(chain.from_iterable(re.findall(r"config\.(\w+)", layer) for layer in layers))
    folder = ROOT / "config"
    there = {path.stem for path in folder.glob("*.py")} | {
        path.parent.name for path in folder.glob("*/__init__.py")
    }
    assert sorted(named) == sorted(there - {"__init__"}), "Put it above the domains, or below accounts."
