"""PagerDuty's, Opsgenie's and CloudEvents' own packages, unchanged, report to the product."""

from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing
from typing import Any

import pytest

from tests.flows.product import Product
from tests.flows.reporting import Reporting
from tests.servers.tls import TlsProxy

pagerduty = pytest.importorskip("pagerduty", reason="pagerduty is not installed: make setup")
opsgenie_sdk = pytest.importorskip("opsgenie_sdk", reason="opsgenie-sdk is not installed: make setup")
cloudevents = pytest.importorskip(
    "cloudevents.core.bindings.http", reason="cloudevents is not installed: make setup"
)
from cloudevents.core.v1.event import CloudEvent  # noqa: E402

pytestmark = pytest.mark.flow


# --- PagerDuty ------------------------------------------------------------------------------------------


@pytest.fixture
def pagerduty_of(product: Product) -> Iterator[Callable[[str], Any]]:
    """Makes a client of a routing key. It speaks to nobody without TLS, which a proxy ends here."""
    with TlsProxy(product.stack.base_url) as proxy, ExitStack() as clients:

        def make(key: str) -> Any:
            client = pagerduty.EventsApiV2Client(
                key, base_url=proxy.origin, verify=proxy.trusting, trust_env=False
            )
            return clients.enter_context(closing(client))

        yield make


def test_pagerdutys_client_triggers_acknowledges_and_resolves(
    product: Product, pagerduty_of: Callable[[str], Any]
) -> None:
    to = Reporting(product, "pagerduty")
    client = pagerduty_of(to.key)
    key = client.trigger("Disk full", "db1", severity="critical", custom_details={"free": "0 GB"})
    assert client.trigger("Disk full", "db1", dedup_key=key) == key
    to.wait_for_rings(1)
    assert client.acknowledge(key) == key
    assert to.states() == ["acknowledged"]
    assert client.resolve(key) == key
    (group,) = to.groups()
    assert (group.key, group.state, group.occurrences) == (key, "resolved", 2)
    assert to.rings() == 1


def test_pagerdutys_client_understands_why_it_is_refused(
    product: Product, pagerduty_of: Callable[[str], Any]
) -> None:
    to = Reporting(product, "pagerduty")
    unknown, known = pagerduty_of("0" * 32), pagerduty_of(to.key)
    for ask in (
        lambda: unknown.trigger("Disk full", "db1"),
        lambda: known.trigger("  ", "db1"),
        lambda: known.send_change_event({"summary": "Deployed"}),
    ):
        with pytest.raises(pagerduty.Error) as refused:
            ask()
        assert refused.value.response.status_code == 400
    assert to.groups() == []


# --- Opsgenie -------------------------------------------------------------------------------------------


def alerts_of(to: Reporting, key: str = "", prefix: str = "") -> Any:
    settings = opsgenie_sdk.Configuration()
    settings.host = f"{to.origin}{prefix}"
    settings.api_key = {"Authorization": key or to.key}
    return opsgenie_sdk.AlertApi(opsgenie_sdk.ApiClient(settings))


@pytest.mark.parametrize("prefix", ["", "/integrations/opsgenie"])
def test_opsgenies_client_creates_notes_acknowledges_and_closes(product: Product, prefix: str) -> None:
    to = Reporting(product, "opsgenie")
    alerts = alerts_of(to, prefix=prefix)
    payload = opsgenie_sdk.CreateAlertPayload(
        message="Disk full", alias="disk/db1", priority="P1", tags=["db"], details={"free": "0 GB"}
    )
    created = alerts.create_alert(create_alert_payload=payload)
    assert created.result == "Request will be processed"
    status = alerts.get_request_status(created.request_id)
    assert (status.data.is_success, status.data.alias) == (True, "disk/db1")
    to.wait_for_rings(1)
    by = {"identifier": "disk/db1", "identifier_type": "alias"}
    alerts.add_note(**by, add_note_to_alert_payload=opsgenie_sdk.AddNoteToAlertPayload(note="on it"))
    alerts.acknowledge_alert(
        **by, acknowledge_alert_payload=opsgenie_sdk.AcknowledgeAlertPayload(user="ana@example.com")
    )
    (group,) = to.groups()
    assert (group.state, group.ended_by) == ("acknowledged", "ana@example.com")
    closed = alerts.close_alert(identifier=status.data.alert_id, identifier_type="id")
    assert alerts.get_request_status(closed.request_id).data.action == "Close"
    assert to.states() == ["resolved"]
    assert to.rings() == 1


def test_opsgenies_client_understands_why_it_is_refused(product: Product) -> None:
    to = Reporting(product, "opsgenie")
    good = opsgenie_sdk.CreateAlertPayload(message="Disk full")
    blank = opsgenie_sdk.CreateAlertPayload(message=" ")
    for alerts, payload, code in ((alerts_of(to, "0" * 32), good, 401), (alerts_of(to), blank, 422)):
        with pytest.raises(opsgenie_sdk.exceptions.OpenApiException) as refused:
            alerts.create_alert(create_alert_payload=payload)
        assert refused.value.status == code
    assert to.groups() == []


# --- CloudEvents ----------------------------------------------------------------------------------------


@pytest.mark.parametrize("write", [cloudevents.to_structured_event, cloudevents.to_binary_event])
def test_cloudevents_by_their_sdk_open_and_close(product: Product, write: Callable[..., Any]) -> None:
    to = Reporting(product, "cloudevents")
    for word, state in (("failed", "open"), ("resolved", "resolved")):
        attributes = {"type": f"com.example.disk.{word}", "source": "/db1", "subject": "disk é"}
        sent = write(CloudEvent(attributes, {"title": "Disk full"}))
        answer = product.call(
            "POST",
            f"/integrations/cloudevents/{to.key}/",
            headers=sent.headers,
            data=sent.body,
            session=product.new_session(),
        )
        assert (answer.status_code, answer.json()) == (200, {"result": "kept", "occurrences": 1})
        assert to.states() == [state]
    to.wait_for_rings(0)
    assert to.outcomes() == ["opened", "resolved"]
