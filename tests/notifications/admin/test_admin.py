"""What the operator sees in lists, alerts and on the first page, and who else sees it."""

from collections.abc import Callable
from typing import Any

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from redis.exceptions import ConnectionError as Away

from accounts.models import ApiKey, Shop, User
from notifications.models import (
    Alert,
)
from tests.factories import (
    AlertFactory,
    MembershipFactory,
    NotificationFactory,
)
from tests.notifications.admin.desk import Make, url

LISTS = [
    "accounts_user",
    "accounts_shop",
    "accounts_apikey",
    "notifications_alert",
    "notifications_notification",
    "notifications_delivery",
    "notifications_contactpoint",
]


def populate(shop: Shop, user: User, make_delivery: Make) -> None:
    alert = AlertFactory(shop=shop)
    notification = NotificationFactory(source_id=str(alert.pk))
    MembershipFactory(shop=shop)
    make_delivery(user, notification=notification, status="failed", reason="exhausted")
    ApiKey.objects.create(name="camera", digest=str(alert.pk), hint="tsn_abc", scopes=["alerts:write"])


@pytest.mark.slow
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


@pytest.mark.slow
@pytest.mark.parametrize(
    "page", ["notifications_alert", "notifications_notification", "notifications_delivery"]
)
def test_large_tables_are_never_counted(desk: Client, page: str) -> None:
    with CaptureQueriesContext(connection) as queries:
        desk.get(url(f"{page}_changelist"))
    assert not [query for query in queries if "COUNT(*)" in query["sql"].upper()]


def test_an_alert_shows_its_deliveries_by_status(desk: Client, owner: User, make_delivery: Make) -> None:
    alert = AlertFactory()
    make_delivery(
        owner, notification=NotificationFactory(source_id=str(alert.pk)), status="suppressed", reason="level"
    )
    page = desk.get(url("notifications_alert_change", alert.pk)).content.decode()
    assert "Suppressed" in page
    assert f"?q={alert.pk}" in page


@pytest.mark.slow
@pytest.mark.parametrize("page", ["notifications_delivery", "notifications_alert", "accounts_user"])
def test_an_id_that_is_not_there_is_no_fault(desk: Client, page: str) -> None:
    for pk in ("nonsense", "33cbb18c-3e9d-4acc-9667-2fbe7bf29137"):
        assert desk.get(url(f"{page}_change", pk), follow=True).status_code in (200, 404)


def test_an_alert_is_found_by_its_id(desk: Client) -> None:
    alert, _ = AlertFactory(), AlertFactory()
    page = desk.get(url("notifications_alert_changelist"), {"q": str(alert.pk)})
    assert list(page.context["cl"].result_list) == [alert]


@pytest.mark.slow
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


@pytest.mark.slow
def test_staff_without_permissions_see_and_people_do_not(
    owner: User, as_user: Callable[[User], Client]
) -> None:
    staff = User.objects.create_user("desk@example.com", is_staff=True)
    assert as_user(staff).get(url("notifications_delivery_changelist")).status_code == 200
    assert as_user(staff).get(url("accounts_user_change", owner.pk)).status_code == 200
    assert as_user(staff).get(url("accounts_apikey_add")).status_code == 403
    assert as_user(owner).get(url("notifications_delivery_changelist")).status_code == 302


@pytest.mark.slow
@pytest.mark.parametrize("path", ["/django-rq/", "/django-rq/queues/0/", "/django-rq/stats.json"])
def test_the_queues_pages_are_for_superusers(
    desk: Client, owner: User, as_user: Callable[[User], Client], path: str
) -> None:
    clerk = User.objects.create_user("clerk@example.com", is_staff=True, role="admin")
    assert desk.get(path).status_code == 200
    assert as_user(clerk).get(path).status_code == 403
    assert as_user(owner).get(path).status_code == Client().get(path).status_code == 302
    assert desk.get("/admin/django_rq/dashboard/").status_code == 404
