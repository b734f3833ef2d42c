"""SPEC 0.3 over the whole OpenAPI schema: no 5xx, no undocumented answer, no bad data taken."""

import copy
import json
from collections.abc import Callable
from typing import Any

import pytest
import schemathesis
from django.core.wsgi import get_wsgi_application
from drf_spectacular.generators import SchemaGenerator
from hypothesis import HealthCheck, settings
from rest_framework.settings import api_settings
from rest_framework.throttling import ScopedRateThrottle
from rest_framework_simplejwt.tokens import AccessToken
from schemathesis.specs.openapi import checks

from accounts.models import Scope, Shop, User
from accounts.services import api_key_create
from notifications.models import Delivery
from tests.factories import AlertFactory, ContactPointFactory

CHECKS = [
    schemathesis.checks.not_a_server_error,
    checks.status_code_conformance,
    checks.content_type_conformance,
    checks.response_headers_conformance,
    checks.response_schema_conformance,
    checks.negative_data_rejection,
    checks.unsupported_method,
]
EXAMPLES = 25


def load() -> Any:
    """The real application and its schema, which needs no database to be made."""
    schema = schemathesis.openapi.from_dict(SchemaGenerator().get_schema(request=None, public=True))
    schema.app = get_wsgi_application()
    schema.config.generation.update(
        deterministic=True, with_security_parameters=False, max_examples=EXAMPLES, no_shrink=True
    )
    schema.config.phases.update(phases=["examples", "coverage", "fuzzing"])
    return schema


schema = load()
bounded = settings(
    max_examples=EXAMPLES,
    derandomize=True,
    deadline=None,
    database=None,
    suppress_health_check=list(HealthCheck),
)


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


@schema.parametrize()
@bounded
def test_staff_are_answered_as_documented(case: Any, staff: dict[str, str]) -> None:
    case.call_and_validate(headers=staff, checks=CHECKS)
