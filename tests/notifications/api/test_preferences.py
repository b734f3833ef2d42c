"""SPEC 1.3: how much a person wants to be told."""

import uuid
from collections.abc import Callable
from typing import Any

import pytest
from rest_framework.test import APIClient

from accounts.models import User
from notifications.models import Preference
from tests.factories import PreferenceFactory

LogIn = Callable[[User], APIClient]
PATHS = ["/preferences", "/preferences/", "/api/v1/preferences", "/api/v1/preferences/"]
NEVER_CHOSE = {"level": "STANDARD", "quiet_from": None, "quiet_until": None, "digest": False}


@pytest.mark.slow
@pytest.mark.parametrize("path", PATHS)
@pytest.mark.parametrize("level", ["CRITICAL", "critical", "Critical"])
def test_a_level_is_set_in_any_case_at_each_path(as_user: LogIn, owner: User, path: str, level: str) -> None:
    response = as_user(owner).put(path, {"user_id": str(owner.pk), "level": level})
    assert response.status_code == 200
    assert response.json() == {**NEVER_CHOSE, "user_id": str(owner.pk), "level": "CRITICAL"}
    assert Preference.objects.get(user=owner).level == "CRITICAL"


def test_setting_the_same_again_answers_the_same(as_user: LogIn, owner: User) -> None:
    client, body = as_user(owner), {"user_id": str(owner.pk), "level": "CRITICAL"}
    assert client.put(PATHS[0], body).json() == client.put(PATHS[0], body).json()
    assert Preference.objects.count() == 1


@pytest.mark.slow
@pytest.mark.parametrize("base", PATHS[::2])
@pytest.mark.parametrize("slash", ["", "/"])
def test_a_level_is_changed_and_read_by_id(as_user: LogIn, owner: User, base: str, slash: str) -> None:
    path, client = f"{base}/{owner.pk}{slash}", as_user(owner)
    assert client.get(path).json()["level"] == "STANDARD"
    assert client.patch(path, {"level": "critical"}).json()["level"] == "CRITICAL"
    assert client.get(path).json()["level"] == "CRITICAL"


def test_one_reads_ones_own_without_an_id(as_user: LogIn, owner: User) -> None:
    assert as_user(owner).get(PATHS[0]).json() == {**NEVER_CHOSE, "user_id": str(owner.pk)}


def test_who_never_chose_is_told_of_everything_and_reading_stores_nothing(
    as_user: LogIn, owner: User
) -> None:
    as_user(owner).get(PATHS[0])
    assert not Preference.objects.exists()


@pytest.mark.slow
@pytest.mark.parametrize(
    ("change", "field"),
    [
        ({"level": "LOUD"}, "level"),
        ({"level": None}, "level"),
        ({"level": 1}, "level"),
        ({"level": True}, "level"),
        ({"level": ["CRITICAL"]}, "level"),
        ({"level": ""}, "level"),
        ({"level": "CRITICAL\x00"}, "level"),
        ({"level": "ſtandard"}, "level"),
        ({"user_id": 1}, "user_id"),
        ({"user_id": "x"}, "user_id"),
        ({"user_id": None}, "user_id"),
    ],
)
def test_a_bad_value_is_refused_with_a_message_for_its_field(
    as_user: LogIn, owner: User, change: dict[str, Any], field: str
) -> None:
    refused = as_user(owner).put(PATHS[0], {"user_id": str(owner.pk), "level": "CRITICAL", **change})
    assert refused.status_code == 400
    assert list(refused.json()) == [field]
    assert not Preference.objects.exists()


def test_missing_fields_are_named(as_user: LogIn, owner: User) -> None:
    assert set(as_user(owner).put(PATHS[0], {}).json()) == {"user_id", "level"}
    assert set(as_user(owner).patch(f"{PATHS[0]}/{owner.pk}", {}).json()) == {"level"}


def test_to_a_stranger_nobody_else_exists(as_user: LogIn, owner: User, stranger: User) -> None:
    PreferenceFactory(user=owner, level="STANDARD")
    client = as_user(stranger)
    for someone in (owner.pk, uuid.uuid4()):
        answers = [
            client.get(f"/preferences/{someone}"),
            client.get(f"/preferences?user_id={someone}"),
            client.patch(f"/preferences/{someone}", {"level": "CRITICAL"}),
            client.put("/preferences", {"user_id": str(someone), "level": "CRITICAL"}),
        ]
        assert [answer.status_code for answer in answers] == [404] * 4
        assert len({answer.content for answer in answers}) == 1
    assert Preference.objects.get().level == "STANDARD"


def test_staff_set_anybodys(as_user: LogIn, operator: User, owner: User) -> None:
    client = as_user(operator)
    assert client.put("/preferences", {"user_id": str(owner.pk), "level": "CRITICAL"}).status_code == 200
    assert client.get(f"/preferences?user_id={owner.pk}").json()["level"] == "CRITICAL"
    missing = client.put("/preferences", {"user_id": str(uuid.uuid4()), "level": "CRITICAL"})
    assert missing.status_code == 404


def test_a_machine_needs_its_scope_and_says_whose(as_machine: Callable[..., APIClient], owner: User) -> None:
    body = {"user_id": str(owner.pk), "level": "CRITICAL"}
    assert as_machine("alerts:write").put("/preferences", body).status_code == 403
    client = as_machine("preferences:write")
    assert client.put("/preferences", body).status_code == 200
    assert client.get("/preferences").json() == {"user_id": ["This field is required: say whose."]}
    assert client.get(f"/preferences?user_id={owner.pk}").json()["level"] == "CRITICAL"
    assert client.get("/preferences?user_id=x%00").status_code == 400
