"""The operator tests, changes, vouches for and removes contact points."""

import pytest
from django.test import Client
from django.utils import timezone

from accounts.models import User
from notifications.admin.contact_points import TESTS_MOST
from notifications.models import (
    ContactPoint,
    Delivery,
    Subscription,
)
from tests.factories import (
    ContactPointFactory,
)
from tests.notifications.admin.desk import Make, form_data, meanwhile, url

ONLY_CONFIRMED = "Only confirmed contact points get a test message."


def test_a_test_message_is_sent_from_the_list(desk: Client, owner: User) -> None:
    contact_point = ContactPointFactory(user=owner)
    chosen = {"action": "test_send", "_selected_action": [str(contact_point.pk)]}
    page = desk.post(url("notifications_contactpoint_changelist"), chosen, follow=True).content.decode()
    assert Delivery.objects.get().contact_point == contact_point
    assert "1 test messages are on their way" in page
    assert "Left out" not in page
    assert ONLY_CONFIRMED not in page


@pytest.mark.slow
def test_more_test_messages_than_are_sent_at_once_are_said_to_be_left_out(desk: Client, owner: User) -> None:
    chosen = [ContactPointFactory(user=owner) for _ in range(TESTS_MOST + 2)]
    posted = {"action": "test_send", "_selected_action": [str(each.pk) for each in chosen]}
    page = desk.post(url("notifications_contactpoint_changelist"), posted, follow=True).content.decode()
    assert Delivery.objects.count() == TESTS_MOST
    assert f"{TESTS_MOST} test messages are on their way" in page
    assert "Left out: 2 more" in page


@pytest.fixture
def held(owner: User, make_delivery: Make) -> Delivery:
    """A message that quiet hours hold for the owner's mail."""
    point = ContactPointFactory(user=owner, channel="email", address="desk@example.org")
    fields = {"channel": "email", "address": point.address, "held_for": owner.pk}
    return make_delivery(owner, contact_point=point, reason="quiet_hours", **fields)


def change_point(desk: Client, point: ContactPoint, **changes: str) -> None:
    fields = {"address": point.address, "label": "", "is_enabled": "on", "batch": "1", "linger_ms": "0"}
    given = {**fields, "batch_format": "cloudevents", **changes}
    answer = desk.post(url("notifications_contactpoint_change", point.pk), given)
    assert answer.status_code == 302, answer.context["errors"]


def test_what_is_held_for_a_contact_point_that_is_switched_off_is_not_told(
    desk: Client, held: Delivery
) -> None:
    change_point(desk, held.contact_point, label="Desk")
    held.refresh_from_db()
    assert (held.status, held.reason) == ("pending", "quiet_hours")
    change_point(desk, held.contact_point, is_enabled="")
    held.refresh_from_db()
    assert (held.status, held.reason) == ("suppressed", "disabled")


def test_what_is_held_goes_to_the_new_address_once_that_is_vouched_for(desk: Client, held: Delivery) -> None:
    change_point(desk, held.contact_point, address="other@example.org", vouch="on")
    held.refresh_from_db()
    assert (held.status, held.address) == ("pending", "other@example.org")
    change_point(desk, held.contact_point, address="third@example.org")
    held.refresh_from_db()
    assert (held.status, held.reason) == ("suppressed", "unconfirmed")


@pytest.mark.slow
def test_a_rule_that_the_staff_set_stops_what_is_held(desk: Client, owner: User, held: Delivery) -> None:
    path, person = url("accounts_user_change", owner.pk), {"preference-TOTAL_FORMS": "0"}
    assert desk.post(path, form_data(desk.get(path)) | person).status_code == 302
    held.refresh_from_db()
    assert (held.status, held.reason) == ("pending", "quiet_hours")
    rule = {"channel": "email", "kind": held.notification.kind}
    added = {f"subscriptions-0-{name}": value for name, value in rule.items()}
    added |= {"subscriptions-TOTAL_FORMS": "1", "subscriptions-0-user": str(owner.pk)}
    answer = desk.post(path, form_data(desk.get(path)) | person | added)
    assert answer.status_code == 302, answer.context["errors"]
    assert Subscription.objects.filter(user=owner, is_enabled=False).exists()
    held.refresh_from_db()
    assert (held.status, held.reason) == ("suppressed", "unsubscribed")


def test_a_contact_point_that_is_removed_while_it_is_changed_stays_removed(desk: Client, owner: User) -> None:
    point = ContactPointFactory(user=owner)
    with meanwhile(point, secret_version=2, deleted_at=timezone.now()):
        change_point(desk, point, label="Desk")
    assert (point.label, point.secret_version, bool(point.deleted_at)) == ("Desk", 2, True)


@pytest.mark.slow
def test_a_contact_point_is_checked_by_its_channels_rules(desk: Client, owner: User) -> None:
    fields = {
        "user": str(owner.pk),
        "channel": "webhook",
        "address": "nonsense",
        "label": "",
        "is_enabled": "on",
        "batch": "1",
        "linger_ms": "0",
        "batch_format": "cloudevents",
    }
    assert desk.post(url("notifications_contactpoint_add"), fields).status_code == 200
    assert not ContactPoint.objects.exists()
    desk.post(url("notifications_contactpoint_add"), {**fields, "address": "https://Hooks.example.com:443/a"})
    assert ContactPoint.objects.get().address == "https://hooks.example.com/a"
    mail = {**fields, "channel": "email", "address": "ana@example.com", "batch": "2"}
    refused = desk.post(url("notifications_contactpoint_add"), mail)
    assert refused.context["adminform"].form.errors == {"batch": ["email can't take batches: leave it at 1."]}
    refused = desk.post(url("notifications_contactpoint_add"), {**mail, "batch": "1", "linger_ms": "5"})
    assert list(refused.context["adminform"].form.errors) == ["linger_ms"]


@pytest.mark.slow
def test_an_address_is_confirmed_in_the_admin_only_where_somebody_vouches_for_it(
    desk: Client, owner: User
) -> None:
    fields = {
        "user": str(owner.pk),
        "channel": "email",
        "address": "desk@example.org",
        "label": "",
        "is_enabled": "on",
        "batch": "1",
        "linger_ms": "0",
        "batch_format": "cloudevents",
    }
    desk.post(url("notifications_contactpoint_add"), fields)
    point = ContactPoint.objects.get()
    assert point.confirmed_at is None
    assert Delivery.objects.get().notification.kind == "account.confirm_contact_point"
    listed = url("notifications_contactpoint_changelist")
    assert "not confirmed" in desk.get(listed).content.decode()
    posted = {"action": "test_send", "_selected_action": [str(point.pk)]}
    assert ONLY_CONFIRMED in desk.post(listed, posted, follow=True).content.decode()
    assert Delivery.objects.count() == 1

    posted = {"action": "vouch_for", "_selected_action": [str(point.pk)]}
    assert "1 confirmed." in desk.post(listed, posted, follow=True).content.decode()
    point.refresh_from_db()
    assert (point.confirmed_at is not None, point.is_vouched) == (True, True)

    change = url("notifications_contactpoint_change", point.pk)
    desk.post(change, {**fields, "address": "other@example.org"})
    point.refresh_from_db()
    assert (point.address, point.confirmed_at, point.is_vouched) == ("other@example.org", None, False)
    desk.post(change, {**fields, "address": "third@example.org", "vouch": "on"})
    point.refresh_from_db()
    assert (point.confirmed_at is not None, point.is_vouched) == (True, True)


def test_where_no_code_can_be_sent_the_admin_says_so(desk: Client, owner: User) -> None:
    User.objects.filter(pk=owner.pk).update(email_verified_at=None)
    point = ContactPointFactory(user=owner, channel="email", address="desk@example.org")
    page = desk.post(
        url("notifications_contactpoint_change", point.pk),
        {
            "user": str(owner.pk), "channel": "email", "address": "other@example.org", "label": "",
            "is_enabled": "on", "batch": "1", "linger_ms": "0", "batch_format": "cloudevents",
        },
        follow=True,
    ).content.decode()  # fmt: skip
    assert "It is not confirmed, and we couldn&#x27;t send a code." in page
    point.refresh_from_db()
    assert (point.address, point.confirmed_at) == ("other@example.org", None)


def test_contact_points_are_removed_from_the_list(desk: Client, owner: User) -> None:
    point = ContactPointFactory(user=owner)
    chosen = {"action": "remove", "_selected_action": [str(point.pk)]}
    page = desk.post(url("notifications_contactpoint_changelist"), chosen, follow=True).content.decode()
    assert "1 removed." in page
    point.refresh_from_db()
    assert point.deleted_at
