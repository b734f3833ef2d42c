"""Files as a document: kinds of things, and of each a list."""

import re
from collections.abc import Hashable, Iterable
from pathlib import Path
from typing import Any, Final

import jsonschema
import yaml
from jsonschema.exceptions import best_match

from escalation.as_code.schema import schema

Document = dict[str, list[dict[str, Any]]]

_MOST_PROBLEMS: Final = 20


class Refused(Exception):
    """What is wrong with a file, a line for each thing."""


class Loader(yaml.SafeLoader):
    """YAML 1.2's core schema: to version 1.1, 10:30 is the number 630, and ``no`` is false."""

    yaml_implicit_resolvers: dict[str, Any] = {}

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Hashable, Any]:
        names = [self.construct_object(key, deep=True) for key, _ in node.value]
        if twice := {name for name in names if names.count(name) > 1}:
            raise yaml.constructor.ConstructorError(
                None, None, f"{', '.join(map(str, twice))} stands there twice", node.start_mark
            )
        return super().construct_mapping(node, deep)


for _tag, _pattern, _first in (
    ("null", r"~|null|Null|NULL|", ["~", "n", "N", ""]),
    ("bool", r"true|True|TRUE|false|False|FALSE", list("tTfF")),
    ("int", r"[-+]?[0-9]+", list("-+0123456789")),
    ("float", r"[-+]?(\.[0-9]+|[0-9]+(\.[0-9]*)?)([eE][-+]?[0-9]+)?", list("-+0123456789.")),
):
    Loader.add_implicit_resolver(f"tag:yaml.org,2002:{_tag}", re.compile(rf"^(?:{_pattern})$"), _first)


def read(files: Iterable[Path]) -> Document:
    """Return what some files hold together.

    Raises:
        Refused: one can't be read, or isn't as the schema has it.
    """
    document: Document = {}
    problems: list[str] = []
    validator = jsonschema.Draft202012Validator(schema(), format_checker=jsonschema.FormatChecker())
    for path in files:
        try:
            given = yaml.load(path.read_text(), Loader)  # noqa: S506  (a SafeLoader)
        except (OSError, UnicodeDecodeError, yaml.YAMLError) as error:
            problems.append(f"{path}: {error}")
            continue
        errors = list(validator.iter_errors({} if given is None else given))
        problems += [f"{path}: {_said(error, given)}" for error in errors]
        if not errors:
            for kind, things in (given or {}).items():
                document.setdefault(kind, []).extend(things)
    if problems:
        raise Refused("\n".join(problems[:_MOST_PROBLEMS]))
    return document


def _said(error: jsonschema.ValidationError, given: Any) -> str:
    """Return where something is wrong, and what: ``policies, Orders, steps 1, targets 2: …``."""
    # Of alternatives, what is wrong with the one that it comes closest to.
    error = best_match([error]) or error
    places: list[str] = []
    here = given
    for part in error.absolute_path:
        here = here[part]
        if not isinstance(part, int):
            places.append(part)
        elif isinstance(here, dict) and len(places) == 1:
            name = here.get("name") or here.get("slug") or here.get("email")
            places.append(str(name or part + 1))
        else:
            places[-1] += f" {part + 1}"
    message = error.message if len(error.message) <= 200 else f"{error.message[:200]}…"
    return f"{', '.join(places) or 'the file'}: {message}"
