"""Pages speak the language that somebody has chosen, or else the one that their browser asks for."""

import re
from collections.abc import Callable
from typing import Any

import pytest
from django.test import Client

from accounts.models import User
from config import clock
from escalation.policies.definition import Definition
from escalation.policies.parsing import steps_of
from escalation.requests import Request
from escalation.services.policies import policy_create
from escalation.services.processes import process_acknowledge
from escalation.services.requests import request_run
from notifications.models import ContactPoint
from tests.factories import ContactPointFactory, InboxItemFactory

Browse = Callable[..., Client]


def speaking(user: User, language: str) -> User:
    User.objects.filter(pk=user.pk).update(language=language)
    return User.objects.get(pk=user.pk)


def texts(response: Any) -> str:
    return " ".join(re.sub(r"<[^>]+>", " ", response.content.decode()).split())


@pytest.mark.parametrize(
    ("asked", "language", "heading"),
    [
        ("fr-CH, fr;q=0.9, en;q=0.8", "fr", "Se connecter"),
        ("ru", "ru", "Войти"),
        ("en-GB", "en", "Log in"),
        ("xx", "en", "Log in"),
        ("", "en", "Log in"),
    ],
)
def test_a_browser_is_answered_in_its_language(db: None, asked: str, language: str, heading: str) -> None:
    page = Client().get("/login/", headers={"accept-language": asked}).content.decode()
    assert f'<html lang="{language}"' in page
    assert f'<h1 class="head">{heading}</h1>' in page


def test_whoever_is_not_logged_in_chooses_at_the_foot_of_the_page(db: None) -> None:
    client = Client(headers={"accept-language": "fr"})
    back = client.post("/language/", {"language": "ru"}, headers={"referer": "http://testserver/register/"})
    assert (back.status_code, back["Location"]) == (302, "/register/")
    assert "Зарегистрироваться" in texts(client.get("/register/"))
    client.post("/language/", {"language": "xx"})
    assert "Войти" in texts(client.get("/login/"))
    elsewhere = client.post(
        "/language/", {"language": "fr"}, headers={"referer": "https://evil.example.com/x"}
    )
    assert elsewhere["Location"] == "/"


def test_what_somebody_has_chosen_counts_for_more_than_what_their_browser_asks_for(
    browse: Browse, owner: User
) -> None:
    client = browse(speaking(owner, "ru"))
    client.defaults["HTTP_ACCEPT_LANGUAGE"] = "fr"
    page = client.get("/preferences/")
    assert '<html lang="ru"' in page.content.decode()
    assert "Тихие часы" in texts(page)
    client.post("/account/details/", {"first_name": "", "last_name": "", "phone": "", "language": "fr"})
    assert "Heures calmes" in texts(client.get("/preferences/"))


@pytest.mark.parametrize(
    ("language", "said"),
    [("fr", "Saisissez une adresse e-mail valide."), ("ru", "Введите правильный адрес электронной почты.")],
)
def test_what_a_form_refuses_is_said_in_it(browse: Browse, owner: User, language: str, said: str) -> None:
    form = {"channel": "email", "address": "nobody", "label": ""}
    refused = browse(speaking(owner, language)).post("/settings/points/", form)
    assert refused.status_code == 422
    assert said in texts(refused)


@pytest.mark.parametrize(
    ("count", "said"),
    [
        (1, "принят 1 сигнал,"),
        (2, "принято 2 сигнала,"),
        (5, "принято 5 сигналов,"),
        (21, "принят 21 сигнал,"),
        (111, "принято 111 сигналов,"),
    ],
)
def test_russian_counts_in_three_forms(
    browse: Browse, operator: User, redis: Any, count: int, said: str
) -> None:
    from notifications import metrics  # noqa: PLC0415

    metrics.flush()
    redis.flushdb()
    metrics.add("accepted", amount=count)
    metrics.flush()
    assert said in texts(browse(speaking(operator, "ru")).get("/console/"))


def test_errors_are_said_in_it_too(browse: Browse, owner: User) -> None:
    client = browse(speaking(owner, "fr"))
    client.defaults["HTTP_ACCEPT"] = "text/html"
    assert "Page introuvable" in texts(client.get("/nowhere/"))
    assert "Vous ne pouvez pas faire cela" in texts(client.get("/console/"))


def test_what_broke_is_said_in_it(db: None, monkeypatch: pytest.MonkeyPatch) -> None:
    def breaks(*args: Any, **kwargs: Any) -> Any:
        raise ZeroDivisionError

    monkeypatch.setattr("notifications.web.views.session.LoginPage.get", breaks)
    client = Client(raise_request_exception=False, headers={"accept-language": "fr", "accept": "text/html"})
    page = client.get("/login/")
    assert page.status_code == 500
    assert "Une erreur s’est produite de notre côté" in texts(page)


def test_what_is_stored_does_not_depend_on_it(browse: Browse, owner: User) -> None:
    point = ContactPointFactory(user=owner, channel="email", address="a@example.com")
    client = browse(speaking(owner, "ru"))
    client.post(f"/settings/points/{point.pk}/switch/", {"enabled": "no"})
    kept = ContactPoint.objects.get(pk=point.pk)
    assert (kept.is_enabled, kept.label, kept.address) == (False, point.label, "a@example.com")


def test_the_api_speaks_english(browse: Browse, owner: User) -> None:
    client = browse(speaking(owner, "fr"))
    answer = client.get("/api/v1/deliveries/?status=nonsense", headers={"accept-language": "fr"})
    assert answer.status_code == 400
    assert "nonsense is not one of the available choices" in answer.content.decode()


def test_items_of_the_inbox_keep_the_language_that_they_were_made_in(browse: Browse, owner: User) -> None:
    item = InboxItemFactory(user=owner, language="fr", notification__texts={"fr": {"": ["Bonjour", ""]}})
    page = browse(speaking(owner, "ru")).get("/inbox/")
    assert '<span lang="fr">Bonjour</span>' in page.content.decode()
    assert "Отметить прочитанным" in texts(page)
    page = browse(speaking(owner, "fr")).get("/inbox/")
    assert "<span >Bonjour</span>" in page.content.decode()
    assert item.notification.title not in texts(page)


@pytest.mark.parametrize(
    ("language", "lines"),
    [
        (
            "fr",
            ["Escalade commencée par la règle Ovens (version 1).", "Prise en charge par Luc par une touche"],
        ),
        (
            "ru",
            ["Эскалация началась по правилу Ovens (версия 1).", "Принято (Luc) клавишей телефона, через 0 с"],
        ),
        (
            "en",
            [
                "Escalation started by the policy Ovens (version 1).",
                "Acknowledged by Luc by a key on the phone",
            ],
        ),
    ],
)
def test_timelines_are_told_in_it(browse: Browse, operator: User, language: str, lines: list[str]) -> None:
    targets = [{"type": "user", "user_id": str(operator.pk), "channels": ["inbox"]}]
    steps = steps_of([{"after_s": 600, "targets": targets}])
    policy_create(name="Ovens", definition=Definition(steps))
    process = request_run(Request("oven", "start", policy="Ovens"), now=clock.now()).process
    assert process is not None
    process_acknowledge(process=process, by="Luc", via="phone", now=clock.now())
    client = browse(speaking(operator, language))
    shown = texts(client.get(f"/escalations/{process.pk}/"))
    file = client.get(f"/escalations/{process.pk}/timeline.md").content.decode()
    for line in lines:
        assert line in shown
        assert line.split(" (")[0].split(".")[0] in file
