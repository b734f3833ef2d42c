"""Where a person wants to be told: their own matter, staff's, and nobody else's."""

import uuid
from collections.abc import Callable
from typing import Any

import pytest
from django.core.cache import cache
from django.db import IntegrityError, transaction
from django.utils import timezone
from rest_framework.test import APIClient

from accounts.models import User
from config.rest.exceptions import Conflict
from notifications.channels.transport import signing
from notifications.engine.replay import replay
from notifications.models import ContactPoint, Delivery
from notifications.services.contact_points import contact_point_remove, contact_point_update
from tests.factories import ContactPointFactory

LogIn = Callable[[User], APIClient]
PATH = "/api/v1/contact-points/"
WEBHOOK = {"channel": "webhook", "address": "https://hooks.example.com/tocsin", "label": "Back office"}


def path_of(contact_point: ContactPoint, action: str = "") -> str:
    return f"{PATH}{contact_point.pk}/{action}"


def test_a_contact_point_is_added(as_user: LogIn, owner: User) -> None:
    response = as_user(owner).post(PATH, WEBHOOK)
    assert response.status_code == 201
    answer = response.json()
    assert {key: answer[key] for key in WEBHOOK} == WEBHOOK
    assert answer["user_id"] == str(owner.pk)
    assert ContactPoint.objects.get(pk=answer["id"]).lane == "https://hooks.example.com:443"


def test_the_same_again_answers_200_and_the_same(as_user: LogIn, owner: User) -> None:
    client = as_user(owner)
    first, again = (
        client.post(PATH, WEBHOOK),
        client.post(PATH, {**WEBHOOK, "address": "HTTPS://hooks.example.com:443/tocsin"}),
    )
    assert (first.status_code, again.status_code) == (201, 200)
    assert first.json() == again.json()


def test_the_same_address_with_another_label_answers_409(as_user: LogIn, owner: User) -> None:
    client = as_user(owner)
    client.post(PATH, WEBHOOK)
    assert client.post(PATH, {**WEBHOOK, "label": "Front office"}).status_code == 409
    assert ContactPoint.objects.get().label == "Back office"


@pytest.mark.slow
@pytest.mark.parametrize(
    ("change", "field"),
    [
        ({"channel": "pigeon"}, "channel"),
        ({"channel": "third_party"}, "channel"),
        ({"channel": None}, "channel"),
        ({"channel": 1}, "channel"),
        ({"address": "nonsense"}, "address"),
        ({"address": ""}, "address"),
        ({"address": 7}, "address"),
        ({"address": "https://a/\x00"}, "address"),
        ({"address": "x" * 2049}, "address"),
        ({"channel": "email", "address": "nobody"}, "address"),
        ({"label": "x" * 101}, "label"),
        ({"label": 1}, "label"),
        ({"is_enabled": "yes"}, "is_enabled"),
        ({"is_enabled": 1}, "is_enabled"),
        ({"is_enabled": None}, "is_enabled"),
        ({"user_id": "x"}, "user_id"),
        ({"batch": 0}, "batch"),
        ({"batch": 1001}, "batch"),
        ({"batch": "5"}, "batch"),
        ({"batch": True}, "batch"),
        ({"channel": "email", "address": "ana@example.com", "batch": 2}, "batch"),
        ({"linger_ms": -1}, "linger_ms"),
        ({"linger_ms": 10_001}, "linger_ms"),
        ({"batch_format": "xml"}, "batch_format"),
        ({"channel": "email", "address": "ana@example.com", "linger_ms": 5}, "linger_ms"),
        ({"channel": "email", "address": "ana@example.com", "batch_format": "ndjson"}, "batch_format"),
    ],
)
def test_a_bad_value_is_refused_with_a_message_for_its_field(
    as_user: LogIn, owner: User, change: dict[str, Any], field: str
) -> None:
    refused = as_user(owner).post(PATH, {**WEBHOOK, **change})
    assert refused.status_code == 400
    assert list(refused.json()) == [field]
    assert not ContactPoint.objects.exists()


BATCHES = {"batch": 50, "linger_ms": 20, "batch_format": "ndjson"}


def test_how_it_is_told_in_batches_is_set_and_changed(as_user: LogIn, owner: User) -> None:
    client = as_user(owner)
    plain = client.post(PATH, WEBHOOK).json()
    assert {key: plain[key] for key in BATCHES} == {
        "batch": 1,
        "linger_ms": 0,
        "batch_format": "cloudevents",
    }
    changed = client.patch(f"{PATH}{plain['id']}/", BATCHES)
    assert changed.status_code == 200
    assert {key: changed.json()[key] for key in BATCHES} == BATCHES
    assert client.post(PATH, {**WEBHOOK, **BATCHES}).json() == changed.json()
    assert client.post(PATH, {**WEBHOOK, **BATCHES, "batch": 51}).status_code == 409


def test_only_webhooks_are_told_in_batches(as_user: LogIn, owner: User) -> None:
    inbox = ContactPointFactory(user=owner, channel="inbox", address="")
    refused = as_user(owner).patch(path_of(inbox), {"batch": 2})
    assert refused.status_code == 400
    assert refused.json() == {"batch": ["inbox can't take batches: leave it at 1."]}
    # What they have of their own is taken.
    assert as_user(owner).patch(path_of(inbox), {"linger_ms": 0, "label": "Mine"}).status_code == 200
    with pytest.raises(IntegrityError, match="contact_point_batch"), transaction.atomic():
        ContactPoint.objects.filter(pk=inbox.pk).update(batch=2)


def test_one_lists_ones_own(as_user: LogIn, owner: User, teammate: User) -> None:
    mine, removed = (
        ContactPointFactory(user=owner),
        ContactPointFactory(user=owner, deleted_at="2026-01-01T00:00Z"),
    )
    ContactPointFactory(user=teammate)
    listed = as_user(owner).get(PATH).json()["results"]
    assert [each["id"] for each in listed] == [str(mine.pk)]
    assert as_user(owner).get(path_of(removed)).status_code == 404


def test_staff_list_anybodys(as_user: LogIn, operator: User, owner: User, teammate: User) -> None:
    mine = ContactPointFactory(user=owner)
    ContactPointFactory(user=teammate)
    client = as_user(operator)
    assert len(client.get(PATH).json()["results"]) == 2
    assert [each["id"] for each in client.get(f"{PATH}?user={owner.pk}").json()["results"]] == [str(mine.pk)]


def test_listing_takes_the_same_number_of_queries_for_any_number(
    as_user: LogIn, operator: User, django_assert_num_queries: Any
) -> None:
    for _ in range(10):
        ContactPointFactory()
    client = as_user(operator)
    with django_assert_num_queries(3):  # the session, its user, and the page
        assert len(client.get(PATH).json()["results"]) == 10


def test_it_is_changed(as_user: LogIn, owner: User) -> None:
    mine = ContactPointFactory(user=owner)
    response = as_user(owner).patch(
        path_of(mine), {"address": "https://other.example.com/x", "is_enabled": False, "label": "Night"}
    )
    assert response.status_code == 200
    mine.refresh_from_db()
    assert (mine.address, mine.is_enabled, mine.label) == ("https://other.example.com/x", False, "Night")
    assert mine.lane == "https://other.example.com:443"


def test_a_change_leaves_alone_what_changed_since_it_was_read(owner: User) -> None:
    mine = ContactPointFactory(user=owner, confirmed_at=None)
    read_before = ContactPoint.objects.get(pk=mine.pk)
    now = timezone.now()
    ContactPoint.objects.update(confirmed_at=now, is_enabled=False, gone_at=now)
    contact_point_update(contact_point=read_before, label="Night")
    mine.refresh_from_db()
    assert (mine.label, mine.confirmed_at, mine.is_enabled, mine.gone_at) == ("Night", now, False, now)


def test_what_was_removed_since_it_was_read_is_not_changed(owner: User) -> None:
    mine = ContactPointFactory(user=owner)
    read_before = ContactPoint.objects.get(pk=mine.pk)
    contact_point_remove(contact_point=mine)
    with pytest.raises(Conflict, match="removed"):
        contact_point_update(contact_point=read_before, label="Night")
    mine.refresh_from_db()
    assert (mine.label, mine.deleted_at is None) == ("", False)


def test_changing_to_an_address_that_is_here_already_answers_409(as_user: LogIn, owner: User) -> None:
    mine, other = ContactPointFactory(user=owner), ContactPointFactory(user=owner)
    assert as_user(owner).patch(path_of(mine), {"address": other.address}).status_code == 409


def test_changing_to_a_bad_address_is_refused(as_user: LogIn, owner: User) -> None:
    mine = ContactPointFactory(user=owner)
    refused = as_user(owner).patch(path_of(mine), {"address": "ftp://hooks.example.com"})
    assert (refused.status_code, list(refused.json())) == (400, ["address"])


def test_removing_keeps_history_and_stops_what_was_still_to_be_sent(
    as_user: LogIn, owner: User, make_delivery: Callable[..., Delivery]
) -> None:
    mine = ContactPointFactory(user=owner)
    waiting, sent = (
        make_delivery(owner, contact_point=mine),
        make_delivery(owner, contact_point=mine, status="sent"),
    )
    assert as_user(owner).delete(path_of(mine)).status_code == 204
    assert as_user(owner).get(path_of(mine)).status_code == 404
    mine.refresh_from_db()
    waiting.refresh_from_db()
    sent.refresh_from_db()
    assert mine.deleted_at
    assert (waiting.status, waiting.reason, sent.status) == ("cancelled", "contact_point_removed", "sent")


def test_a_removed_address_can_be_added_again(as_user: LogIn, owner: User) -> None:
    client = as_user(owner)
    first = client.post(PATH, WEBHOOK).json()
    client.delete(f"{PATH}{first['id']}/")
    again = client.post(PATH, WEBHOOK)
    assert again.status_code == 201
    assert again.json()["id"] != first["id"]


def test_a_test_send_becomes_a_delivery(as_user: LogIn, owner: User) -> None:
    mine = ContactPointFactory(user=owner)
    response = as_user(owner).post(path_of(mine, "test/"))
    assert response.status_code == 202
    delivery = Delivery.objects.get(pk=response.json()["id"])
    assert (delivery.contact_point, delivery.status, delivery.notification.kind) == (mine, "pending", "test")
    assert as_user(owner).post(path_of(mine, "test")).json()["id"] != str(delivery.pk)


@pytest.mark.slow
def test_test_sends_are_throttled(as_user: LogIn, owner: User) -> None:
    cache.clear()
    mine, client = ContactPointFactory(user=owner), as_user(owner)
    answers = [client.post(path_of(mine, "test/")) for _ in range(11)]
    assert [answer.status_code for answer in answers] == [202] * 10 + [429]
    assert int(answers[-1]["Retry-After"]) > 0


def test_the_secret_is_shown_to_its_owner_alone(
    as_user: LogIn, owner: User, teammate: User, operator: User
) -> None:
    mine = ContactPointFactory(user=owner)
    shown = as_user(owner).get(path_of(mine, "secret/"))
    assert shown.json()["secret"] == signing.secret_for(mine.pk, 1)
    assert shown["Cache-Control"] == "no-store"
    assert as_user(operator).get(path_of(mine, "secret/")).status_code == 403
    assert as_user(teammate).get(path_of(mine, "secret/")).status_code == 404
    assert as_user(operator).post(path_of(mine, "rotate-secret/")).status_code == 403


def test_rotating_makes_a_new_secret(as_user: LogIn, owner: User) -> None:
    mine = ContactPointFactory(user=owner)
    rotated = as_user(owner).post(path_of(mine, "rotate-secret/")).json()
    assert rotated["secret"] == signing.secret_for(mine.pk, 2)
    assert rotated["rotated_at"]
    assert as_user(owner).get(path_of(mine, "secret")).json() == rotated


def test_only_webhooks_have_a_secret(as_user: LogIn, owner: User) -> None:
    mine = ContactPointFactory(user=owner, channel="inbox", address="")
    assert as_user(owner).get(path_of(mine, "secret/")).status_code == 404
    assert as_user(owner).post(path_of(mine, "rotate-secret/")).status_code == 404


def test_to_a_stranger_it_does_not_exist(as_user: LogIn, owner: User, stranger: User) -> None:
    mine, client = ContactPointFactory(user=owner), as_user(stranger)
    answers = [
        client.get(path_of(mine)),
        client.patch(path_of(mine), {"label": "mine now"}),
        client.delete(path_of(mine)),
        client.post(path_of(mine, "test/")),
        client.get(path_of(mine, "secret/")),
        client.post(path_of(mine, "rotate-secret/")),
        client.get(f"{PATH}{uuid.uuid4()}/"),
    ]
    assert [answer.status_code for answer in answers] == [404] * 7
    assert client.get(f"{PATH}?user={owner.pk}").json()["results"] == []


def test_only_staff_add_for_others(as_user: LogIn, owner: User, stranger: User, operator: User) -> None:
    body = {**WEBHOOK, "user_id": str(owner.pk)}
    assert as_user(stranger).post(PATH, body).status_code == 403
    assert not ContactPoint.objects.exists()
    assert as_user(operator).post(PATH, body).json()["user_id"] == str(owner.pk)
    refused = as_user(operator).post(PATH, {**WEBHOOK, "user_id": str(uuid.uuid4())})
    assert (refused.status_code, list(refused.json())) == (400, ["user_id"])


def test_machines_have_none(as_machine: Callable[..., APIClient]) -> None:
    assert as_machine("preferences:write", "deliveries:write").get(PATH).status_code == 403


def test_removing_leaves_what_has_failed_as_it_is_and_it_is_never_replayed(
    as_user: LogIn, owner: User, make_delivery: Callable[..., Delivery]
) -> None:
    contact_point = ContactPointFactory(user=owner)
    failed = make_delivery(owner, contact_point=contact_point, status="failed", reason="exhausted")
    before = Delivery.objects.filter(pk=failed.pk).values()[0]
    assert as_user(owner).delete(path_of(contact_point)).status_code == 204
    assert Delivery.objects.filter(pk=failed.pk).values()[0] == before
    assert replay(Delivery.objects.all()) == 0
