"""Push messages through the sender, to a real server: what becomes of a token that is dead."""

from collections.abc import Callable, Iterator

import pytest
from pytest_django import Settings
from rest_framework.test import APIClient

from accounts.models import Shop, User
from config import clock
from notifications import jobs
from notifications.audit import audit
from notifications.engine.fanout import alert_fan_out
from notifications.engine.sender import Sender
from notifications.explanations import explain
from notifications.models import Alert, ContactPoint, Delivery
from tests.factories import AlertFactory, ContactPointFactory
from tests.servers.fcm import FCM

Make = Callable[..., list[Delivery]]


@pytest.fixture
def fcm(settings: Settings) -> Iterator[FCM]:
    with FCM() as server:
        settings.FCM_BASE_URL, settings.FCM_TOKEN_URL = server.origin, ""
        settings.FCM_SERVICE_ACCOUNT = server.service_account
        yield server


@pytest.mark.slow
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


def alerted(shop: Shop, sender: Sender) -> Alert:
    alert: Alert = AlertFactory(shop=shop)
    alert_fan_out(alert.pk)
    assert sender.drain(60)
    jobs.sweep()
    return alert


def told_of(alert: Alert, user: User) -> set[tuple[str, str]]:
    mine = Delivery.objects.filter(user=user, notification__source_id=str(alert.pk))
    return set(mine.values_list("channel", "status"))


@pytest.fixture
def dead(fcm: FCM, owner: User) -> ContactPoint:
    """The one place where somebody is told, whose provider says that nobody is there any more."""
    fcm.refuse(404, "UNREGISTERED")
    point: ContactPoint = ContactPointFactory(user=owner, channel="push", address="dead", label="My phone")
    return point


@pytest.mark.slow
def test_whoever_loses_their_last_contact_point_is_told_in_their_inbox_of_all_alerts(
    sender: Sender, dead: ContactPoint, shop: Shop, owner: User, as_user: Callable[[User], APIClient]
) -> None:
    before = alerted(shop, sender)
    after = alerted(shop, sender)
    assert told_of(before, owner) == {("push", "failed"), ("inbox", "sent")}
    assert ("inbox", "sent") in told_of(after, owner)
    items = as_user(owner).get("/api/v1/inbox/").json()["results"]
    kinds = [item["kind"] for item in items]
    assert sorted(kinds) == ["alert", "alert", "contact_point.gone"]
    notice = next(item for item in items if item["kind"] == "contact_point.gone")
    assert notice["title"] == "Push no longer reaches you: My phone"
    assert "alerts come to your inbox" in notice["body"]
    assert not audit(now=clock.now()).gaps
    jobs.sweep()
    assert as_user(owner).get("/api/v1/inbox/").json()["results"] == items, "told once"


@pytest.mark.slow
def test_whoever_is_told_elsewhere_too_hears_of_it_there_and_keeps_their_contact_points(
    sender: Sender, dead: ContactPoint, shop: Shop, owner: User
) -> None:
    ContactPointFactory(user=owner, channel="email", address="owner@example.com")
    alert = alerted(shop, sender)
    assert ("inbox", "sent") not in told_of(alert, owner)
    notices = Delivery.objects.filter(user=owner, notification__kind="contact_point.gone")
    assert set(notices.values_list("channel", "reason")) == {
        ("inbox", ""),
        ("email", ""),
        ("push", "disabled"),
    }
    assert not ContactPoint.objects.filter(channel="inbox").exists()


@pytest.mark.slow
def test_an_inbox_that_was_switched_off_is_switched_on_when_nothing_else_is_left(
    sender: Sender, dead: ContactPoint, shop: Shop, owner: User
) -> None:
    ContactPointFactory(user=owner, channel="inbox", address="", is_enabled=False)
    alerted(shop, sender)
    assert ContactPoint.objects.get(channel="inbox").is_enabled
    assert ("inbox", "sent") in told_of(alerted(shop, sender), owner)


@pytest.mark.slow
def test_one_that_its_owner_has_put_right_meanwhile_is_nothing_to_speak_of(
    sender: Sender, dead: ContactPoint, shop: Shop, owner: User
) -> None:
    alert = AlertFactory(shop=shop)
    alert_fan_out(alert.pk)
    assert sender.drain(60)
    ContactPoint.objects.filter(pk=dead.pk).update(is_enabled=True, address="alive")
    jobs.sweep()
    assert told_of(alert, owner) == {("push", "failed")}
    assert not ContactPoint.objects.filter(channel="inbox").exists()
