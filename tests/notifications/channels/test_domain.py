"""Hosts in other letters: mail and webhooks read them alike, and never as somebody else's."""

import pytest
from django.core.exceptions import ValidationError

from notifications.channels.email import EmailChannel
from notifications.channels.transport import http_url


def by_mail(domain: str) -> str:
    return EmailChannel().normalised_address(f"ana@{domain}").partition("@")[2]


def by_webhook(domain: str) -> str:
    return http_url.normalised(f"https://{domain}/").raw_host or ""


@pytest.mark.parametrize(
    ("domain", "expected"),
    [
        ("straße.de", "xn--strae-oqa.de"),
        ("strasse.de", "strasse.de"),
        ("faß.de", "xn--fa-hia.de"),
        ("κλαρα-σωλις.ευ", "xn----ylba7abgd9bnh0e.xn--qxa6a"),
        ("EXÄMPLE.com", "xn--exmple-cua.com"),
        ("xn--strae-oqa.de", "xn--strae-oqa.de"),
    ],
)
def test_a_host_in_other_letters_is_read_after_idna_2008(domain: str, expected: str) -> None:
    assert (by_mail(domain), by_webhook(domain)) == (expected, expected)


@pytest.mark.parametrize("domain", ["ex\u200dample.com", "ex\u200bample.com", "ex\u00adample.com", "☃.net"])
def test_a_host_that_idna_2008_has_no_form_for_is_refused(domain: str) -> None:
    for read in (by_mail, by_webhook):
        with pytest.raises(ValidationError):
            read(domain)
