"""The operator finds a person, sees what they were or were not told and why, and replays."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, time
from typing import Any

import pytest
from django.db import connection
from django.db.models import Model
from django.db.models.signals import pre_save
from django.forms import MultiWidget
from django.http import HttpResponse
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.urls import reverse
from django.utils import timezone
from redis.exceptions import ConnectionError as Away

from accounts.models import ApiKey, Shop, User
from notifications.admin.contact_points import TESTS_MOST
from notifications.models import (
    Alert,
    Attempt,
    ContactPoint,
    Delivery,
    DeliveryAction,
    Outgoing,
    Preference,
    Subscription,
)
from tests.factories import (
    AlertFactory,
    ContactPointFactory,
    InboxItemFactory,
    MembershipFactory,
    NotificationFactory,
    PreferenceFactory,
)

Make = Callable[..., Delivery]
ONLY_CONFIRMED = "Only confirmed contact points get a test message."
LISTS = [
    "accounts_user",
    "accounts_shop",
    "accounts_apikey",
    "notifications_alert",
    "notifications_notification",
    "notifications_delivery",
    "notifications_contactpoint",
]


def url(page: str, *args: object) -> str:
    return reverse(f"admin:{page}", args=args)


def populate(shop: Shop, user: User, make_delivery: Make) -> None:
    alert = AlertFactory(shop=shop)
    notification = NotificationFactory(source_id=str(alert.pk))
    MembershipFactory(shop=shop)
    make_delivery(user, notification=notification, status="failed", reason="exhausted")
    ApiKey.objects.create(name="camera", digest=str(alert.pk), hint="tsn_abc", scopes=["alerts:write"])


@pytest.mark.parametrize("page", LISTS)
def test_a_list_takes_the_same_number_of_queries_for_any_number_of_rows(
    desk: Client, shop: Shop, owner: User, make_delivery: Make, page: str
) -> None:
    populate(shop, owner, make_delivery)
    desk.get(url(f"{page}_changelist"))
    with CaptureQueriesContext(connection) as few:
        assert desk.get(url(f"{page}_changelist")).status_code == 200
    for _ in range(5):
        populate(shop, owner, make_delivery)
    with CaptureQueriesContext(connection) as many:
        desk.get(url(f"{page}_changelist"))
    assert len(many) == len(few) <= 8


@pytest.mark.parametrize(
    "page", ["notifications_alert", "notifications_notification", "notifications_delivery"]
)
def test_large_tables_are_never_counted(desk: Client, page: str) -> None:
    with CaptureQueriesContext(connection) as queries:
        desk.get(url(f"{page}_changelist"))
    assert not [query for query in queries if "COUNT(*)" in query["sql"].upper()]


@pytest.mark.parametrize("key", ["email", "first_name", "phone", "uuid"])
def test_a_person_is_found(desk: Client, stranger: User, owner: User, key: str) -> None:
    User.objects.filter(pk=owner.pk).update(first_name="Zoé", phone="+33612345678")
    owner.refresh_from_db()
    page = desk.get(url("accounts_user_changelist"), {"q": str(getattr(owner, key))}).content.decode()
    assert owner.email in page
    assert stranger.email not in page


def test_a_persons_page_says_what_they_were_told_and_why(
    desk: Client, owner: User, make_delivery: Make
) -> None:
    PreferenceFactory(user=owner, level="CRITICAL")
    contact_point = ContactPointFactory(user=owner, label="Back office")
    told = make_delivery(owner, status="sent", contact_point=contact_point, attempts=1)
    make_delivery(owner, status="suppressed", reason="level", contact_point=contact_point)
    page = desk.get(url("accounts_user_change", owner.pk)).content.decode()
    for text in (
        "Auchan La Rochelle",
        "Back office",
        "Told by webhook.",
        "Not told: prefers critical alerts only.",
        url("notifications_delivery_change", told.pk),
    ):
        assert text in page


def test_a_persons_page_takes_the_same_number_of_queries_for_any_number_of_deliveries(
    desk: Client, owner: User, make_delivery: Make
) -> None:
    path = url("accounts_user_change", owner.pk)
    make_delivery(owner)
    desk.get(path)
    with CaptureQueriesContext(connection) as few:
        desk.get(path)
    for _ in range(10):
        make_delivery(owner)
    with CaptureQueriesContext(connection) as many:
        desk.get(path)
    assert len(many) == len(few)


def test_a_persons_page_shows_the_newest_hundred(desk: Client, owner: User, make_delivery: Make) -> None:
    contact_point = ContactPointFactory(user=owner)
    for _ in range(101):
        make_delivery(owner, contact_point=contact_point)
    page = desk.get(url("accounts_user_change", owner.pk)).content.decode()
    assert page.count("Waiting to be sent.") == 100
    assert "All of them" in page


def test_a_delivery_to_an_inbox_shows_when_it_was_read(desk: Client, owner: User) -> None:
    item = InboxItemFactory(user=owner, read_at=datetime(2026, 3, 2, 23, 30, tzinfo=UTC))
    page = desk.get(url("notifications_delivery_change", item.pk)).content.decode()
    assert "2026-03-02 23:30:00" in page


def test_a_delivery_shows_its_attempts_and_why(
    desk: Client, owner: User, make_delivery: Make, make_attempt: Callable[..., Attempt]
) -> None:
    delivery = make_delivery(owner, status="failed", reason="exhausted", attempts=2)
    make_attempt(delivery, 1, error="answered 500", status_code=500)
    make_attempt(delivery, 2, error="timed out <after> 10 s")
    page = desk.get(url("notifications_delivery_change", delivery.pk)).content.decode()
    for text in (
        "Failed: every attempt failed",
        "answered 500",
        "timed out &lt;after&gt; 10 s",
        owner.email,
        "Replay now",
    ):
        assert text in page
    assert "Cancel it" not in page


@pytest.mark.parametrize(
    ("find", "expected"),
    [("alert", 1), ("email", 2), ("user", 2), ("delivery", 1), ("nobody", 0)],
)
def test_deliveries_are_found(
    desk: Client, owner: User, stranger: User, make_delivery: Make, find: str, expected: int
) -> None:
    alert = AlertFactory()
    first = make_delivery(owner, notification=NotificationFactory(source_id=str(alert.pk)))
    make_delivery(owner)
    make_delivery(stranger)
    terms = {"alert": alert.pk, "email": "OWNER@", "user": owner.pk, "delivery": first.pk}
    page = desk.get(url("notifications_delivery_changelist"), {"q": str(terms.get(find, find))})
    assert page.status_code == 200
    assert len(page.context["cl"].result_list) == expected


@pytest.mark.parametrize(
    "query",
    [
        "status__exact=failed",
        "channel=webhook",
        "reason=exhausted",
        "created_at__gte=2026-01-01+00%3A00%3A00%2B00%3A00",
    ],
)
def test_deliveries_are_filtered(desk: Client, owner: User, make_delivery: Make, query: str) -> None:
    make_delivery(owner, status="failed", reason="exhausted")
    page = desk.get(f"{url('notifications_delivery_changelist')}?{query}")
    assert len(page.context["cl"].result_list) == 1


def test_one_is_replayed_by_its_button(desk: Client, owner: User, make_delivery: Make) -> None:
    delivery = make_delivery(owner, status="failed")
    path = url("notifications_delivery_replay", delivery.pk)
    assert desk.get(path).status_code == 405
    assert b"being tried again now" in desk.post(path, follow=True).content
    delivery.refresh_from_db()
    assert delivery.status == "pending"
    assert b"Only failed or expired" in desk.post(path, follow=True).content


def test_one_is_cancelled_by_its_button(desk: Client, owner: User, make_delivery: Make) -> None:
    delivery = make_delivery(owner)
    path = url("notifications_delivery_cancel", delivery.pk)
    assert desk.get(path).status_code == 405
    assert b"Cancelled before" in desk.post(path, follow=True).content
    delivery.refresh_from_db()
    assert (delivery.status, delivery.reason) == ("cancelled", "cancelled_by_operator")
    assert b"Only unsent deliveries" in desk.post(path, follow=True).content


def test_what_is_being_sent_is_not_called_stopped(desk: Client, owner: User, make_delivery: Make) -> None:
    delivery = make_delivery(owner, status="sending", lease_until=timezone.now())
    page = desk.post(url("notifications_delivery_cancel", delivery.pk), follow=True).content
    assert b"Cancelled before" not in page
    assert b"It is being sent right now" in page
    assert Outgoing.objects.get(pk=delivery.pk).revoked_at


@pytest.mark.parametrize(
    ("action", "before", "after", "said"),
    [
        ("replay_chosen", "failed", "pending", "2 will be tried again now."),
        ("cancel_chosen", "pending", "cancelled", "2 cancelled before they were sent."),
    ],
)
def test_many_are_replayed_or_cancelled(
    desk: Client, owner: User, make_delivery: Make, action: str, before: str, after: str, said: str
) -> None:
    chosen, left = (
        [make_delivery(owner, status=before) for _ in range(2)],
        make_delivery(owner, status=before),
    )
    path = url("notifications_delivery_changelist")
    posted = {"action": action, "_selected_action": [str(each.pk) for each in chosen]}
    asked = desk.post(path, posted)
    assert "2, to 1 person" in asked.content.decode()
    assert not Delivery.objects.filter(status=after).exists(), "it asks first"
    done = desk.post(path, {**posted, "newest": str(asked.context["newest"])}, follow=True)
    assert said in done.content.decode()
    assert set(Delivery.objects.filter(status=after)) == set(chosen)
    left.refresh_from_db()
    assert left.status == before


@pytest.mark.parametrize(
    "page", ["notifications_alert", "notifications_notification", "notifications_delivery"]
)
def test_what_the_engine_wrote_can_not_be_written_by_hand(
    desk: Client, owner: User, make_delivery: Make, page: str
) -> None:
    alert = AlertFactory()
    notification = NotificationFactory(source_id=str(alert.pk))
    delivery = make_delivery(owner, notification=notification, status="sent")
    row = {
        "notifications_alert": alert,
        "notifications_notification": notification,
        "notifications_delivery": delivery,
    }[page]
    assert desk.get(url(f"{page}_change", row.pk)).status_code == 200
    assert desk.post(url(f"{page}_change", row.pk), {"status": "failed"}).status_code == 403
    assert desk.get(url(f"{page}_add")).status_code == 403
    assert desk.post(url(f"{page}_delete", row.pk), {"post": "yes"}).status_code == 403


def test_an_alert_shows_its_deliveries_by_status(desk: Client, owner: User, make_delivery: Make) -> None:
    alert = AlertFactory()
    make_delivery(
        owner, notification=NotificationFactory(source_id=str(alert.pk)), status="suppressed", reason="level"
    )
    page = desk.get(url("notifications_alert_change", alert.pk)).content.decode()
    assert "Suppressed" in page
    assert f"?q={alert.pk}" in page


@pytest.mark.parametrize("page", ["notifications_delivery", "notifications_alert", "accounts_user"])
def test_an_id_that_is_not_there_is_no_fault(desk: Client, page: str) -> None:
    for pk in ("nonsense", "33cbb18c-3e9d-4acc-9667-2fbe7bf29137"):
        assert desk.get(url(f"{page}_change", pk), follow=True).status_code in (200, 404)


def test_an_alert_is_found_by_its_id(desk: Client) -> None:
    alert, _ = AlertFactory(), AlertFactory()
    page = desk.get(url("notifications_alert_changelist"), {"q": str(alert.pk)})
    assert list(page.context["cl"].result_list) == [alert]


def test_a_key_is_shown_once_and_its_digest_never(desk: Client) -> None:
    made = desk.post(url("accounts_apikey_add"), {"name": "camera", "scopes": ["alerts:write"]}, follow=True)
    key = made.content.decode().split("be shown again: ")[1].split("<")[0].strip()
    record = ApiKey.objects.get()
    assert ApiKey.digest_of(key) == record.digest
    for path in (url("accounts_apikey_change", record.pk), url("accounts_apikey_changelist")):
        page = desk.get(path).content.decode()
        assert key not in page
        assert record.digest not in page


def test_a_key_keeps_working_when_its_record_is_changed(desk: Client) -> None:
    record = ApiKey(name="camera", scopes=["alerts:write"])
    record.set_new_key()
    record.save()
    desk.post(url("accounts_apikey_change", record.pk), {"name": "gate", "scopes": ["alerts:read"]})
    digest = record.digest
    record.refresh_from_db()
    assert (record.name, record.scopes, record.digest) == ("gate", ["alerts:read"], digest)


def test_keys_are_revoked(desk: Client) -> None:
    record = ApiKey.objects.create(name="camera", digest="x", hint="tsn_", scopes=["alerts:write"])
    chosen = {"action": "revoke", "_selected_action": [str(record.pk)]}
    page = desk.post(url("accounts_apikey_changelist"), chosen, follow=True).content.decode()
    assert "1 revoked. They no longer work." in page
    record.refresh_from_db()
    assert record.revoked_at


def test_a_key_with_an_unknown_scope_is_refused(desk: Client) -> None:
    desk.post(url("accounts_apikey_add"), {"name": "camera", "scopes": ["everything"]})
    assert not ApiKey.objects.exists()


def test_a_test_message_is_sent_from_the_list(desk: Client, owner: User) -> None:
    contact_point = ContactPointFactory(user=owner)
    chosen = {"action": "test_send", "_selected_action": [str(contact_point.pk)]}
    page = desk.post(url("notifications_contactpoint_changelist"), chosen, follow=True).content.decode()
    assert Delivery.objects.get().contact_point == contact_point
    assert "1 test messages are on their way" in page
    assert "Left out" not in page
    assert ONLY_CONFIRMED not in page


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


@contextmanager
def meanwhile(row: Model, **changes: Any) -> Iterator[None]:
    """Have somebody else change a row between a form's reading of it and its saving."""

    def change(instance: Model, **_: Any) -> None:
        type(row)._default_manager.filter(pk=row.pk).update(**changes)

    pre_save.connect(change, sender=type(row))
    try:
        yield
    finally:
        pre_save.disconnect(change, sender=type(row))
    row.refresh_from_db()


def test_a_change_to_a_person_does_not_let_them_back_in(desk: Client, owner: User) -> None:
    person = url("accounts_user_change", owner.pk)
    posted = form_data(desk.get(person)) | {"last_name": "Lima", "preference-TOTAL_FORMS": "0"}
    with meanwhile(owner, is_active=False):
        assert desk.post(person, posted).status_code == 302
    assert (owner.last_name, owner.is_active) == ("Lima", False)


def test_a_new_password_writes_nothing_else_back(desk: Client, owner: User) -> None:
    password = {"password1": "a long enough one", "password2": "a long enough one"}
    with meanwhile(owner, phone="+33612345678"):
        assert desk.post(f"/admin/accounts/user/{owner.pk}/password/", password).status_code == 302
    assert owner.check_password("a long enough one")
    assert owner.phone == "+33612345678"


def test_ones_own_new_password_writes_nothing_else_back(desk: Client, operator: User) -> None:
    password = {"new_password1": "a long enough one", "new_password2": "a long enough one"}
    operator.set_password("the one before")
    operator.save(update_fields=["password"])
    desk.force_login(operator)
    assert "old_password" in desk.get("/admin/password_change/").content.decode()
    with meanwhile(operator, phone="+33612345678", last_name="Lima"):
        answer = desk.post("/admin/password_change/", {"old_password": "the one before", **password})
    assert answer.status_code == 302, answer.context["form"].errors
    assert operator.check_password("a long enough one")
    assert (operator.phone, operator.last_name) == ("+33612345678", "Lima")
    assert desk.get("/admin/").status_code == 200, "one's own session goes on"


def test_a_key_that_is_revoked_while_it_is_changed_stays_revoked(desk: Client) -> None:
    key = ApiKey.objects.create(name="camera", digest="x", hint="tsn_", scopes=["alerts:write"])
    with meanwhile(key, revoked_at=timezone.now()):
        desk.post(url("accounts_apikey_change", key.pk), {"name": "gate", "scopes": key.scopes})
    assert key.name == "gate"
    assert key.revoked_at


def test_a_contact_point_that_is_removed_while_it_is_changed_stays_removed(desk: Client, owner: User) -> None:
    point = ContactPointFactory(user=owner)
    with meanwhile(point, secret_version=2, deleted_at=timezone.now()):
        change_point(desk, point, label="Desk")
    assert (point.label, point.secret_version, bool(point.deleted_at)) == ("Desk", 2, True)


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


def test_an_alert_says_with_which_one_it_is_grouped(desk: Client, shop: Shop) -> None:
    alone, first = AlertFactory(shop=shop), AlertFactory(shop=shop)
    Alert.objects.filter(pk=first.pk).update(grouped_with=first.pk)
    second = AlertFactory(shop=shop, grouped_with=first.pk)
    page = {each: desk.get(url("notifications_alert_change", each.pk)).content.decode() for each in
            (alone, first, second)}  # fmt: skip
    assert "The first of 2: people were told of this one." in page[first]
    link = url("notifications_alert_change", first.pk)
    assert f'href="{link}">Grouped with {first.pk}</a>, of which people were told.' in page[second]
    assert "people were told" not in page[alone]


def test_a_shop_is_set_to_group_its_alerts(desk: Client, shop: Shop) -> None:
    form = desk.get(url("accounts_shop_change", shop.pk)).context["adminform"].form.initial
    inline = {f"memberships-{name}": 0 for name in ("TOTAL_FORMS", "INITIAL_FORMS")}
    fields = {name: form[name] for name in ("slug", "name", "repeat_alerts_s")}
    desk.post(url("accounts_shop_change", shop.pk), fields | inline | {"group_alerts_s": 300})
    shop.refresh_from_db()
    assert (shop.group_alerts_s, shop.repeat_alerts_s) == (300, 0)


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


def test_a_person_is_added_and_changed(desk: Client, shop: Shop) -> None:
    password = "a long enough one"
    added = desk.post(
        url("accounts_user_add"),
        {
            "email": "New@Example.com",
            "first_name": "Ana",
            "last_name": "",
            "password1": password,
            "password2": password,
        },
    )
    assert added.status_code == 302, added.context["errors"]
    assert User.objects.get(email="new@example.com").check_password(password)


def form_data(page: Any) -> dict[str, Any]:
    """What a browser would send back of a page's form and its inlines."""
    forms = [page.context["adminform"].form]
    for inline in page.context["inline_admin_formsets"]:
        forms += [inline.formset.management_form, *inline.formset.initial_forms]
    data = {}
    for field in (form[name] for form in forms for name in form.fields):
        value = field.value()
        if isinstance(field.field.widget, MultiWidget):
            parts = field.field.widget.decompress(value)
            data |= {f"{field.html_name}_{number}": part for number, part in enumerate(parts) if part}
        elif value is not None and value is not False:
            data[field.html_name] = value
    return data


def test_a_persons_name_level_and_membership_are_changed(desk: Client, owner: User, stranger: User) -> None:
    page = desk.get(url("accounts_user_change", owner.pk))
    changes = {
        "last_name": "Lima",
        "phone": "+33 6 12 34 56 78",
        "preference-TOTAL_FORMS": "1",
        "preference-0-user": str(owner.pk),
        "preference-0-level": "CRITICAL",
    }
    answer = desk.post(url("accounts_user_change", owner.pk), {**form_data(page), **changes})
    assert answer.status_code == 302, answer.context["errors"]
    owner.refresh_from_db()
    assert (owner.last_name, owner.phone, owner.preference.level) == ("Lima", "+33612345678", "CRITICAL")


@pytest.mark.slow
def test_a_persons_quiet_hours_and_rules_are_changed(desk: Client, owner: User) -> None:
    def save(**changes: str) -> HttpResponse:
        page = desk.get(url("accounts_user_change", owner.pk))
        person = {"preference-TOTAL_FORMS": "1", "preference-0-user": str(owner.pk)}
        rule = {"subscriptions-TOTAL_FORMS": "1", "subscriptions-0-user": str(owner.pk)}
        given = {name.replace("__", "-"): value for name, value in changes.items()}
        return desk.post(
            url("accounts_user_change", owner.pk), {**form_data(page), **person, **rule, **given}
        )

    quiet = {
        "preference__0__level": "STANDARD",
        "preference__0__quiet_from": "22:00",
        "preference__0__quiet_until": "07:00",
        "preference__0__digest": "on",
    }
    rule = {"subscriptions__0__channel": "email", "subscriptions__0__kind": "stage.*"}
    for wrong, message in [
        ({"preference__0__quiet_until": ""}, "give both, or neither"),
        ({"preference__0__quiet_until": "22:00"}, "end when they begin"),
        ({"subscriptions__0__kind": "stage.*.x"}, "Expected a kind"),
        ({"subscriptions__0__kind": "account.*"}, "always sent"),
        ({"subscriptions__0__channel": "pigeon"}, "Choose one of"),
    ]:
        refused = save(**{**quiet, **rule, **wrong})
        assert refused.status_code == 200
        assert message in refused.content.decode().replace("&#x27;", "'")
    assert not Preference.objects.exists()
    assert save(**quiet, **rule).status_code == 302
    assert (owner.preference.quiet_from, owner.preference.digest) == (time(22), True)
    assert list(owner.subscriptions.values_list("channel", "kind", "is_enabled")) == [
        ("email", "stage.*", False)
    ]


def test_the_first_page_counts_the_last_day(
    desk: Client, shop: Shop, owner: User, make_delivery: Make
) -> None:
    populate(shop, owner, make_delivery)
    page = desk.get("/admin/")
    assert page.status_code == 200
    statuses = (
        {label: count for label, _, count in page.context["statuses"]} if "statuses" in page.context else {}
    )
    assert b"Alerts accepted" in page.content
    assert statuses.get("Failed", 1) == 1


def test_the_first_page_is_there_while_redis_is_away(desk: Client, monkeypatch: Any) -> None:
    def away() -> None:
        raise Away

    monkeypatch.setattr("django_rq.get_connection", away)
    assert b"Redis is away" in desk.get("/admin/").content


def test_staff_without_permissions_see_and_people_do_not(
    owner: User, as_user: Callable[[User], Client]
) -> None:
    staff = User.objects.create_user("desk@example.com", is_staff=True)
    assert as_user(staff).get(url("notifications_delivery_changelist")).status_code == 200
    assert as_user(staff).get(url("accounts_user_change", owner.pk)).status_code == 200
    assert as_user(staff).get(url("accounts_apikey_add")).status_code == 403
    assert as_user(owner).get(url("notifications_delivery_changelist")).status_code == 302


@pytest.mark.parametrize("path", ["/django-rq/", "/django-rq/queues/0/", "/django-rq/stats.json"])
def test_the_queues_pages_are_for_superusers(
    desk: Client, owner: User, as_user: Callable[[User], Client], path: str
) -> None:
    clerk = User.objects.create_user("clerk@example.com", is_staff=True, role="admin")
    assert desk.get(path).status_code == 200
    assert as_user(clerk).get(path).status_code == 403
    assert as_user(owner).get(path).status_code == Client().get(path).status_code == 302
    assert desk.get("/admin/django_rq/dashboard/").status_code == 404


def all_that_filters_find(desk: Client, **more: str) -> HttpResponse:
    path = f"{url('notifications_delivery_changelist')}?status__exact=failed"
    first = str(Delivery.objects.filter(status="failed").values_list("pk", flat=True)[0])
    posted = {"action": "replay_chosen", "select_across": "1", "_selected_action": [first], **more}
    return desk.post(path, posted, follow=True)


def test_select_all_says_how_many_the_filters_find(desk: Client, owner: User, make_delivery: Make) -> None:
    for _ in range(52):
        make_delivery(owner, status="failed")
    make_delivery(owner)
    path = url("notifications_delivery_changelist")
    assert "Select all 52 deliveries" in desk.get(path, {"status__exact": "failed"}).content.decode()
    for query in ({}, {"status__exact": "failed"}):
        assert "9999999999" not in desk.get(path, query).content.decode()


def test_replaying_all_asks_first_and_takes_what_it_asked_for(
    desk: Client, owner: User, make_delivery: Make
) -> None:
    for _ in range(52):
        make_delivery(owner, status="failed")
    make_delivery(owner, status="failed", revoked_at=timezone.now())
    asked = all_that_filters_find(desk)
    page = asked.content.decode()
    assert "52, to 1 person" in page
    assert "webhook: 52" in page
    assert "Left out: 1 stopped, or about something that is over." in page
    later = make_delivery(owner, status="failed")
    done = all_that_filters_find(desk, newest=str(asked.context["newest"])).content.decode()
    assert "52 will be tried again now. Left out: 1 stopped" in done
    later.refresh_from_db()
    assert later.status == "failed", "it came after the question"


@pytest.mark.parametrize(("what", "before"), [("replay", "failed"), ("cancel", "pending")])
def test_a_delivery_shows_who_replayed_or_cancelled_it(
    desk: Client, owner: User, make_delivery: Make, what: str, before: str
) -> None:
    one, other = make_delivery(owner, status=before), make_delivery(owner, status=before)
    desk.post(url(f"notifications_delivery_{what}", one.pk))
    page = desk.get(url("notifications_delivery_change", one.pk)).content.decode()
    assert "ed by operator@example.com" in page
    history = desk.get(url("notifications_delivery_history", one.pk), follow=True).content.decode()
    assert "operator@example.com" in history
    assert (
        len(
            desk.get(url("notifications_deliveryaction_changelist"), {"q": str(one.pk)})
            .context["cl"]
            .result_list
        )
        == 1
    )
    assert "ed by operator@" not in desk.get(url("notifications_delivery_change", other.pk)).content.decode()


def test_many_leave_one_row_of_who_did_it(desk: Client, owner: User, make_delivery: Make) -> None:
    for _ in range(3):
        make_delivery(owner, status="failed")
    asked = all_that_filters_find(desk)
    all_that_filters_find(desk, newest=str(asked.context["newest"]))
    done = DeliveryAction.objects.get()
    assert (done.action, done.by, done.via, done.count) == ("replay", "operator@example.com", "admin", 3)
    assert set(done.deliveries) == set(Delivery.objects.values_list("pk", flat=True))
