"""Many alerts in one request: each is answered as it would be alone."""

import json
import uuid
from collections.abc import Callable
from typing import Any

import django_rq
import pytest
from django.db.models.signals import post_save
from rest_framework.test import APIClient

from accounts.models import User
from notifications import queue
from notifications.engine import jobs
from notifications.models import Alert
from tests.factories import ShopFactory

SINGLE = "/api/v1/alerts/"
BATCH = "/api/v1/alerts/batch/"
Machine = Callable[..., APIClient]


@pytest.fixture
def camera(as_machine: Machine) -> APIClient:
    return as_machine("alerts:write")


def others(body: dict[str, Any], count: int) -> list[dict[str, Any]]:
    return [{**body, "alert_uuid": str(uuid.uuid4())} for _ in range(count)]


def test_each_alert_is_answered_as_it_would_be_alone(camera: APIClient, alert_body: dict[str, Any]) -> None:
    camera.post(SINGLE, alert_body)
    new, nowhere = others(alert_body, 2)
    bodies: list[Any] = [
        new,
        alert_body,
        {**alert_body, "label": "normal"},
        {**nowhere, "location": "nowhere"},
        {**nowhere, "url": 7, "label": "fire"},
        {},
        "alert",
        None,
        [],
    ]
    results = camera.post(BATCH, bodies).json()["results"]
    assert [each["status"] for each in results] == [201, 200, 409, 400, 400, 400, 400, 400, 400]
    for body, result in zip(bodies[1:7], results[1:7], strict=True):
        alone = camera.post(SINGLE, body)
        assert (alone.status_code, alone.json()) == (
            result["status"],
            result["alert"] if result["status"] == 200 else result["errors"],
        )
    assert camera.post(SINGLE, new).json() == results[0]["alert"]
    assert Alert.objects.count() == 2


def test_an_id_is_taken_once_by_the_first_that_is_acceptable(
    camera: APIClient, alert_body: dict[str, Any]
) -> None:
    bodies = [
        {**alert_body, "location": "nowhere"},
        alert_body,
        alert_body,
        {**alert_body, "location": ShopFactory().slug},
    ]
    results = camera.post(BATCH, bodies).json()["results"]
    assert [each["status"] for each in results] == [400, 201, 200, 409]
    assert results[1]["alert"] == results[2]["alert"]
    assert Alert.objects.count() == 1


def test_shops_are_found_by_slug_first_and_by_name(camera: APIClient, alert_body: dict[str, Any]) -> None:
    by_name, meant = ShopFactory(slug="other", name="cora"), ShopFactory(slug="cora", name="Cora")
    places = ["cora", "Cora", "other"]
    bodies = [{**each, "location": place} for each, place in zip(others(alert_body, 3), places, strict=True)]
    found = [each["alert"]["shop"]["id"] for each in camera.post(BATCH, bodies).json()["results"]]
    assert found == [str(meant.pk), str(meant.pk), str(by_name.pk)]


@pytest.mark.parametrize("body", [{}, [], "alerts", None, 7])
def test_what_is_no_list_of_alerts_is_refused(camera: APIClient, body: object) -> None:
    refused = camera.post(BATCH, body)
    assert refused.status_code == 400
    assert list(refused.json()) == ["non_field_errors"]


def test_more_than_a_thousand_are_refused_and_none_taken(
    camera: APIClient, alert_body: dict[str, Any]
) -> None:
    assert camera.post(BATCH, others(alert_body, 1001)).status_code == 413
    assert not Alert.objects.exists()
    assert camera.post(BATCH, others(alert_body, 1000)).status_code == 200
    assert Alert.objects.count() == 1000


@pytest.mark.django_db(transaction=True)
def test_all_are_announced_each_by_itself_and_share_one_job(
    as_machine: Machine, alert_body: dict[str, Any]
) -> None:
    announced: list[object] = []

    def note(instance: Alert, created: bool, **kwargs: object) -> None:
        announced.append((str(instance.pk), created))
        queue.started(jobs.FAN_OUT)  # as quick as a worker can be

    bodies = others(alert_body, 20)
    post_save.connect(note, sender=Alert)
    try:
        as_machine("alerts:write").post(BATCH, bodies + bodies)
    finally:
        post_save.disconnect(note, sender=Alert)
    assert announced == [(each["alert_uuid"], True) for each in bodies]
    assert django_rq.get_queue(queue.URGENT).count == 1


def test_it_takes_as_many_statements_for_any_number(
    camera: APIClient, alert_body: dict[str, Any], asked: list[str]
) -> None:
    camera.post(BATCH, [alert_body])
    asked.clear()
    camera.post(BATCH, [*others(alert_body, 50), alert_body])
    assert len(asked) == 3, "the key, the alerts, and those that were here"


def test_an_alert_remembers_which_key_it_came_by(camera: APIClient, alert_body: dict[str, Any]) -> None:
    camera.post(BATCH, [alert_body])
    assert Alert.objects.get().received_from.name == "a machine"


def test_posting_many_needs_the_scope_of_posting_one(
    as_machine: Machine,
    as_user: Callable[[User], APIClient],
    anonymous: APIClient,
    owner: User,
    stranger: User,
    operator: User,
    alert_body: dict[str, Any],
) -> None:
    assert anonymous.post(BATCH, [alert_body]).status_code == 401
    for client in (as_machine("alerts:read"), as_user(owner), as_user(stranger)):
        assert client.post(BATCH, [alert_body]).status_code == 403
    assert not Alert.objects.exists()
    assert as_user(operator).post(BATCH, [alert_body]).json()["results"][0]["status"] == 201


EVENTS = "application/cloudevents-batch+json"


def event(body: dict[str, Any], **fields: Any) -> dict[str, Any]:
    return {
        "specversion": "1.0", "id": body["alert_uuid"], "source": "/cameras/7", "type": "tocsin.alert",
        "data": {name: value for name, value in body.items() if name != "alert_uuid"}, **fields,
    }  # fmt: skip


@pytest.mark.parametrize("media_type", [EVENTS, f"{EVENTS}; charset=utf-8"])
def test_alerts_come_as_a_batch_of_cloud_events_too(
    camera: APIClient, alert_body: dict[str, Any], media_type: str
) -> None:
    camera.post(SINGLE, alert_body)
    new, named, odd = others(alert_body, 3)
    events: list[Any] = [
        event(new),
        event(alert_body),
        event(odd, data=named),  # names its own id
        event(odd, specversion="0.3"),
        event(odd, type="com.example.motion"),
        event(odd, data="an alert"),
        event({**odd, "label": "fire"}),
        event({**odd, "alert_uuid": "7"}),
        "alert",
    ]
    answer = camera.post(BATCH, json.dumps(events), content_type=media_type)
    results = answer.json()["results"]
    assert [each["status"] for each in results] == [201, 200, 201, *[400] * 6]
    assert [each["alert"]["alert_uuid"] for each in results[:3]] == [
        new["alert_uuid"], alert_body["alert_uuid"], named["alert_uuid"],
    ]  # fmt: skip
    assert [list(each["errors"]) for each in results[3:8]] == [
        ["specversion"], ["type"], ["data"], ["label"], ["alert_uuid"],
    ]  # fmt: skip
    assert Alert.objects.count() == 3


def test_what_is_no_batch_of_events_is_refused_as_one_of_alerts_is(
    camera: APIClient, alert_body: dict[str, Any]
) -> None:
    for text, code in ((json.dumps(event(alert_body)), 400), ("[", 400), ("[]", 400)):
        assert camera.post(BATCH, text, content_type=EVENTS).status_code == code
    assert camera.post(BATCH, "[]", content_type="application/cloudevents+json").status_code == 415
