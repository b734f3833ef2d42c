"""No key reads of another domain by way of deliveries or dead letters; nobody is shown others' secrets."""

from collections.abc import Callable
from typing import Any, Final

import pytest
from django.test import Client
from django.urls import reverse
from django.utils import timezone
from rest_framework.test import APIClient

from accounts.models import User
from notifications.models import DeadMessage, Delivery, Notification
from tests.factories import ContactPointFactory, UserFactory
from tests.queued import stored
from tracing.models import Case, CaseReading, Device, StatusMark

Machine = Callable[..., APIClient]
LogIn = Callable[[User], APIClient]
pytestmark = pytest.mark.django_db

PATH: Final = "/api/v1/deliveries/"
TOKEN: Final = "fcm-token-of-a-phone"
JOIN: Final = "https://tocsin.example.com/dating/join/eyJzZWNyZXQ6MQ:sig/"
ICS: Final = "BEGIN:VCALENDAR\r\nATTENDEE:mailto:ana@example.com\r\nEND:VCALENDAR\r\n"

#: By the kind of fact: the scope that a key needs beside ``deliveries:read``; None: no key sees it.
DOMAINS: Final[dict[str, str | None]] = {
    "alert": "",
    "contact_point": "",
    "event": "events:read",
    "escalation": "escalations:read",
    "escalation_figures": "escalations:read",
    "on_call_drill": "escalations:read",
    "on_call_holes": "escalations:read",
    "tracing_case": "tracing:read",
    "dating_event": "dating:read",
    "dating_round": "dating:read",
    "dating_break": "dating:read",
    "verification": None,
    "user": None,
    "something_new": None,
}
READING: Final = ("events:read", "escalations:read", "tracing:read", "dating:read")


def told(source_type: str, user: User | None = None, **fields: Any) -> Delivery:
    """Something that somebody was told, or a device, and that failed."""
    about = {"kind": f"{source_type}.told", "data": {}, "source_id": "0199a000-0000-7000-8000-000000000001"}
    about |= {name: fields.pop(name) for name in ("kind", "data", "body", "source_id") if name in fields}
    notification = Notification.objects.create(
        title="Told", source_type=source_type, dedup_key=f"{source_type}:{timezone.now()}", **about
    )
    now = timezone.now()
    values = {"channel": "webhook", "address": "https://x.example", "status": "failed", "reason": "exhausted"}
    delivery = Delivery(
        notification=notification, user=user, due_at=now, expires_at=now, **{**values, **fields}
    )
    return stored([delivery])[0]


def seen_by(client: APIClient, delivery: Delivery) -> set[bool]:
    """Whether a key sees a delivery, by each of the ways in which it could be seen or touched."""
    one = f"{PATH}{delivery.pk}/"
    listed = [each["id"] for each in client.get(PATH).json()["results"]]
    by_filter = client.get(PATH, {"notification": str(delivery.notification_id)}).json()["results"]
    replayed = client.post(f"{PATH}replay/", {"ids": [str(delivery.pk)]}).json()
    touched = replayed["replayed"] + sum(replayed["left_out"].values())
    codes = [
        client.get(one),
        client.get(f"{one}proof/"),
        client.post(f"{one}cancel/"),
        client.post(f"{one}replay/"),
    ]
    return {
        str(delivery.pk) in listed,
        bool(by_filter),
        touched > 0,
        *(each.status_code != 404 for each in codes),
    }


@pytest.mark.slow
@pytest.mark.parametrize(("source_type", "scope"), DOMAINS.items())
def test_a_key_sees_what_was_told_of_a_domain_only_with_its_scope(
    as_machine: Machine, source_type: str, scope: str | None
) -> None:
    base = ("deliveries:read", "deliveries:write")
    others = [each for each in READING if each != scope]
    ContactPointFactory(user=(user := UserFactory()))
    made = [told(source_type, user) for _ in range(2)]
    assert seen_by(as_machine(*base, *others), made[0]) == {scope == ""}
    if scope:
        assert seen_by(as_machine(*base, scope), made[1]) == {True}


@pytest.mark.slow
def test_a_digest_which_tells_of_anything_takes_every_scope(as_machine: Machine, owner: User) -> None:
    digest = told(
        "contact_point", owner, kind="digest", data={"items": [{"title": "You were near somebody"}]}
    )
    base = ("deliveries:read", "deliveries:write")
    for left_out in READING:
        assert seen_by(as_machine(*base, *(each for each in READING if each != left_out)), digest) == {False}
    assert seen_by(as_machine(*base, *READING), digest) == {True}


@pytest.mark.parametrize("name", ["events", "dating", "escalation", "tracing"])
def test_dead_letters_of_a_broker_take_the_scope_of_their_domain(as_machine: Machine, name: str) -> None:
    scope = {"escalation": "escalations:read"}.get(name, f"{name}:read")
    body = b'{"device_id": 7, "status": 9}'
    letter = DeadMessage.objects.create(
        source=name, reason="no such status", body=body, size=len(body), delivered_at=timezone.now()
    )
    path = f"/api/v1/dead-messages/{letter.pk}/"
    rest = ("messages:read", "messages:write", *(each for each in READING if each != scope))
    blind = as_machine(*rest)
    assert blind.get("/api/v1/dead-messages/").json()["results"] == []
    for answer in (blind.get(path), blind.post(f"{path}replay/"), blind.post(f"{path}discard/")):
        assert answer.status_code == 404
    assert blind.post("/api/v1/dead-messages/discard/", {"ids": [str(letter.pk)]}).json() == {"discarded": 0}
    assert as_machine("messages:read", scope).get(path).json()["body"] == body.decode()
    assert CaseReading.objects.count() == (name == "tracing")


# --- Push tokens, and links by which one acts as somebody else ----------------------------------------------


@pytest.mark.slow
def test_a_push_token_is_shown_in_no_delivery_and_no_list(
    as_machine: Machine, as_user: LogIn, operator: User, owner: User
) -> None:
    phone = told("tracing_case", channel="push", address=TOKEN)
    point = ContactPointFactory(user=owner, channel="push", address=TOKEN)
    Device.objects.create(pk=7, push_token=TOKEN)
    doctor, desk = as_machine("deliveries:read", "tracing:read"), as_user(operator)
    pages = ("notifications_delivery", "notifications_contactpoint", "tracing_device", "accounts_user")
    rows = (phone.pk, point.pk, 7, owner.pk)
    for client in (doctor, desk):
        for path in (PATH, f"{PATH}{phone.pk}/", f"{PATH}{phone.pk}/proof/"):
            assert TOKEN not in client.get(path).content.decode(), path
    assert doctor.get(f"{PATH}{phone.pk}/").json()["address"] == "withheld"
    for path in ("/api/v1/contact-points/", f"/api/v1/contact-points/{point.pk}/"):
        assert TOKEN not in desk.get(path).content.decode()
        assert TOKEN in as_user(owner).get(path).content.decode()
    for page, row in zip(pages, rows, strict=True):
        for path in (reverse(f"admin:{page}_changelist"), reverse(f"admin:{page}_change", args=[row])):
            answer = desk.get(path)
            assert answer.status_code == 200
            assert TOKEN not in answer.content.decode(), path


def test_a_token_is_set_in_the_admin_and_stays_where_none_is_given(operator: User) -> None:
    Device.objects.create(pk=7, push_token=TOKEN)
    desk = Client()
    desk.force_login(operator)
    fields = {"contacts-TOTAL_FORMS": 0, "contacts-INITIAL_FORMS": 0, "platform": "ios", "language": "fr"}
    for given, kept in (("", TOKEN), ("another-token", "another-token")):
        path = reverse("admin:tracing_device_change", args=[7])
        assert desk.post(path, {**fields, "new_push_token": given}).status_code == 302
        assert Device.objects.get(pk=7).push_token == kept


@pytest.mark.slow
def test_links_and_calendars_are_shown_to_their_person_alone(
    as_machine: Machine, as_user: LogIn, operator: User, owner: User
) -> None:
    data = {"url": JOIN, "ics": ICS, "deep": [{"page": f"see {JOIN}."}], "partner": "Ben"}
    delivery = told("dating_round", owner, data=data, body=f"Go to {JOIN} now.")
    path = f"{PATH}{delivery.pk}/"
    assert as_user(owner).get(path).json()["notification"]["data"] == data
    # A record says that something was told, and not what: no link is in anybody's proof.
    assert JOIN not in as_user(owner).get(f"{path}proof/").json()["record"]
    for client in (as_user(operator), as_machine("deliveries:read", "dating:read")):
        for listed in (path, PATH):
            text = client.get(listed).content.decode()
            assert "eyJzZWNyZXQ6MQ" not in text
            assert "VCALENDAR" not in text
            assert "Ben" in text
        assert "eyJzZWNyZXQ6MQ" not in client.get(f"{path}proof/").content.decode()
    page = reverse("admin:notifications_notification_change", args=[delivery.notification_id])
    shown = as_user(operator).get(page).content.decode()
    assert "eyJzZWNyZXQ6MQ" not in shown
    assert "VCALENDAR" not in shown


@pytest.mark.slow
@pytest.mark.parametrize(
    "link", ["acknowledge/abc.def", "unsubscribe/abc/", "calendars/abc.ics", "reset-password/?token=abc&x=1"]
)
def test_no_signed_link_is_shown_to_others(as_user: LogIn, operator: User, owner: User, link: str) -> None:
    delivery = told("alert", owner, data={"link": f"https://tocsin.example.com/{link}"})
    shown = as_user(operator).get(f"{PATH}{delivery.pk}/").json()["notification"]["data"]["link"]
    assert "abc" not in shown
    assert "withheld" in shown


# --- Who reads of infections is noted -----------------------------------------------------------------------


def readings() -> list[tuple[str, bool, bool]]:
    """What was read, whether by a key, and whether by a person; once each."""
    rows = [(each.what, bool(each.api_key), bool(each.user)) for each in CaseReading.objects.order_by("id")]
    CaseReading.objects.all().delete()
    return rows


@pytest.mark.slow
def test_whoever_reads_what_was_told_of_a_case_is_noted(
    as_machine: Machine, as_user: LogIn, operator: User
) -> None:
    case = Case.objects.create(device=Device.objects.create(pk=7), since=timezone.now())
    delivery = told("tracing_case", source_id=str(case.pk))
    ways = (PATH, f"{PATH}{delivery.pk}/", f"{PATH}{delivery.pk}/proof/")
    for client, by in (
        (as_machine("deliveries:read", "tracing:read"), (True, False)),
        (as_user(operator), (False, True)),
    ):
        for path in ways:
            assert client.get(path).status_code == 200
            assert CaseReading.objects.get().case_id == case.pk
            assert readings() == [("notices", *by)]
    for page in ("delivery_changelist", "notification_changelist"):
        as_user(operator).get(reverse(f"admin:notifications_{page}"))
        assert readings() == [("notices", False, True)]
    for page, row in (("delivery", delivery.pk), ("notification", delivery.notification_id)):
        as_user(operator).get(reverse(f"admin:notifications_{page}_change", args=[row]))
        assert set(readings()) == {("notices", False, True)}


def test_whoever_reads_of_other_things_is_not(as_machine: Machine, as_user: LogIn, operator: User) -> None:
    told("tracing_case")
    told("alert", operator)
    as_machine("deliveries:read").get(PATH)
    as_user(operator).get(PATH, {"user": str(operator.pk)})
    assert readings() == []


@pytest.mark.slow
def test_whoever_reads_the_status_of_a_device_is_noted(
    as_machine: Machine, as_user: LogIn, operator: User
) -> None:
    device = Device.objects.create(pk=7, status=1)
    mark = StatusMark.objects.create(device=device, status=1)
    assert as_machine("tracing:read").get("/api/v1/tracing/devices/7/").status_code == 200
    assert readings() == [("device", True, False)]
    desk = as_user(operator)
    for page, row in (("device", 7), ("statusmark", mark.pk)):
        desk.get(reverse(f"admin:tracing_{page}_changelist"))
        assert readings() == [("device", False, True)]
        desk.get(reverse(f"admin:tracing_{page}_change", args=[row]))
        assert CaseReading.objects.filter(device_id=7).exists()
        assert set(readings()) == {("device", False, True)}


def test_a_key_for_intake_learns_no_status(as_machine: Machine) -> None:
    Device.objects.create(pk=7, status=1)
    phone = as_machine("tracing:write")
    assert phone.get("/api/v1/tracing/devices/7/").status_code == 403
    assert "status" not in phone.put("/api/v1/tracing/devices/7/", {"language": "fr"}).json()
