"""A folder with what an API has listed, a file a path."""

import json
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from escalation.as_code.importing.taken import Thing
from escalation.as_code.reading import Refused


def lists_of(folder: Path, names: Iterable[str]) -> dict[str, list[Thing]]:
    """Return by name what the files ``NAME.json``, ``NAME-2.json`` … list, as the API answers page by page.

    Raises:
        Refused: a file isn't there, or lists nothing.
    """
    lists: dict[str, list[Thing]] = {}
    for name in names:
        files = [folder / f"{name}.json", *sorted(folder.glob(f"{name}-*.json"))]
        lists[name] = [each for file in files for each in _listed(file, name)]
    return lists


def _listed(file: Path, name: str) -> list[Any]:
    try:
        given = json.loads(file.read_text())
    except (OSError, ValueError) as error:
        raise Refused(f"{file}: {error}") from None
    one = "escalation_policy" if name == "escalation_policies" else name.removesuffix("s")
    for key in ("results", name):
        if isinstance(given, dict) and isinstance(given.get(key), list):
            return list(given[key])
    if isinstance(given, dict) and isinstance(given.get(one), dict):
        return [given[one]]
    if isinstance(given, list):
        return given
    raise Refused(f"{file}: expected an answer of the API that lists {name}.")
