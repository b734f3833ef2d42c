"""Debian's Alertmanager, configured by its own YAML only, reports to the product in each way that it can."""

import os
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from tests.flows.product import Product
from tests.flows.reporting import Reporting
from tests.servers import alertmanager
from tests.servers.alertmanager import Alertmanager

pytestmark = pytest.mark.flow


def webhook(to: Reporting) -> dict[str, Any]:
    return {"webhook_configs": [{"url": f"{to.origin}/integrations/alertmanager/{to.key}/"}]}


def pagerduty(to: Reporting) -> dict[str, Any]:
    return {"pagerduty_configs": [{"routing_key": to.key, "url": f"{to.origin}/v2/enqueue"}]}


def pagerduty_with_the_key_in_the_address(to: Reporting) -> dict[str, Any]:
    url = f"{to.origin}/integrations/pagerduty/{to.key}/v2/enqueue"
    return {"pagerduty_configs": [{"routing_key": "any", "url": url}]}


def opsgenie(to: Reporting) -> dict[str, Any]:
    return {"opsgenie_configs": [{"api_key": to.key, "api_url": f"{to.origin}/integrations/opsgenie/"}]}


def opsgenie_that_updates(to: Reporting) -> dict[str, Any]:
    return {"opsgenie_configs": [{"api_key": to.key, "api_url": f"{to.origin}/", "update_alerts": True}]}


Receiver = Callable[[Reporting], dict[str, Any]]
RECEIVERS: dict[Receiver, str] = {
    webhook: "alertmanager",
    pagerduty: "pagerduty",
    pagerduty_with_the_key_in_the_address: "pagerduty",
    opsgenie: "opsgenie",
    opsgenie_that_updates: "opsgenie",
}


@pytest.fixture(scope="module", autouse=True)
def _installed() -> None:
    if not alertmanager.is_installed():
        if os.environ.get("ALERTMANAGER_REQUIRED"):
            pytest.fail("Alertmanager is not installed, and ALERTMANAGER_REQUIRED says that it must be.")
        pytest.skip(
            "Alertmanager is not installed, so this did not run: apt-get install prometheus-alertmanager"
            " (as root)"
        )


@pytest.mark.parametrize("receiver", RECEIVERS, ids=lambda each: each.__name__)
def test_what_fires_is_told_once_and_closed_by_its_end_whatever_is_killed(
    product: Product, tmp_path: Path, receiver: Receiver
) -> None:
    to, began_at = Reporting(product, RECEIVERS[receiver]), datetime.now(UTC)
    with Alertmanager(tmp_path, receiver(to)) as am:
        am.fire("DiskFull", began_at=began_at)
        to.wait_for_states("open")
        to.wait_for_rings(1)
        # Repeated, by itself.
        product.wait_for(lambda: len(to.statuses()) >= 3, 60, f"not repeated: {am.log()}")
        # Killed, and told anew by Prometheus.
        am.restart()
        before = len(to.statuses())
        am.fire("DiskFull", began_at=began_at)
        product.wait_for(lambda: len(to.statuses()) > before, 60, f"not told after a restart: {am.log()}")
        assert to.states() == ["open"]
        am.resolve("DiskFull", began_at=began_at)
        to.wait_for_states("resolved", timeout=60)
        assert to.is_silent()
    assert to.rings() == 1
    assert set(to.statuses()) <= {200, 202}


def test_two_that_send_the_same_make_one_group(product: Product, tmp_path: Path) -> None:
    to, began_at = Reporting(product, "alertmanager"), datetime.now(UTC)
    names = [f"Down{number}" for number in range(3)]
    with Alertmanager(tmp_path / "a", webhook(to)) as one, Alertmanager(tmp_path / "b", webhook(to)) as other:
        for each in (one, other):
            each.fire(*names, began_at=began_at)
        product.wait_for(lambda: len(to.statuses()) >= 12, 60, "two of each alert, and repeated")
        assert to.states() == ["open"] * 3
        to.wait_for_rings(3)
        for each in (one, other):
            each.resolve(*names, began_at=began_at)
        to.wait_for_states(*["resolved"] * 3, timeout=60)
    assert to.rings() == 3
    assert to.outcomes().count("opened") == 3
    assert set(to.statuses()) == {200}


def test_what_comes_while_the_product_is_away_is_told_when_it_is_back(
    product: Product, tmp_path: Path
) -> None:
    to, began_at = Reporting(product, "alertmanager"), datetime.now(UTC)
    with Alertmanager(tmp_path, webhook(to)) as am:
        product.stack.kill("web")
        am.fire("DiskFull", began_at=began_at)
        product.stack.start("web")
        to.wait_for_states("open", timeout=60)
        to.wait_for_rings(1)
        am.resolve("DiskFull", began_at=began_at)
        to.wait_for_states("resolved", timeout=60)
    assert to.rings() == 1
