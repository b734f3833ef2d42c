"""docs/security.md says of each requirement where it is held: what it names is there."""

import re
from collections import Counter
from pathlib import Path

import pytest
from django.conf import settings

ROOT: Path = settings.BASE_DIR
PAGE = (ROOT / "docs" / "security.md").read_text()
TESTS = "\n".join(path.read_text() for path in (ROOT / "tests").rglob("test_*.py"))
REQUIREMENTS = re.findall(r"^\| (V\d+\.\d+\.\d+) \| [12] \| (.+?) \| (.+?) \| (.+?) \|$", PAGE, re.MULTILINE)

PLACE = r"`((?:tests|docs|config|accounts|notifications)/[\w/.]*)`"
COUNT = r"Of 253 requirements (\d+) are held, (\d+) in part, (\d+) not, and (\d+) don't apply"


@pytest.mark.parametrize("name", sorted(set(re.findall(r"`(test_\w+)`", PAGE))))
def test_tests_that_it_names_are_there(name: str) -> None:
    assert f"def {name}(" in TESTS


@pytest.mark.parametrize(
    "path", sorted(set(re.findall(r"`((?:tests|docs|config|accounts|notifications)/[\w/.]*)`", PAGE)))
)
def test_files_that_it_names_are_there(path: str) -> None:
    assert (ROOT / path).exists()


def test_every_requirement_of_levels_1_and_2_is_there_once() -> None:
    """OWASP ASVS 5.0.0 has 70 of level 1 and 183 of level 2."""
    ids = [each for each, *_ in REQUIREMENTS]
    assert (len(ids), len(set(ids))) == (253, 253)


def test_its_count_is_right() -> None:
    counted = Counter(held for _, _, held, _ in REQUIREMENTS)
    said = re.search(
        r"Of 253 requirements (\d+) are held, (\d+) in part, (\d+) not, and (\d+) don't apply", PAGE
    )
    assert said
    assert [int(each) for each in said.groups()] == [
        counted[how] for how in ("held", "partly", "not held", "n/a")
    ]
