"""Whatever is logged, each record is one line of ours: nobody adds one of their own, or moves the cursor."""

import io
import json
import logging
import re
from collections.abc import Callable, Iterator

import pytest
import structlog
from django.test import Client

from config import logs
from tests.hostile import ALL
from tests.strings.asking import encoded, in_header, quiet

#: The colours that the lines for people have.
_COLOUR = re.compile(r"\x1b\[[0-9;]*m")
_MOVES = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\u2028\u2029\u202a-\u202e\u2066-\u2069]")
Written = Callable[[], list[str]]


@pytest.fixture(params=["json", "console"])
def written(request: pytest.FixtureRequest) -> Iterator[Written]:
    """Log in this format; returns the lines that were written since the last time."""
    root, stream = logging.getLogger(), io.StringIO()
    before, level = root.handlers[:], root.level
    logs.configure({"level": "INFO", "format": request.param})
    handler = root.handlers[0]
    assert isinstance(handler, logging.StreamHandler)
    handler.setStream(stream)

    def lines() -> list[str]:
        text = stream.getvalue()
        stream.seek(0)
        stream.truncate()
        found = text.removesuffix("\n").split("\n") if text else []
        if request.param == "json":
            assert all(isinstance(json.loads(line), dict) for line in found)
        return [_COLOUR.sub("", line) for line in found]

    yield lines
    root.handlers[:] = before
    root.setLevel(level)


def test_a_record_is_one_line_whatever_it_is_about(written: Written) -> None:
    ours, others = structlog.get_logger("tocsin"), logging.getLogger("others")
    for given in ALL:
        ours.warning("somebody_wrote", text=given.text, inside={given.text: [given.text]})
        others.warning("Somebody wrote %s", given.text)
        others.warning(given.text.replace("%", "%%"))
        lines = written()
        assert len(lines) == 3, given.id
        assert not any(_MOVES.search(line) for line in lines), (given.id, lines)


def test_a_fault_is_told_without_moving_the_cursor(written: Written) -> None:
    for given in ALL[::10]:
        try:
            raise ValueError(given.text)
        except ValueError:
            structlog.get_logger("tocsin").exception("it_broke", text=given.text)
        assert not any(_MOVES.search(line) for line in written()), given.id


@pytest.mark.parametrize("path", ["/{}", "/api/v1/{}", "/dating/join/{}/", "/calendars/{}.ics", "/?x={}"])
def test_requests_that_are_refused_are_logged_in_one_line_each(db: None, written: Written, path: str) -> None:
    client = quiet(Client())
    for given in ALL[::12]:
        client.get(path.format(encoded(given.text)), headers={"user-agent": in_header(given.text)})
        client.post(path.format(encoded(given.text)), {"email": given.mark})
        lines = written()
        assert len(lines) <= 2
        assert not any(_MOVES.search(line) for line in lines), (given.id, lines)


def test_hosts_that_are_not_ours_are_logged_without_moving_the_cursor(db: None, written: Written) -> None:
    client = quiet(Client())
    for given in ALL[::12]:
        assert client.get("/login/", headers={"host": in_header(given.text) + "/"}).status_code == 400
        assert not any(_MOVES.search(line) for line in written()), given.id
