"""SPEC 1.1 and 0.3: alerts come in, strictly checked, once each."""

import json
import uuid
from collections.abc import Callable
from typing import Any
from urllib.parse import urlencode

import pytest
from rest_framework.test import APIClient

from accounts.models import Shop, User
from notifications.engine.fanout import alerts_fan_out
from notifications.models import Alert
from tests.factories import AlertFactory, MembershipFactory, NotificationFactory, ShopFactory

CANONICAL = "/api/v1/alerts/"
ORIGINALS = ["/webhooks/alerts", "/webhooks/alerts/", "/webhook/notifications", "/webhook/notifications/"]
Machine = Callable[..., APIClient]


@pytest.fixture
def camera(as_machine: Machine) -> APIClient:
    return as_machine("alerts:write")


@pytest.mark.parametrize("path", [CANONICAL, CANONICAL.rstrip("/"), *ORIGINALS])
def test_an_alert_is_accepted_at_each_path(camera: APIClient, alert_body: dict[str, Any], path: str) -> None:
    response = camera.post(path, alert_body)
    assert response.status_code == 201
    answer = response.json()
    assert {key: answer[key] for key in alert_body} == alert_body
    assert answer["severity"] == "critical"
    assert answer["shop"]["slug"] == "fr-auchan-larochelle"
    assert Alert.objects.get(pk=alert_body["alert_uuid"]).label == "theft"


def test_a_shop_is_found_by_its_name_too(camera: APIClient, alert_body: dict[str, Any], shop: Shop) -> None:
    assert camera.post(CANONICAL, {**alert_body, "location": shop.name}).json()["shop"]["slug"] == shop.slug


def test_a_slug_wins_over_another_shops_name(camera: APIClient, alert_body: dict[str, Any]) -> None:
    ShopFactory(slug="other", name="cora")
    meant = ShopFactory(slug="cora", name="Cora")
    answer = camera.post(CANONICAL, {**alert_body, "location": "cora"}).json()
    assert answer["shop"]["id"] == str(meant.pk)


@pytest.mark.parametrize(
    ("label", "severity"), [("theft", "critical"), ("suspicious", "standard"), ("normal", "standard")]
)
def test_only_theft_is_critical(
    camera: APIClient, alert_body: dict[str, Any], label: str, severity: str
) -> None:
    assert camera.post(CANONICAL, {**alert_body, "label": label}).json()["severity"] == severity


def test_the_same_alert_again_answers_200_and_the_same(camera: APIClient, alert_body: dict[str, Any]) -> None:
    first = camera.post(CANONICAL, alert_body)
    again = camera.post(ORIGINALS[0], alert_body)
    assert (first.status_code, again.status_code) == (201, 200)
    assert again.json() == first.json()
    assert Alert.objects.count() == 1


@pytest.mark.parametrize(
    "change",
    [
        {"url": "https://media.veesion.io/other.mp4"},
        {"label": "normal"},
        {"time_spotted": 1742470260.083001},
    ],
)
def test_the_same_id_with_other_content_answers_409(
    camera: APIClient, alert_body: dict[str, Any], change: dict[str, Any]
) -> None:
    first = camera.post(CANONICAL, alert_body).json()
    refused = camera.post(CANONICAL, {**alert_body, **change})
    assert refused.status_code == 409
    assert "alert_uuid" in refused.json()["detail"]
    assert camera.post(CANONICAL, alert_body).json() == first


def test_the_same_id_from_another_shop_answers_409(camera: APIClient, alert_body: dict[str, Any]) -> None:
    camera.post(CANONICAL, alert_body)
    assert camera.post(CANONICAL, {**alert_body, "location": ShopFactory().slug}).status_code == 409


def test_other_fields_are_ignored(camera: APIClient, alert_body: dict[str, Any]) -> None:
    assert camera.post(CANONICAL, {**alert_body, "camera": 7}).status_code == 201


@pytest.mark.parametrize("seconds", [0, 1742470260, 1742470260.083, 1742470260.123456, 4102444799.999])
def test_the_time_comes_back_as_it_was_sent(
    camera: APIClient, alert_body: dict[str, Any], seconds: float
) -> None:
    assert camera.post(CANONICAL, {**alert_body, "time_spotted": seconds}).json()["time_spotted"] == seconds


BAD = [
    ("url", 7),
    ("url", None),
    ("url", ""),
    ("url", True),
    ("url", []),
    ("url", "ftp://media.veesion.io/a"),
    ("url", "media.veesion.io/a"),
    ("url", "https://"),
    ("url", "https://exa mple.com/"),
    ("url", "https://a\x00b/"),
    ("url", "https://[::1/"),
    ("url", "https://a:99999/"),
    ("url", "https://a/" + "x" * 2048),
    ("url", "https://a/\n"),
    ("url", "javascript:alert(1)"),
    ("location", 7),
    ("location", None),
    ("location", ""),
    ("location", "nowhere"),
    ("location", "x" * 201),
    ("location", "a\x00b"),
    ("location", {"slug": "fr-auchan-larochelle"}),
    ("location", True),
    ("alert_uuid", 7),
    ("alert_uuid", None),
    ("alert_uuid", ""),
    ("alert_uuid", "not-a-uuid"),
    ("alert_uuid", True),
    ("alert_uuid", "{33cbb18c-3e9d-4acc-9667-2fbe7bf29137"),
    ("alert_uuid", "urn:uuid:{33cbb18c-3e9d-4acc-9667-2fbe7bf29137}"),
    ("alert_uuid", "3" * 37),
    ("alert_uuid", "33cbb18c-3e9d4acc-9667-2fbe7bf29137-"),
    ("alert_uuid", "33cbb18c-3e9d-4acc-9667-2fbe7bf2913\x00"),
    ("label", "Theft"),
    ("label", "robbery"),
    ("label", None),
    ("label", ""),
    ("label", 1),
    ("label", ["theft"]),
    ("label", {}),
    ("label", "theft\x00"),
    ("time_spotted", "1742470260,083"),
    ("time_spotted", "nan"),
    ("time_spotted", "1e400"),
    ("time_spotted", "-1"),
    ("time_spotted", "1_742_470_260"),
    ("time_spotted", "9" * 5000),
    ("time_spotted", ""),
    ("time_spotted", True),
    ("time_spotted", None),
    ("time_spotted", []),
    ("time_spotted", -1),
    ("time_spotted", -0.001),
    ("time_spotted", 4102444800),
    ("time_spotted", 4102444799.9999996),  # kept to the microsecond, it would be the next century
    ("time_spotted", 1742470260083),
    ("time_spotted", 10**400),
]


@pytest.mark.slow
@pytest.mark.parametrize(("field", "value"), BAD, ids=lambda value: repr(value)[:30])
def test_a_bad_value_is_refused_with_a_message_for_its_field(
    camera: APIClient, alert_body: dict[str, Any], field: str, value: object
) -> None:
    refused = camera.post(CANONICAL, {**alert_body, field: value})
    assert refused.status_code == 400
    assert list(refused.json()) == [field]
    assert all(isinstance(message, str) for message in refused.json()[field])
    assert not Alert.objects.exists()


ID = "33cbb18c-3e9d-4acc-9667-2fbe7bf29137"
#: What Django REST framework took of the original's clients by default.
LOOSE = [
    ("alert_uuid", ID.replace("-", "")),
    ("alert_uuid", f"{{{ID}}}"),
    ("alert_uuid", f"urn:uuid:{ID}"),
    ("alert_uuid", ID.upper()),
    ("time_spotted", "1742470260.083"),
    ("time_spotted", " 1.742470260083e9 "),
    ("location", " fr-auchan-larochelle "),
    ("location", "Intermarche\u0301"),  # as macOS writes it
    ("location", "Intermarch\u00e9"),
    ("url", " https://media.example.com/clip.mp4 "),
]


@pytest.mark.slow
@pytest.mark.parametrize(("field", "value"), LOOSE, ids=lambda value: repr(value)[:30])
def test_what_the_original_took_besides_is_taken_as_what_it_means(
    camera: APIClient, alert_body: dict[str, Any], field: str, value: str
) -> None:
    ShopFactory(slug="itm", name="Intermarch\u00e9")
    plain = {**alert_body, "alert_uuid": ID, "time_spotted": 1742470260.083}
    plain["url"] = "https://media.example.com/clip.mp4"
    if field == "location" and "nter" in value:
        plain["location"] = "itm"
    first = camera.post(CANONICAL, {**plain, field: value})
    assert first.status_code == 201, first.content
    again = camera.post(CANONICAL, plain)
    assert (again.status_code, again.json()["alert_uuid"]) == (200, ID)


def test_an_alert_may_come_as_a_form_or_without_a_content_type(
    camera: APIClient, alert_body: dict[str, Any]
) -> None:
    form, text = urlencode(alert_body), json.dumps(alert_body)
    ways = [
        (text, ""),
        (text, "application/x-www-form-urlencoded"),
        (form, "application/x-www-form-urlencoded"),
    ]
    for path in (CANONICAL, *ORIGINALS):
        for body, content_type in ways:
            Alert.objects.all().delete()
            answer = camera.generic("POST", path, body, content_type=content_type)
            assert answer.status_code == 201, (path, content_type, answer.content)
            assert {key: answer.json()[key] for key in alert_body} == alert_body


@pytest.mark.slow
@pytest.mark.parametrize(
    ("body", "content_type", "code"),
    [
        (b"url=%ff", "application/x-www-form-urlencoded", 400),
        (b"\xff=1", "application/x-www-form-urlencoded", 400),
        (b"a=1&" * 200, "application/x-www-form-urlencoded", 400),
        (b"{", "application/x-www-form-urlencoded", 400),
        (b"url=%00&location=%00", "application/x-www-form-urlencoded", 400),
        (b"", "application/x-www-form-urlencoded", 400),
        (b"a=" + b"x" * 1_000_001, "application/x-www-form-urlencoded", 413),
        (b"not JSON", "", 400),
        (b"{}", "text/xml", 415),
    ],
)
def test_a_form_that_is_none_is_refused(camera: APIClient, body: bytes, content_type: str, code: int) -> None:
    assert camera.generic("POST", CANONICAL, body, content_type=content_type).status_code == code
    assert not Alert.objects.exists()


@pytest.mark.parametrize("field", ["url", "location", "alert_uuid", "label", "time_spotted"])
def test_a_missing_field_is_named(camera: APIClient, alert_body: dict[str, Any], field: str) -> None:
    del alert_body[field]
    assert list(camera.post(CANONICAL, alert_body).json()) == [field]


def test_every_bad_field_is_named_at_once(camera: APIClient) -> None:
    assert set(camera.post(CANONICAL, {}).json()) == {
        "url",
        "location",
        "alert_uuid",
        "label",
        "time_spotted",
    }


@pytest.mark.parametrize("host", ["http://nvr/clip.mp4", "http://10.0.0.7:8080/clip", "https://é.example/ü"])
def test_cameras_may_name_any_host(camera: APIClient, alert_body: dict[str, Any], host: str) -> None:
    assert camera.post(CANONICAL, {**alert_body, "url": host}).status_code == 201


def test_an_alert_is_accepted_by_one_statement(
    camera: APIClient, alert_body: dict[str, Any], asked: list[str]
) -> None:
    camera.post(CANONICAL, alert_body)
    asked.clear()
    camera.post(CANONICAL, {**alert_body, "alert_uuid": str(uuid.uuid4())})
    assert len(asked) == 1, "it looks at the key, finds the shop and stores the alert"


def test_posting_needs_its_scope(as_machine: Machine, alert_body: dict[str, Any]) -> None:
    assert as_machine("alerts:read", "deliveries:write").post(CANONICAL, alert_body).status_code == 403
    assert not Alert.objects.exists()


def test_staff_may_post_and_people_may_not(
    as_user: Callable[[User], APIClient], operator: User, owner: User, alert_body: dict[str, Any]
) -> None:
    assert as_user(owner).post(CANONICAL, alert_body).status_code == 403
    assert as_user(operator).post(CANONICAL, alert_body).status_code == 201


def test_an_alert_remembers_which_key_it_came_by(camera: APIClient, alert_body: dict[str, Any]) -> None:
    camera.post(CANONICAL, alert_body)
    assert Alert.objects.get().received_from.name == "a machine"


def test_a_member_sees_the_alerts_of_their_shop_only(
    as_user: Callable[[User], APIClient], owner: User, stranger: User, shop: Shop
) -> None:
    mine, other = AlertFactory(shop=shop), AlertFactory()
    listed = as_user(owner).get(CANONICAL).json()["results"]
    assert [each["alert_uuid"] for each in listed] == [str(mine.pk)]
    assert as_user(owner).get(f"{CANONICAL}{other.pk}/").status_code == 404
    assert as_user(stranger).get(CANONICAL).json()["results"] == []
    assert as_user(stranger).get(f"{CANONICAL}{mine.pk}/").status_code == 404


def test_who_has_left_a_shop_no_longer_sees_its_alerts(
    as_user: Callable[[User], APIClient], stranger: User, shop: Shop
) -> None:
    MembershipFactory(user=stranger, shop=shop, left_at="2026-01-01T00:00:00Z")
    alert = AlertFactory(shop=shop)
    assert as_user(stranger).get(f"{CANONICAL}{alert.pk}/").status_code == 404


def test_an_alert_tells_what_became_of_it(
    as_machine: Machine,
    as_user: Callable[[User], APIClient],
    owner: User,
    teammate: User,
    shop: Shop,
    make_delivery: Callable[..., Any],
) -> None:
    alert = AlertFactory(shop=shop)
    notification = NotificationFactory(source_id=str(alert.pk))
    make_delivery(owner, notification=notification, status="sent")
    make_delivery(teammate, notification=notification, status="suppressed", reason="level")
    make_delivery(teammate)
    seen = as_machine("alerts:read").get(f"{CANONICAL}{alert.pk}").json()["deliveries"]
    assert seen == [
        {"status": "sent", "reason": "", "count": 1},
        {"status": "suppressed", "reason": "level", "count": 1},
    ]
    own = as_user(owner).get(f"{CANONICAL}{alert.pk}").json()["deliveries"]
    assert own == [{"status": "sent", "reason": "", "count": 1}]


def test_alerts_of_a_group_name_the_first_and_say_why_nobody_was_told(
    as_machine: Machine, as_user: Callable[[User], APIClient], owner: User, shop: Shop, operator: User
) -> None:
    changed = as_user(operator).patch(f"/api/v1/shops/{shop.pk}/", {"group_alerts_s": 60})
    assert changed.status_code == 200
    first, second = AlertFactory(shop=shop), AlertFactory(shop=shop)
    alerts_fan_out()
    client = as_machine("alerts:read", "deliveries:read")
    of_group = client.get(f"{CANONICAL}?grouped_with={first.pk}").json()["results"]
    assert [(each["alert_uuid"], each["grouped_with"]) for each in of_group] == [
        (str(second.pk), str(first.pk)),
        (str(first.pk), str(first.pk)),
    ]
    shown = client.get(f"{CANONICAL}{second.pk}/").json()
    assert (shown["grouped_with"], shown["group_size"]) == (str(first.pk), 2)
    assert shown["deliveries"] == [{"status": "suppressed", "reason": "grouped", "count": 1}]
    (delivery,) = client.get(f"/api/v1/deliveries/?alert_uuid={second.pk}").json()["results"]
    assert delivery["explanation"] == "Not told: grouped with an earlier alert of the same shop and label."
    assert delivery["notification"]["data"]["grouped_with"] == str(first.pk)


def test_an_alert_that_is_told_by_itself_is_in_no_group(as_machine: Machine, shop: Shop) -> None:
    alert = AlertFactory(shop=shop)
    alerts_fan_out()
    shown = as_machine("alerts:read").get(f"{CANONICAL}{alert.pk}/").json()
    assert (shown["grouped_with"], shown["group_size"]) == (None, 1)


def test_alerts_are_listed_newest_first_in_pages(as_machine: Machine, shop: Shop) -> None:
    alerts = [AlertFactory(shop=shop) for _ in range(5)]
    client, path, seen = as_machine("alerts:read"), f"{CANONICAL}?page_size=2", []
    while path:
        page = client.get(path).json()
        seen += [each["alert_uuid"] for each in page["results"]]
        path = page["next"]
    assert seen == [str(alert.pk) for alert in reversed(alerts)]


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        ("label=normal", 1),
        ("shop=fr-auchan-larochelle", 2),
        ("shop=nowhere", 0),
        ("received_after=2026-01-02T00:00:00Z", 1),
        ("received_before=2026-01-02T00:00:00Z", 1),
    ],
)
def test_alerts_can_be_narrowed_down(as_machine: Machine, shop: Shop, query: str, expected: int) -> None:
    AlertFactory(shop=shop, label="theft", received_at="2026-01-01T00:00:00Z")
    AlertFactory(shop=shop, label="normal", received_at="2026-01-03T00:00:00Z")
    assert len(as_machine("alerts:read").get(f"{CANONICAL}?{query}").json()["results"]) == expected


@pytest.mark.slow
@pytest.mark.parametrize(
    "query",
    [
        "label=robbery",
        "shop=a%00b",
        "received_after=yesterday",
        "received_after=%00",
        "received_after=0752-10-05T10:15:54%2B19:46",
        "received_after=0001-01-01T00:00:00%2B19:46",
        "received_before=9999-12-31T23:59:59-19:46",
        "lable=theft",
        "label=",
        "cursor=",
        "cursor=x",
        "cursor=cD1hYmM%3D",
        "cursor=cD0lMDA%3D",
        "page_size=0",
        "page_size=x",
        "page_size=201",
        "page_size=%00",
        "a%00b=1",
        "page_size=" + "9" * 5000,
        "page_size=000001000000",
        "page_size=000001" + "0" * 5000,
    ],
)
def test_a_bad_query_is_refused(as_machine: Machine, query: str) -> None:
    refused = as_machine("alerts:read").get(f"{CANONICAL}?{query}")
    assert refused.status_code == 400
    assert all(isinstance(messages, list) for messages in refused.json().values())


def test_listing_takes_the_same_number_of_queries_for_any_number_of_alerts(
    as_machine: Machine, django_assert_num_queries: Any
) -> None:
    client = as_machine("alerts:read")
    client.get(CANONICAL)
    for _ in range(10):
        AlertFactory()
    with django_assert_num_queries(2):  # the key, and the page
        assert len(client.get(CANONICAL).json()["results"]) == 10


def test_the_answer_is_json_whatever_is_asked_for(camera: APIClient, alert_body: dict[str, Any]) -> None:
    response = camera.post(
        CANONICAL, json.dumps(alert_body), content_type="application/json", HTTP_ACCEPT="text/html"
    )
    assert response.status_code == 201
    assert response["Content-Type"] == "application/json"


@pytest.mark.django_db(transaction=True)
def test_outside_a_transaction_too_the_same_id_is_taken_once(
    as_machine: Machine, alert_body: dict[str, Any]
) -> None:
    camera = as_machine("alerts:write")
    posts = [alert_body, alert_body, {**alert_body, "label": "normal"}, alert_body]
    assert [camera.post(CANONICAL, post).status_code for post in posts] == [201, 200, 409, 200]
    assert Alert.objects.count() == 1
