"""A form that is refused says so at its top, with the focus there and links to its fields."""

import re
from collections.abc import Callable

import pytest
from django.test import Client
from django.utils import timezone

from accounts.models import User
from tests.factories import ContactPointFactory

Browse = Callable[..., Client]
REFUSED = [
    ("/login/", {"email": "nobody@example.com", "password": "x"}, False),
    ("/login/", {}, False),
    ("/register/", {"email": "no address"}, False),
    ("/forgotten-password/", {"email": "x"}, False),
    ("/reset-password/", {"token": "x", "new_password": ""}, False),
    ("/reset-password/", {"new_password": "staple full of hay"}, False),
    ("/verify-email/?token=x", {}, True),
    ("/account/details/", {"phone": "12", "language": "fr"}, True),
    ("/account/email/", {"email": "x"}, True),
    ("/account/password/", {}, True),
    ("/account/email/confirm/", {"code": ""}, True),
    ("/account/phone/code/", {}, True),
    ("/account/email/code/", {}, True),
    ("/account/leave/", {"password": "not mine"}, True),
    ("/settings/telling/", {"level": "LOUD", "time_zone": "UTC"}, True),
    ("/settings/points/", {"channel": "webhook", "address": "no url"}, True),
    ("/dating/profile/", {"birthday": "2999-01-01", "seeks": "nobody"}, True),
]


@pytest.mark.slow
@pytest.mark.parametrize(("path", "fields", "is_person"), REFUSED)
def test_a_refused_form_takes_the_focus_and_leads_to_its_fields(
    browse: Browse, owner: User, path: str, fields: dict[str, str], is_person: bool
) -> None:
    # The number and the address of the account are to be shown to be theirs.
    User.objects.filter(pk=owner.pk).update(email_verified_at=None, phone="+33546000000")
    if path == "/account/phone/code/":  # there is none
        User.objects.filter(pk=owner.pk).update(phone="")
    if path == "/account/email/code/":  # none is needed any more
        User.objects.filter(pk=owner.pk).update(email_verified_at=timezone.now())
    response = browse(owner if is_person else None).post(path, fields)
    assert response.status_code in (409, 422)
    page = response.content.decode()
    summary = re.search(r'<div class="message error refusal"[^>]*>.*?</div>', page, re.DOTALL)
    assert summary
    assert all(part in summary[0] for part in ('role="alert"', 'tabindex="-1"', "autofocus", "<li>"))
    assert re.search(r"<title>(\(\d+\) )?Error: ", page)
    for target in re.findall(r'href="#([^"]+)"', summary[0]):
        assert f'id="{target}"' in page


@pytest.mark.parametrize("what", ["test", "confirm"])
def test_a_refused_button_says_so_in_its_place(browse: Browse, owner: User, what: str) -> None:
    point = ContactPointFactory(user=owner, confirmed_at=None)
    page = browse(owner).post(f"/settings/points/{point.pk}/{what}/", {"code": "000000"}).content.decode()
    place = page.index(f'id="point-{point.pk}"')
    said = page.index('id="refused"')
    assert place < said < page.index("</li>", place)
    assert "autofocus" in page[said : page.index(">", said)]
    assert f'href="#code-{point.pk}"' in page
