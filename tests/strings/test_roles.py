"""SPEC 0.3 as everybody there is: whoever asks for whatever, the answer is one that the schema knows of."""

import os
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from schemathesis.core.failures import Failure, FailureGroup
from schemathesis.specs.openapi import checks

from tests.examples import undone
from tests.furnished import Furnished
from tests.notifications.api.test_schema import CHECKS, load, try_out
from tests.openapi import SCHEMA
from tests.strings.roles import Headers, every_role, every_role_and_scope
from tests.strings.test_typing import of_what_is_there

STATED = [each for each in CHECKS if each not in (checks.negative_data_rejection, checks.unsupported_method)]
stated = load(["examples"], 1)
# `make fuzz` asks for more.
EXAMPLES = int(os.environ.get("FUZZ_EXAMPLES", 1))
made_up = load(["fuzzing"], EXAMPLES)


def ids_of(operation: Any, furnished: Furnished) -> dict[str, Any]:
    names = [each.name for each in operation.path_parameters]
    return {name: str(furnished.id_of(operation.path, name) or "x") for name in names}


def bodies_of(operation: Any, furnished: Furnished) -> Iterator[tuple[str | None, Any]]:
    """The media type and the examples of an operation's body; one without, where it has none."""
    content = SCHEMA["paths"][operation.path][operation.method].get("requestBody", {}).get("content", {})
    for media_type, stated in content.items():
        for example in stated.get("examples", {}).values():
            yield media_type, of_what_is_there(example["value"], operation.path, furnished)
    if not content:
        yield None, None


@pytest.mark.usefixtures("one_connection")
@every_role_and_scope
def test_everybody_is_answered_as_documented(
    role: str, as_role: Callable[[str], Headers], furnished: Furnished
) -> None:
    headers, undocumented = as_role(role), []
    for result in stated.get_all_operations():
        operation = result.ok()
        for media_type, body in bodies_of(operation, furnished):
            more = {} if media_type is None else {"media_type": media_type, "body": body}
            case = operation.Case(path_parameters=ids_of(operation, furnished), **more)
            with undone():
                answer = case.call(headers=headers)
                try:
                    case.validate_response(answer, checks=STATED, headers=headers)
                except FailureGroup as wrong:
                    undocumented.append(f"{operation.label}: {answer.status_code} {str(wrong)[:400]}")
                if role == "nobody" and "/auth/" not in operation.path:
                    assert answer.status_code == 401, operation.label
    assert not undocumented, "\n".join(undocumented)


@pytest.mark.usefixtures("one_connection")
@every_role
def test_everybody_is_answered_as_documented_whatever_they_send(
    role: str, as_role: Callable[[str], Headers]
) -> None:
    headers, wrong = as_role(role), []
    for result in made_up.get_all_operations():
        label = result.ok().label
        with undone():
            try:
                try_out(made_up, label, EXAMPLES, headers, STATED)
            except (FailureGroup, Failure) as failure:
                wrong.append(f"{label}: {str(failure)[:600]}")
    assert not wrong, "\n".join(wrong)
