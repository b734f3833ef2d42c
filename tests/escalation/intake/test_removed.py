"""An integration is removed while a body of it is being taken: both are answered, and nothing is left."""

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import pytest
from django.db import connection, transaction
from rest_framework.test import APIClient

from accounts.models import User
from config import sql
from escalation.models import AlertGroup, AlertOccurrence, GroupedAlert, IntakeRequest, Integration
from escalation.receiving.setting_up import integration_remove
from tests.escalation.intake.conftest import Make, Sender, alert, body_of

pytestmark = pytest.mark.django_db(transaction=True)

#: Whoever waits for the transaction in which this is asked.
WAITING = "SELECT FROM pg_locks WHERE NOT granted AND transactionid = pg_current_xact_id()::xid"
BODIES: dict[str, tuple[str, Any]] = {
    "alertmanager": ("/integrations/alertmanager/{key}/", body_of(alert("Down"))),
    "generic": ("/integrations/generic/{key}/", {"id": "db1"}),
    "pagerduty": (
        "/v2/enqueue",
        {"routing_key": "{key}", "event_action": "trigger", "dedup_key": "db1",
         "payload": {"summary": "Down", "source": "db1", "severity": "critical"}},
    ),
    "opsgenie": ("/v2/alerts", {"message": "Down", "alias": "db1"}),
}  # fmt: skip


def send(there: Integration, body: Any = None) -> tuple[int, Any]:
    path, usual = BODIES[there.format]
    body = usual if body is None else body
    if there.format == "pagerduty":
        body = body | {"routing_key": there.key}
    answer = Sender().send(path.format(key=there.key), body, Authorization=f"GenieKey {there.key}")
    # Opsgenie's answers name the request.
    return answer.status_code, {
        name: value for name, value in answer.json().items() if name not in ("requestId", "took")
    }


@contextmanager
def meanwhile(work: Callable[[], Any]) -> Iterator[list[Any]]:
    """Have another connection do this, until it waits for a lock of this one; its result comes at the end."""
    results: list[Any] = []

    def run() -> None:
        results.append(work())
        connection.close()

    thread = threading.Thread(target=run)
    with transaction.atomic():
        yield results
        thread.start()
        deadline = time.monotonic() + 30
        while not sql.rows(WAITING):
            assert time.monotonic() < deadline, f"it waits for nothing: {results}"
            assert thread.is_alive(), results
            time.sleep(0.01)
    thread.join()


def left() -> list[int]:
    return [each.objects.count() for each in (AlertGroup, GroupedAlert, AlertOccurrence, IntakeRequest)]


def remove(there: Integration) -> None:
    integration_remove(integration=Integration.objects.get(pk=there.pk), by="operator", via="test")


@pytest.mark.slow
@pytest.mark.parametrize("format_", BODIES)
def test_a_body_that_comes_too_late_is_refused_as_with_an_unknown_key(
    integration: Make, format_: str
) -> None:
    there = integration(format_, mapping={"key": "id"} if format_ == "generic" else {})
    with meanwhile(lambda: send(there)) as answers:
        remove(there)
    assert answers == [send(there)]
    assert answers[0][0] in (400, 401)
    assert left() == [0, 0, 0, 0]


@pytest.mark.parametrize("fields", [{}, {"is_enabled": False}])
def test_so_is_one_that_would_only_be_noted(integration: Make, fields: dict[str, Any]) -> None:
    there = integration("alertmanager", **fields)
    with meanwhile(lambda: send(there, {"alerts": 7})) as answers:
        remove(there)
    assert answers == [send(there)]
    assert answers[0][0] == 401


def test_what_a_body_brings_that_was_there_first_goes_too(
    integration: Make, operator: User, as_user: Callable[[User], APIClient]
) -> None:
    there, staff = integration("alertmanager"), as_user(operator)
    with meanwhile(lambda: staff.delete(f"/api/v1/integrations/{there.pk}/").status_code) as answers:
        assert send(there)[0] == 200
        sql.execute("SET CONSTRAINTS ALL IMMEDIATE")  # as its commit does, before anything else
        assert 0 not in left()
    assert answers == [204]
    assert left() == [0, 0, 0, 0]
