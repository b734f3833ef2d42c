"""SPEC 0.3 over the whole OpenAPI schema: no 5xx, no undocumented answer, no bad data taken."""

import json
import os
import re
from collections import Counter
from collections.abc import Iterator
from typing import Any

import pytest
import schemathesis
from django.core.signals import request_finished, request_started
from django.core.wsgi import get_wsgi_application
from django.db import close_old_connections
from hypothesis import HealthCheck, settings
from rest_framework.throttling import ScopedRateThrottle
from rest_framework_simplejwt.tokens import AccessToken
from schemathesis.generation.feedback import FeedbackSources
from schemathesis.generation.meta import TestPhase
from schemathesis.pytest._test_builder import build_operation_test
from schemathesis.specs.openapi import checks

from accounts.models import Scope, Shop, User
from accounts.services import api_key_create
from tests.openapi import SCHEMA

CHECKS = [
    schemathesis.checks.not_a_server_error,
    checks.status_code_conformance,
    checks.content_type_conformance,
    checks.response_headers_conformance,
    checks.response_schema_conformance,
    checks.negative_data_rejection,
    checks.unsupported_method,
]
# `make fuzz` asks for more.
STAFF_EXAMPLES, MACHINE_EXAMPLES = (int(os.environ.get("FUZZ_EXAMPLES", few)) for few in (4, 2))
# Of what is wrong, or just right, in the same way at the same place of a request: half of all cases are the
# five wrong types of each field.
PER_PLACE = 2


@schemathesis.serializer("application/x-ndjson")
def lines_of_json(context: Any, value: Any) -> bytes:
    """Serialise one value a line; what is no list is a line of its own."""
    rows = value if isinstance(value, list) else [value]
    return b"\n".join(json.dumps(row).encode() for row in rows)


def load(phases: list[str], examples: int) -> Any:
    """The real application behind its schema."""
    schema = schemathesis.openapi.from_dict(SCHEMA)
    schema.app = get_wsgi_application()
    schema.config.generation.update(
        deterministic=True, with_security_parameters=False, max_examples=examples, no_shrink=True
    )
    schema.config.phases.update(phases=phases)
    # Of more alerts than a batch may have it is said that they are too many.
    rejection = schema.config.checks.negative_data_rejection
    rejection.expected_statuses = [*rejection.expected_statuses, "413"]
    return schema


def bounded(examples: int) -> settings:
    return settings(
        max_examples=examples,
        derandomize=True,
        deadline=None,
        database=None,
        suppress_health_check=list(HealthCheck),
    )


for_staff = load(["examples", "coverage", "fuzzing"], STAFF_EXAMPLES)
for_machines = load(["examples", "fuzzing"], MACHINE_EXAMPLES)
every_operation = pytest.mark.parametrize(
    "label", [each.ok().label for each in for_staff.get_all_operations()]
)


def try_out(
    schema: Any, label: str, examples: int, headers: dict[str, str], checked: list[Any] = CHECKS
) -> None:
    """Check the answers to what Schemathesis makes up for one operation.

    Its own plugin names all operations' tests alike, so that pytest-xdist ran one of them only; and it
    makes everything up while tests are collected, which every process does.
    """

    tried: Counter[object] = Counter()

    @bounded(examples)
    def check(case: Any) -> None:
        what = case.meta.phase.data
        if case.meta.phase.name is TestPhase.COVERAGE:
            place = (what.scenario, what.parameter, what.parameter_location, what.location)
            tried[place] += 1
            if tried[place] > PER_PLACE:
                return
        case.call_and_validate(headers=headers, checks=checked)

    build_operation_test(
        config=schema.config,
        operation=schema.find_operation_by_label(label),
        test_func=check,
        given_kwargs={},
        feedback=FeedbackSources(),
    )()


@pytest.fixture(autouse=True)
def _one_connection() -> Iterator[None]:
    """The application runs in this thread and in the test's own transaction, which no request may end."""
    for signal in (request_started, request_finished):
        signal.disconnect(close_old_connections)
    yield
    for signal in (request_started, request_finished):
        signal.connect(close_old_connections)


@pytest.fixture(autouse=True)
def _unthrottled(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ScopedRateThrottle, "allow_request", lambda *args: True)


@pytest.fixture
def staff(operator: User, shop: Shop) -> dict[str, str]:
    return {"Authorization": f"Bearer {AccessToken.for_user(operator)}"}


@pytest.fixture
def machine(shop: Shop) -> dict[str, str]:
    _, key = api_key_create(name="a machine", scopes=Scope.values)
    return {"Authorization": f"Api-Key {key}"}


def test_whatever_the_schema_refers_to_is_in_it() -> None:
    named = set(re.findall(r'"#/components/schemas/(\w+)"', json.dumps(SCHEMA)))
    assert named
    assert named <= set(SCHEMA["components"]["schemas"])


@pytest.mark.slow
@every_operation
def test_staff_are_answered_as_documented(label: str, staff: dict[str, str]) -> None:
    try_out(for_staff, label, STAFF_EXAMPLES, staff)


@pytest.mark.slow
@every_operation
def test_machines_are_answered_as_documented(label: str, machine: dict[str, str]) -> None:
    try_out(for_machines, label, MACHINE_EXAMPLES, machine)
