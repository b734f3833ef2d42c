"""Static files are small on their way, and asked for again only when they change."""

import gzip
import re
from typing import Any

import pytest
from django.test import Client

from accounts.models import User

pytestmark = pytest.mark.django_db
GZIP = {"accept_encoding": "gzip, br"}


def asked(path: str, **headers: str) -> tuple[Any, bytes]:
    answer = Client().get(path, headers={name.replace("_", "-"): value for name, value in headers.items()})
    body = b"".join(answer)
    answer.close()
    return answer, body


def test_text_is_compressed_for_whoever_takes_that() -> None:
    plain, whole = asked("/static/web/web.css")
    assert "Content-Encoding" not in plain
    answer, sent = asked("/static/web/web.css", **GZIP)
    assert answer["Content-Encoding"] == "gzip"
    assert "Accept-Encoding" in answer["Vary"]
    assert gzip.decompress(sent) == whole
    assert len(sent) < len(whole) / 3


def test_what_has_not_changed_is_not_sent_again() -> None:
    answer, _ = asked("/static/web/web.css", **GZIP)
    again, body = asked("/static/web/web.css", **GZIP, if_none_match=answer["ETag"])
    assert (again.status_code, body) == (304, b"")


def test_a_part_of_a_file_is_that_part() -> None:
    answer, part = asked("/static/web/web.css", **GZIP, range="bytes=0-9")
    assert (answer.status_code, len(part)) == (206, 10)
    assert "Content-Encoding" not in answer


@pytest.mark.parametrize("path", ["/console/", "/inbox/", "/escalations/"])
def test_the_scripts_of_a_page_weigh_less_than_60_kb(operator: User, path: str) -> None:
    client = Client(headers={"accept": "text/html"})
    client.force_login(operator)
    scripts = set(re.findall(r'<script[^>]* src="([^"]+)"', client.get(path).content.decode()))
    assert len(scripts) >= 2
    assert sum(len(asked(script, **GZIP)[1]) for script in scripts) < 60_000 / 2
