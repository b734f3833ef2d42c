"""What strangers try first, and what comes of it: nothing."""

import json
import os
import re
import stat
from collections.abc import Callable
from contextlib import suppress
from itertools import cycle
from pathlib import Path
from typing import Any

import pytest
from django.conf import settings as product
from django.contrib.auth.hashers import UNUSABLE_PASSWORD_PREFIX
from django.core.exceptions import ValidationError
from django.core.management import call_command
from django.test import Client
from rest_framework.test import APIClient

from accounts.models import ApiKey, User
from config import secret
from notifications.channels import registry
from notifications.events.outbox import event_publish
from notifications.events.running import run_handle
from notifications.models import ContactPoint, HandlerRun, Notification
from tests.furnished import Furnished, furnish
from tests.hostile import BY_KIND
from tests.strings.asking import encoded, operations, path_of, quiet, routes
from tests.strings.test_typing import examples, of_what_is_there

FIXTURES = product.BASE_DIR / "fixtures"
#: What nobody may give themselves, or take from somebody else, by sending it along.
POWERS: dict[str, Any] = {
    "is_staff": True, "is_superuser": True, "is_active": True, "user_permissions": [1], "groups": [1],
    "password": "x",
    "email_verified_at": "2026-01-01T00:00:00Z", "phone_verified_at": "2026-01-01T00:00:00Z", "uuid": "x",
    "pk": 1, "id": 1,
    "scopes": ["deliveries:read"], "confirmed_at": "2026-01-01T00:00:00Z",
    "created_at": "2000-01-01T00:00:00Z",
    "status": "sent", "secret_version": 99, "lane": "mine", "state": "acknowledged", "published_by": 1,
    "manual_score": 99,
}  # fmt: skip
#: Of these it is what they are about.
OWN = {"status", "state", "password", "id"}


def powers_of(user: User) -> dict[str, Any]:
    user.refresh_from_db()
    names = (
        "is_staff",
        "is_superuser",
        "role",
        "email_verified_at",
        "phone_verified_at",
        "pk",
        "password",
        "created_at",
    )
    return {name: getattr(user, name) for name in names}


@pytest.mark.parametrize("method", ["post", "put", "patch"])
def test_nobody_gives_themselves_powers_by_sending_them_along(
    owner: User, furnished: Furnished, as_user: Callable[[User], APIClient], method: str
) -> None:
    client, before = quiet(as_user(owner)), powers_of(owner)
    for path, operation in operations(method):
        if "/auth/" in path:
            continue
        for example in examples(operation):
            if not isinstance(example, dict):
                continue
            body = {**POWERS, **of_what_is_there(example, path, furnished)}
            answer = client.generic(
                method.upper(), path_of(path, furnished), json.dumps(body), content_type="application/json"
            )
            assert answer.status_code < 500, (path, answer.content)
            assert powers_of(owner) == before, path
    assert ContactPoint.objects.filter(secret_version=99).count() == 0
    assert ContactPoint.objects.filter(lane="mine").count() == 0
    assert ApiKey.objects.filter(scopes__contains=["deliveries:read"]).count() == 0


@pytest.mark.parametrize("path", ["/api/v1/auth/register/", "/auth/api/v1/register/", "/register/"])
def test_nobody_registers_with_powers(db: None, path: str) -> None:
    person = {
        **{name: value for name, value in POWERS.items() if name not in OWN},
        "email": "eve@example.com", "password": "correct horse battery", "first_name": "Eve",
        "last_name": "X", "role": "student",
    }  # fmt: skip
    client = APIClient()
    if path == "/register/":
        client.post(path, encoded_form(person), content_type="application/x-www-form-urlencoded")
    else:
        client.post(path, person)
    user = User.objects.filter(email="eve@example.com").first()
    assert user is None or not (user.is_staff or user.is_superuser or user.email_verified_at)
    assert user is None or not user.user_permissions.exists()


def encoded_form(fields: dict[str, Any]) -> str:
    return "&".join(f"{encoded(name)}={encoded(str(value))}" for name, value in fields.items())


def test_templates_in_what_others_wrote_are_text(owner: User, shop: object) -> None:
    furnish(owner, shop)  # type: ignore[arg-type]
    student = owner.student
    for given in BY_KIND["template"]:
        if "⟦" in given.text or "⟧" in given.text:
            continue  # marks of ours, which are taken out of what others wrote
        event = event_publish(
            routing_key="stage.accepted", payload={"student_id": str(student.pk), "title": given.text}
        )
        run = HandlerRun.objects.get(event=event, handler="notifications.people_tell")
        assert run_handle(run.pk)
        told = Notification.objects.get(source_id=str(event.pk))
        assert given.text.strip() in told.title + told.body, (given.id, told.title, told.body)
        assert product.SECRET_KEY not in told.title + told.body


def test_what_keeps_secrets_is_read_by_nobody_else(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TOCSIN_HOME", str(tmp_path))
    old = os.umask(0)
    try:
        assert secret.generated("a-secret") == secret.generated("a-secret")
    finally:
        os.umask(old)
    (made,) = tmp_path.rglob("a-secret")
    assert stat.S_IMODE(made.stat().st_mode) == 0o600


def test_no_fixture_has_a_password_or_a_key_that_works(db: None) -> None:
    call_command("loaddata", "initial_data", verbosity=0)
    assert User.objects.exists()
    assert not User.objects.exclude(password__startswith=UNUSABLE_PASSWORD_PREFIX).exists()
    assert not User.objects.filter(is_superuser=True).exists()
    assert not ApiKey.objects.exists()
    for file in FIXTURES.rglob("*.json"):
        assert not re.search(r"tsn_\w{20}|BEGIN [A-Z ]*PRIVATE KEY|AKIA\w{16}", file.read_text()), file


@pytest.mark.parametrize("root", ["/static/", "/static/web/", "/static/admin/"])
def test_static_files_are_left_by_no_path(db: None, root: str) -> None:
    for given in BY_KIND["path"]:
        for path in (given.text, encoded(given.text)):
            answer = quiet(Client()).get(f"{root}{path}".replace("\n", "%0A"))
            assert answer.status_code in (301, 302, 400, 404), (path, answer.status_code)
            content = b"" if answer.streaming else answer.content
            assert b"root:" not in content
            assert b"SECRET_KEY" not in content


def test_methods_of_other_protocols_are_not_answered(owner: User, furnished: Furnished) -> None:
    client = quiet(Client())
    client.force_login(owner)
    for route, method in zip(
        routes(), cycle(["TRACE", "TRACK", "CONNECT", "DEBUG", "PROPFIND"]), strict=False
    ):
        answer = client.generic(method, route.filled(furnished), headers={"x-mine": "said back"})
        assert answer.status_code in (301, 302, 400, 403, 404, 405), (method, route.path)
        assert b"said back" not in answer.content


def test_every_page_says_what_browsers_may_do_with_it(owner: User, furnished: Furnished) -> None:
    client = quiet(Client())
    client.force_login(owner)
    pages = 0
    for route in routes():
        answer = client.get(route.filled(furnished), headers={"accept": "text/html"})
        assert answer["X-Content-Type-Options"] == "nosniff", route.path
        if answer.status_code != 200 or not answer["Content-Type"].startswith("text/html"):
            continue
        if route.path.startswith("/api/docs"):
            continue  # made by a library, with scripts of its own; it shows nothing that anybody wrote
        pages += 1
        assert "default-src 'none'" in answer["Content-Security-Policy"], route.path
        assert answer["X-Frame-Options"] == "DENY", route.path
        assert "no-store" in answer["Cache-Control"], route.path
    assert pages > 10


@pytest.mark.parametrize("channel", sorted(registry.CHANNELS))
def test_no_address_holds_what_could_end_a_header(channel: str) -> None:
    good = {
        "email": "ana@example.com",
        "webhook": "https://a.example/",
        "phone": "+33612345678",
        "sms": "+33612345678",
    }
    for given in BY_KIND["header"]:
        for address in (
            given.text,
            f"{good.get(channel, 'abc')}{given.text}",
            f"{given.text}{good.get(channel, 'abc')}",
        ):
            with suppress(ValidationError):
                taken = registry.CHANNELS[channel].normalised_address(address)
                assert not re.search("[\x00-\x1f\x7f\x85\u2028\u2029]", taken), (given.id, taken)


@pytest.mark.parametrize(
    "path", ["/api/v1/auth/register/", "/register/", "/api/v1/contact-points/", "/api/v1/users/me/"]
)
@pytest.mark.parametrize("sign", ["\x01", "\x0b", "\x0c", "\x1b[2J", "\x7f"])
def test_no_email_address_steers_a_terminal(
    owner: User, as_user: Callable[[User], APIClient], path: str, sign: str
) -> None:
    email = f'"{sign}"@example.com'
    person = {
        "email": email,
        "password": "correct horse battery",
        "first_name": "Eve",
        "last_name": "X",
        "role": "student",
    }
    if path == "/register/":
        answer = Client().post(path, encoded_form(person), content_type="application/x-www-form-urlencoded")
    elif "register" in path:
        answer = APIClient().post(path, person)
    elif "me" in path:
        answer = as_user(owner).patch(path, {"email": email, "current_password": "correct horse battery"})
    else:
        answer = as_user(owner).post(path, {"channel": "email", "address": email})
    assert answer.status_code in (400, 422), answer.content
    assert not User.objects.filter(email=email).exists()
    assert not ContactPoint.objects.filter(address=email).exists()
