"""Draw the floors that [tool.importlinter] in pyproject.toml states into docs/architecture.md.

.venv/bin/python docs/floors.py
"""

import re
import textwrap
import tomllib
from pathlib import Path
from typing import Any, Final

ROOT: Final = Path(__file__).resolve().parent.parent
PAGE: Final = ROOT / "docs" / "architecture.md"
WIDTH: Final = 100
#: The picture is the block behind this line.
PLACE: Final = re.compile(
    r"(?<=<!-- Drawn by docs/floors\.py -->\n\n```\n).*?(?=^```$)", re.DOTALL | re.MULTILINE
)


def picture() -> str:
    """Return the roots' floors, the highest first, and within a root that has some its own."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())
    contracts = [each for each in project["tool"]["importlinter"]["contracts"] if each["type"] == "layers"]
    inside = {root: each["layers"] for each in contracts for root in each.get("containers", [])}
    (roots,) = (each["layers"] for each in contracts if "containers" not in each)
    return "\n".join(_house(roots, inside, WIDTH)) + "\n"


def draw(page: str) -> str:
    """Return a page with the picture as it is now."""
    return PLACE.sub(lambda _: picture(), page)


def _house(floors: list[str], inside: dict[str, Any], width: int) -> list[str]:
    lines = [f"┌{'─' * (width - 2)}┐"]
    for number, floor in enumerate(floors):
        if number:
            lines.append(f"├{'─' * (width - 2)}┤")
        rooms = textwrap.wrap(floor, width - 4, break_on_hyphens=False)
        if floor in inside:
            rooms += _house(inside[floor], {}, width - 4)
        lines += [f"│ {row:{width - 4}} │" for row in rooms]
    return [*lines, f"└{'─' * (width - 2)}┘"]


if __name__ == "__main__":
    PAGE.write_text(draw(PAGE.read_text()))
