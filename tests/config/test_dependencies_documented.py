"""docs/dependencies.md says why each dependency is there, and names no other."""

import re
import tomllib

from django.conf import settings

ROW = re.compile(r"^\| `([a-z0-9-]+)` \| [^|\s][^|]* \|$", re.MULTILINE)
NAME = re.compile(r"[A-Za-z0-9_.-]+")


def test_every_dependency_has_a_line_saying_why() -> None:
    pyproject = tomllib.loads((settings.BASE_DIR / "pyproject.toml").read_text())
    project = pyproject["project"]
    groups = [
        project["dependencies"],
        *project.get("optional-dependencies", {}).values(),
        *pyproject["dependency-groups"].values(),
    ]
    declared = {_name(each) for group in groups for each in group if isinstance(each, str)}
    documented = set(ROW.findall((settings.BASE_DIR / "docs" / "dependencies.md").read_text()))
    assert declared - documented == set(), "say why in docs/dependencies.md"
    assert documented - declared == set(), "these are in docs/dependencies.md and not in pyproject.toml"


def _name(requirement: str) -> str:
    match = NAME.match(requirement)
    assert match, requirement
    return re.sub(r"[-_.]+", "-", match[0]).lower()
