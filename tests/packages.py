"""The product's packages, as pyproject.toml names them for the import contracts."""

import tomllib
from pathlib import Path
from typing import Any, Final

ROOT: Final = Path(__file__).resolve().parent.parent
TOOLS: Final[dict[str, Any]] = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]
PACKAGES: Final[tuple[str, ...]] = tuple(TOOLS["importlinter"]["root_packages"])
