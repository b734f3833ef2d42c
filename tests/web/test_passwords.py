"""Getting back in by a mailed link."""

import re
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from django.test import Client
from django.utils import timezone

from accounts.models import User, Verification
from accounts.verification import token_of
from notifications.web.forms.accounts import RULES

NEW = "staple full of hay"


@pytest.fixture(autouse=True)
def _at_once(settings: Any) -> None:
    settings.RESET_ANSWER_S = 0


def link_for(user: User, **fields: object) -> str:
    now = timezone.now()
    verification = Verification.objects.create(
        **{
            "user": user,
            "purpose": Verification.Purpose.PASSWORD,
            "address": user.email,
            "expires_at": now + timedelta(hours=1),
            **fields,
        }
    )
    return token_of(verification.pk)


def test_the_answer_is_the_same_for_an_address_that_nobody_has(
    browse: Callable[..., Client], owner: User
) -> None:
    answers = [
        browse().post("/forgotten-password/", {"email": email}) for email in (owner.email, "no@example.com")
    ]
    assert [answer.status_code for answer in answers] == [200, 200]
    # But for the token of the form at the foot, which is masked anew each time.
    said = [re.sub(r'csrfmiddlewaretoken" value="\w+"', "", each.content.decode()) for each in answers]
    assert said[0] == said[1]
    assert [each.user for each in Verification.objects.all()] == [owner]


def test_a_link_sets_a_new_password_once(browse: Callable[..., Client], owner: User) -> None:
    token = link_for(owner)
    client = browse()
    page = client.get("/reset-password/", {"token": token})
    assert f'value="{token}"' in page.content.decode()
    # Mail programs open links to look at them.
    assert client.get("/reset-password/", {"token": token}).status_code == 200
    response = client.post("/reset-password/", {"token": token, "new_password": NEW})
    assert response["Location"] == "/login/"
    assert "Your new password is set." in client.get("/login/").content.decode()
    owner.refresh_from_db()
    assert owner.check_password(NEW)
    again = client.post("/reset-password/", {"token": token, "new_password": "yet another one"})
    assert again.status_code == 422
    assert "was used or has expired" in again.content.decode()
    owner.refresh_from_db()
    assert owner.check_password(NEW)


@pytest.mark.parametrize(
    "fields", [{"expires_at": timezone.now() - timedelta(days=1)}, {"purpose": Verification.Purpose.EMAIL}]
)
def test_a_link_that_is_none_sets_nothing(
    browse: Callable[..., Client], owner: User, fields: dict[str, object]
) -> None:
    response = browse().post("/reset-password/", {"token": link_for(owner, **fields), "new_password": NEW})
    assert response.status_code == 422
    owner.refresh_from_db()
    assert not owner.check_password(NEW)


def test_a_made_up_link_sets_nothing(browse: Callable[..., Client], owner: User) -> None:
    assert browse().post("/reset-password/", {"token": "x", "new_password": NEW}).status_code == 422
    assert browse().get("/reset-password/")["Location"] == "/forgotten-password/"


def test_a_bad_new_password_leaves_the_link_good(browse: Callable[..., Client], owner: User) -> None:
    token = link_for(owner)
    response = browse().post("/reset-password/", {"token": token, "new_password": "12345678"})
    assert response.status_code == 422
    assert "new_password" in response.context["form"].errors
    assert browse().post("/reset-password/", {"token": token, "new_password": NEW}).status_code == 302


@pytest.mark.parametrize("scope", ["reset", "reset-account"])
def test_asking_for_links_is_limited(
    browse: Callable[..., Client], owner: User, settings: Any, scope: str
) -> None:
    settings.RATES = settings.RATES | {scope: "1/hour"}
    answers = [browse().post("/forgotten-password/", {"email": owner.email}) for _ in range(2)]
    assert [answer.status_code for answer in answers] == [200, 429]
    assert Verification.objects.count() == 1


def test_the_form_says_what_the_validators_want(settings: Any) -> None:
    """In words of its own: who changes the validators changes these too."""
    names = [each["NAME"].rpartition(".")[2] for each in settings.AUTH_PASSWORD_VALIDATORS]
    assert names == [
        "UserAttributeSimilarityValidator",
        "MinimumLengthValidator",
        "CommonPasswordValidator",
        "NumericPasswordValidator",
    ]
    for part in ("At least 8 characters", "only digits", "common password", "your name or email address"):
        assert part in RULES


def test_where_no_mail_is_sent_the_page_says_whom_to_ask(
    browse: Callable[..., Client], owner: User, settings: Any
) -> None:
    settings.SMTP_HOST = ""
    page = browse().get("/forgotten-password/").content.decode()
    assert "Ask the people who run it" in page
    assert "<button" not in page.partition("<main")[2].partition("</main>")[0]
    assert browse().post("/forgotten-password/", {"email": owner.email}).status_code == 409
