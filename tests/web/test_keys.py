"""Keys by page: made with no more rights than one has, shown once, and revoked."""

import re
from collections.abc import Callable
from uuid import uuid4

import pytest
from django.contrib.auth.models import Permission
from django.test import Client
from rest_framework.test import APIClient

from accounts.models import ApiKey, Scope, Shop, User
from accounts.services.api_keys import api_key_create
from config import clock
from notifications.models import Alert
from notifications.web.views.keys import SAID

Browse = Callable[..., Client]
NEW = {"name": "Cameras", "scopes": ["alerts:write"]}


@pytest.fixture
def superuser(operator: User) -> User:
    operator.is_superuser = True
    operator.save()
    return operator


@pytest.fixture
def clerk(operator: User) -> User:
    """Staff who may add and revoke keys, and post alerts."""
    operator.is_superuser = False
    operator.save()
    names = ("add_apikey", "change_apikey", "add_alert")
    operator.user_permissions.set(Permission.objects.filter(codename__in=names))
    return operator


def key_in(page: str) -> str:
    found = re.search(r'id="the-key">(tsn_[\w-]+)<', page)
    assert found
    return found[1]


def test_a_key_is_shown_once_and_works_as_its_line_says(browse: Browse, superuser: User, shop: Shop) -> None:
    browser = browse(superuser)
    page = browser.post("/keys/", NEW).content.decode()
    key, made = key_in(page), ApiKey.objects.get()
    assert (made.name, made.scopes, made.digest) == ("Cameras", ["alerts:write"], ApiKey.digest_of(key))
    assert f"Authorization: Bearer {key}" in page
    assert "Waiting for it" in page
    uuid = re.search(r"/arrival/([0-9a-f-]{36})/", page)
    assert uuid
    for shown in (browser.get("/keys/"), browser.get(f"/keys/{made.pk}/")):
        assert key not in shown.content.decode()
        assert made.hint in shown.content.decode()

    body = {
        "url": "https://cameras.example.com/1.mp4", "location": shop.slug, "alert_uuid": uuid[1],
        "label": "theft", "time_spotted": int(clock.timestamp()),
    }  # fmt: skip
    machine = APIClient(headers={"Authorization": f"Bearer {key}"})
    assert machine.post("/api/v1/alerts/", body, format="json").status_code == 201
    came = browser.get(f"/keys/{made.pk}/arrival/{uuid[1]}/").content.decode()
    assert "It has arrived." in came
    assert f"?q={uuid[1]}" in came
    assert "hx-trigger" not in came


def test_a_key_that_was_used_for_something_else_says_so(browse: Browse, superuser: User) -> None:
    made, _ = api_key_create(name="Cameras", scopes=["alerts:write"])
    ApiKey.objects.update(last_used_at=clock.now())
    page = browse(superuser).get(f"/keys/{made.pk}/arrival/{uuid4()}/").content.decode()
    assert "this alert hasn’t come" in page.replace("&#x27;", "’").replace("'", "’")


def test_nobody_gives_a_key_more_than_they_have(browse: Browse, clerk: User) -> None:
    browser = browse(clerk)
    page = browser.get("/keys/").content.decode()
    assert "alerts:write" in page
    assert "escalations:write" not in page
    refused = browser.post("/keys/", NEW | {"scopes": ["alerts:write", "escalations:write"]})
    assert refused.status_code == 422
    assert not ApiKey.objects.exists()
    assert browser.post("/keys/", NEW).status_code == 200


def test_a_revoked_key_is_refused_and_stays_in_the_list(browse: Browse, superuser: User) -> None:
    made, key = api_key_create(name="Cameras", scopes=["alerts:read"])
    machine = APIClient(headers={"Authorization": f"Bearer {key}"})
    assert machine.get("/api/v1/alerts/").status_code == 200
    page = browse(superuser).post(f"/keys/{made.pk}/revoke/", follow=True).content.decode()
    assert "Revoked. Whatever uses it is refused from now on." in page
    assert '<span class="esc-state">Revoked</span>' in page
    assert machine.get("/api/v1/alerts/").status_code == 401


def test_others_make_and_revoke_none(browse: Browse, operator: User, owner: User, clerk: User) -> None:
    above, _ = api_key_create(name="Escalations", scopes=["escalations:write"])
    assert browse(clerk).post(f"/keys/{above.pk}/revoke/").status_code == 403
    clerk.user_permissions.clear()
    staff = browse(User.objects.get(pk=clerk.pk))
    assert "Make the key" not in staff.get("/keys/").content.decode()
    assert staff.post("/keys/", NEW).status_code in (403, 422)
    assert staff.post(f"/keys/{above.pk}/revoke/").status_code == 403
    assert browse(owner).get("/keys/").status_code == 403
    assert browse(owner).get(f"/keys/{above.pk}/").status_code == 403
    assert ApiKey.objects.get().revoked_at is None
    assert not Alert.objects.exists()


def test_each_scope_is_said_in_words() -> None:
    assert set(SAID) == set(Scope)
