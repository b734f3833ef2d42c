"""Push messages through the sender, to a real server: what becomes of a token that is dead."""

from collections.abc import Callable, Iterator

import pytest
from pytest_django import Settings

from notifications.engine.sender import Sender
from notifications.explanations import explain
from notifications.models import ContactPoint, Delivery
from tests.servers.fcm import FCM

Make = Callable[..., list[Delivery]]


@pytest.fixture
def fcm(settings: Settings) -> Iterator[FCM]:
    with FCM() as server:
        settings.FCM_BASE_URL, settings.FCM_TOKEN_URL = server.origin, ""
        settings.FCM_SERVICE_ACCOUNT = server.service_account
        yield server


def test_a_token_that_fcm_calls_dead_is_switched_off_and_no_other(
    sender: Sender, make_deliveries: Make, fcm: FCM
) -> None:
    (arrived,) = make_deliveries(1, "alive", channel="push")
    assert sender.drain(60)
    fcm.refuse(404, "UNREGISTERED")
    (gone,) = make_deliveries(1, "dead", channel="push")
    assert sender.drain(60)
    fcm.refuse(400, "INVALID_ARGUMENT")
    (refused,) = make_deliveries(1, "odd", channel="push")
    assert sender.drain(60)

    for each in (arrived, gone, refused):
        each.refresh_from_db()
    assert [(each.status, each.reason) for each in (arrived, gone, refused)] == [
        ("sent", ""),
        ("failed", "gone"),
        ("failed", "rejected"),
    ]
    assert "UNREGISTERED" in gone.attempt_set.get().error
    assert explain(gone).endswith("the address dead; a contact point that still had it is now off.")
    on = dict(ContactPoint.objects.values_list("address", "is_enabled"))
    assert on == {"alive": True, "dead": False, "odd": True}
