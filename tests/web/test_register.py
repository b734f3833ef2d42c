"""Making an account in the browser."""

from collections.abc import Callable
from typing import Any

import pytest
from django.test import Client

from accounts.models import User

ANA = {
    "first_name": "Ana",
    "last_name": "Lima",
    "role": "student",
    "email": "ana@example.com",
    "password": "correct horse battery",
}


def test_whoever_registers_is_in_and_finds_their_inbox(db: None, browse: Callable[..., Client]) -> None:
    client = browse()
    response = client.post("/register/", ANA)
    assert (response.status_code, response["Location"]) == (302, "/inbox/")
    assert client.get("/inbox/").context["user"] == User.objects.get(email="ana@example.com", role="student")


@pytest.mark.parametrize(
    ("accepted", "language"), [("fr-CA,fr;q=0.9,en;q=0.8", "fr"), ("de", "en"), ("tlh,en-GB", "en")]
)
def test_messages_come_in_the_language_of_the_browser(
    db: None, browse: Callable[..., Client], accepted: str, language: str
) -> None:
    browse().post("/register/", ANA, headers={"accept-language": accepted})
    assert User.objects.get().language == language


@pytest.mark.parametrize(
    ("said", "time_zone"), [("Europe/Paris", "Europe/Paris"), ("Mars/Olympus", "UTC"), ("", "UTC")]
)
def test_the_time_zone_is_the_browsers(
    db: None, browse: Callable[..., Client], said: str, time_zone: str
) -> None:
    assert browse().post("/register/", ANA | {"time_zone": said}).status_code == 302
    assert User.objects.get().time_zone == time_zone


@pytest.mark.parametrize("more", [{"role": "admin"}, {"is_staff": "true"}, {"is_superuser": "on"}])
def test_nobody_makes_themselves_an_administrator(
    db: None, browse: Callable[..., Client], more: dict[str, str]
) -> None:
    response = browse().post("/register/", ANA | more)
    assert response.status_code == (422 if "role" in more else 302)
    assert not User.objects.filter(is_staff=True).exists()
    assert not User.objects.filter(is_superuser=True).exists()
    assert not User.objects.filter(role="admin").exists()


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        ({"email": "no address"}, "valid email"),
        ({"email": ""}, "required"),
        ({"password": "short"}, "too short"),
        ({"password": "ana@example.com"}, "too similar"),
        ({"first_name": "x" * 151}, "150"),
        ({"role": "king"}, "valid choice"),
        ({"first_name": "a\x00b"}, "Null characters"),
    ],
)
def test_what_is_wrong_is_said_at_its_field(
    db: None, browse: Callable[..., Client], wrong: dict[str, str], said: str
) -> None:
    client = browse()
    response = client.post("/register/", ANA | wrong)
    assert response.status_code == 422
    (name,) = wrong
    errors = response.context["form"].errors
    assert list(errors) == [name]
    assert said in errors[name][0]
    assert f'aria-describedby="id_{name}' in response.content.decode()
    assert not User.objects.exists()
    assert client.get("/inbox/").status_code == 302


def test_an_address_that_is_taken_is_refused(browse: Callable[..., Client], owner: User) -> None:
    client = browse()
    response = client.post("/register/", ANA | {"email": owner.email})
    assert response.status_code == 409
    assert client.get("/inbox/").status_code == 302
    owner.refresh_from_db()
    assert owner.last_name == ""


def test_registrations_are_limited(db: None, browse: Callable[..., Client], settings: Any) -> None:
    settings.RATES = settings.RATES | {"register": "1/hour"}
    assert browse().post("/register/", ANA).status_code == 302
    response = browse().post("/register/", ANA | {"email": "bo@example.com"})
    assert response.status_code == 429
    assert User.objects.count() == 1
