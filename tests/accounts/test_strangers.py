"""One person's things, and another who knows their ids: 403 or 404, empty lists, and nothing changed."""

from collections.abc import Callable
from datetime import timedelta
from typing import Any, Final

import pytest
from django.db.models import Model
from django.utils import timezone
from rest_framework.test import APIClient

from accounts.models import User
from escalation.models import AlertGroup, EscalationProcess, Policy, Schedule
from notifications.models import ContactPoint, Delivery, Event, InboxItem, Preference, Subscription
from tests.dating import cast
from tests.factories import (
    AlertFactory,
    ContactPointFactory,
    InboxItemFactory,
    NotificationFactory,
    PreferenceFactory,
    ShopFactory,
)
from tests.queued import stored
from tracing.models import Case, Device

LogIn = Callable[[User], APIClient]
pytestmark = pytest.mark.django_db

LISTS: Final = (
    "contact-points",
    "deliveries",
    "inbox",
    "inbox/snoozed",
    "alerts",
    "escalations",
    "escalations/rotations",
    "escalations/schedules",
    "groups",
    "dating/registrations",
    "subscriptions",
)


class Things:
    """What is the owner's, and what of it can be asked for or done by its id."""

    def __init__(self, owner: User) -> None:
        self.alert = AlertFactory(shop=ShopFactory())
        owner.memberships.create(shop=self.alert.shop)
        self.point = ContactPointFactory(user=owner)
        now = timezone.now()
        told = Delivery(
            notification=NotificationFactory(source_id=str(self.alert.pk)),
            user=owner,
            channel="webhook",
            contact_point=self.point,
            due_at=now,
            expires_at=now,
            status="failed",
        )
        self.delivery = stored([told])[0]
        self.item = InboxItemFactory(user=owner)
        PreferenceFactory(user=owner, level="CRITICAL")
        Subscription.objects.create(user=owner, channel="email", kind="stage.*", is_enabled=False)
        self.process = EscalationProcess.objects.create(
            process_id="order", told_users=[owner.pk], started_at=now, look_at=now
        )
        self.group = AlertGroup.objects.create(
            key="disk", title="Disk full", opened_at=now, last_at=now, process=self.process
        )
        self.evening = cast.event(organiser=owner)
        self.device = Device.objects.create(pk=7)
        self.case = Case.objects.create(device=self.device, since=now)

    def requests(self, owner: User) -> list[tuple[str, str, dict[str, Any]]]:
        point, delivery = f"contact-points/{self.point.pk}/", f"deliveries/{self.delivery.pk}/"
        item, process = f"inbox/{self.item.pk}/", "escalations/order/"
        evening, user = f"dating/events/{self.evening.pk}/", f"users/{owner.pk}/"
        whose = {"user_id": str(owner.pk)}
        group, tomorrow = f"groups/{self.group.pk}/", {"until": str(timezone.now() + timedelta(days=1))}
        return [
            *(("get", each, {}) for each in (point, f"{point}secret/", delivery, f"{delivery}proof/", item)),
            *(("get", each, {}) for each in (process, f"escalations/{self.process.pk}/")),
            ("get", f"alerts/{self.alert.pk}/", {}),
            *(("get", each, {}) for each in (group, "integrations/", "routes/", "silences/")),
            *(("get", f"preferences/{owner.pk}/{each}", {}) for each in ("", "explain/")),
            *(("get", f"tracing/{each}/", {}) for each in ("cases", f"cases/{self.case.pk}", "devices/7")),
            *(("get", each, {}) for each in (f"{evening}run-sheet/", user, "users/")),
            *(("get", each, {}) for each in ("dead-letters/", "events/")),
            *(("get", f"{each}?user_id={owner.pk}", {}) for each in ("preferences/", "subscriptions/")),
            ("patch", point, {"address": "https://evil.example/"}),
            ("patch", f"preferences/{owner.pk}/", {"level": "STANDARD"}),
            ("patch", item, {"read": True}),
            ("patch", user, {"role": "admin"}),
            ("put", "preferences/", {**whose, "level": "STANDARD"}),
            ("put", f"subscriptions/?user_id={owner.pk}", {"channel": "", "kind": "", "is_enabled": False}),
            ("put", "tracing/devices/7/", {"push_token": "mine"}),
            ("put", "dating/bot-accounts/42/", whose),
            *(("post", f"{point}{each}/", {}) for each in ("test", "rotate-secret")),
            *(("post", f"{delivery}{each}/", {}) for each in ("replay", "cancel")),
            *(("post", f"{process}{each}/", {}) for each in ("acknowledge", "stop")),
            *(("post", f"{item}{each}/", tomorrow) for each in ("snooze", "wake")),
            *(("post", f"{group}{each}/", tomorrow) for each in ("acknowledge", "resolve", "snooze")),
            *(("post", f"{evening}{each}/", {}) for each in ("pause", "resume", "extend", "end")),
            *(("post", f"{evening}{each}/", whose) for each in ("register", "confirm", "cancel")),
            ("post", "contact-points/", {**whose, "channel": "email", "address": "evil@example.com"}),
            ("post", "deliveries/replay/", {"ids": [str(self.delivery.pk)]}),
            *(("delete", each, {}) for each in (point, item, user)),
        ]


def rows() -> dict[str, list[dict[str, Any]]]:
    """All that somebody could have changed."""
    kept: tuple[type[Model], ...] = (
        User,
        ContactPoint,
        Delivery,
        InboxItem,
        Preference,
        Subscription,
        EscalationProcess,
        AlertGroup,
        Policy,
        Schedule,
        cast.Event,
        cast.Registration,
        Device,
        Event,
    )
    volatile = {"last_login"}
    return {
        model._meta.label: [
            {name: value for name, value in row.items() if name not in volatile}
            for row in model._default_manager.order_by("pk").values()
        ]
        for model in kept
    }


@pytest.mark.slow
def test_a_stranger_who_knows_the_ids_sees_and_changes_nothing(
    as_user: LogIn, owner: User, stranger: User
) -> None:
    things = Things(owner)
    before, client = rows(), as_user(stranger)
    for method, path, body in things.requests(owner):
        answer = getattr(client, method)(f"/api/v1/{path}", body or None)
        assert answer.status_code in (403, 404), (method, path, answer.status_code, answer.content[:200])
    for path in LISTS:
        assert client.get(f"/api/v1/{path}/").json()["results"] == [], path
    for path in (f"escalations/{things.process.pk}/", f"dating/{things.evening.pk}/run-sheet/", "tracing/"):
        assert client.get(f"/{path}", HTTP_ACCEPT="text/html").status_code in (403, 404), path
    assert client.get("/admin/accounts/user/").status_code == 302
    assert rows() == before


@pytest.mark.slow
def test_a_teammate_sees_the_shops_alerts_and_nothing_of_the_owners(
    as_user: LogIn, owner: User, teammate: User
) -> None:
    things = Things(owner)
    teammate.memberships.create(shop=things.alert.shop)
    before, client = rows(), as_user(teammate)
    assert client.get(f"/api/v1/alerts/{things.alert.pk}/").status_code == 200
    for method, path, body in things.requests(owner):
        if not path.startswith("alerts/"):
            assert getattr(client, method)(f"/api/v1/{path}", body or None).status_code in (403, 404), path
    assert rows() == before


@pytest.mark.slow
def test_the_owner_gets_to_all_of_it(as_user: LogIn, owner: User) -> None:
    things, client = Things(owner), as_user(owner)
    asked = [path for method, path, _ in things.requests(owner) if method == "get"]
    not_for_people = (
        "tracing/", "users/", "dead-letters/", "events/", "integrations/", "routes/", "silences/",
    )  # fmt: skip
    for path in asked:
        expected = 403 if path.startswith(not_for_people) else 200
        assert client.get(f"/api/v1/{path}").status_code in (expected, 400), path
