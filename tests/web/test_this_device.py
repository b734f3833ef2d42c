"""A browser adds itself to the places where somebody is told, by a button and a service worker."""

import pytest
from django.test import Client
from pytest_django.fixtures import Settings

from accounts.models import User
from notifications.channels.transport import web_push

pytestmark = pytest.mark.django_db


def test_the_button_is_there_once_the_server_has_a_key(owner: User, settings: Settings) -> None:
    client = Client()
    client.force_login(owner)
    assert b"this-device" not in client.get("/preferences/", headers={"Accept": "text/html"}).content
    settings.WEB_PUSH_KEY = web_push.new_key()
    content = client.get("/preferences/", headers={"Accept": "text/html"}).content.decode()
    public = web_push.encoded(web_push.point_of(web_push.key_of(settings.WEB_PUSH_KEY)))
    assert f'data-key="{public}"' in content
    assert settings.WEB_PUSH_KEY not in content


def test_the_service_worker_is_served_from_the_root_to_anybody(client: Client) -> None:
    answer = client.get("/sw.js")
    assert answer.status_code == 200
    assert answer["Content-Type"] == "text/javascript; charset=utf-8"
    assert "no-cache" in answer["Cache-Control"]
    assert b"showNotification" in answer.content
