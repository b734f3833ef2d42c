"""SPEC 0.3 over the whole OpenAPI schema: no 5xx, no undocumented answer, no bad data taken."""

from collections.abc import Iterator
from typing import Any

import pytest
import schemathesis
from django.core.signals import request_finished, request_started
from django.core.wsgi import get_wsgi_application
from django.db import close_old_connections
from drf_spectacular.generators import SchemaGenerator
from hypothesis import HealthCheck, settings
from rest_framework.throttling import ScopedRateThrottle
from rest_framework_simplejwt.tokens import AccessToken
from schemathesis.specs.openapi import checks

from accounts.models import Scope, Shop, User
from accounts.services import api_key_create

CHECKS = [
    schemathesis.checks.not_a_server_error,
    checks.status_code_conformance,
    checks.content_type_conformance,
    checks.response_headers_conformance,
    checks.response_schema_conformance,
    checks.negative_data_rejection,
    checks.unsupported_method,
]
STAFF_EXAMPLES, MACHINE_EXAMPLES = 15, 5


def load(phases: list[str], examples: int) -> Any:
    """The real application and its schema, which needs no database to be made."""
    schema = schemathesis.openapi.from_dict(SchemaGenerator().get_schema(request=None, public=True))
    schema.app = get_wsgi_application()
    schema.config.generation.update(
        deterministic=True, with_security_parameters=False, max_examples=examples, no_shrink=True
    )
    schema.config.phases.update(phases=phases)
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


@for_staff.parametrize()
@bounded(STAFF_EXAMPLES)
def test_staff_are_answered_as_documented(case: Any, staff: dict[str, str]) -> None:
    case.call_and_validate(headers=staff, checks=CHECKS)


@for_machines.parametrize()
@bounded(MACHINE_EXAMPLES)
def test_machines_are_answered_as_documented(case: Any, machine: dict[str, str]) -> None:
    case.call_and_validate(headers=machine, checks=CHECKS)
