"""A destination that accepts and never answers costs the others nothing, through real processes."""

from collections.abc import Iterator

import pytest

from tests.flows.product import SEND_TIMEOUT_S, Product
from tests.servers.third_party import ThirdParty

pytestmark = pytest.mark.flow

EACH = 300


@pytest.fixture
def hung() -> Iterator[ThirdParty]:
    with ThirdParty() as server:
        server.behave("hang")
        yield server


def test_hung_destination_does_not_slow_another(product: Product, hung: ThirdParty) -> None:
    shop = product.shop(2 * EACH)
    healthy = product.third_party
    healthy.behave("ok")
    healthy.reset()
    for number, user in enumerate(shop.staff):
        origin = (healthy, hung)[number % 2].origin
        product.contact_point(user, "webhook", f"{origin}/hooks/{number}")
    alert = shop.alert()
    assert product.post(alert) == 201
    # Whoever waited for a hung send would come later than that send's timeout.
    healthy.wait_for(EACH, timeout=SEND_TIMEOUT_S)
    assert set(healthy.counts().values()) == {1}
    assert hung.requests, "nothing was sent to the hung destination, so this has shown nothing"
    hung.behave("ok")
    product.settle(90)
    assert {row.status for row in product.rows(alert)} == {"sent"}
