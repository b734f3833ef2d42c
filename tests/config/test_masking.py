"""Links that open something by themselves stand in no line of any log, whatever becomes of the request."""

import io
import logging
import time
from collections.abc import Callable, Iterator
from types import SimpleNamespace
from typing import Any
from uuid import uuid4

import django_rq
import pytest
import structlog
from django.core import signing
from django.test import Client
from django.urls import URLPattern, URLResolver, get_resolver
from redis import Redis
from structlog.testing import capture_logs

from accounts.models import User
from accounts.verification import token_of
from config import logs
from config.masking import MASK, masked

PASSWORD = "correct horse battery"
KEY = "dGhpcyBpcyBhIHNlY3JldA"


def routes(resolver: URLResolver | None = None, prefix: str = "") -> Iterator[str]:
    for each in (resolver or get_resolver()).url_patterns:
        if isinstance(each, URLPattern):
            yield prefix + str(each.pattern)
        elif not prefix and str(each.pattern) in ("admin/", "django-rq/"):
            continue  # others' pages, for the staff: their parts are ids
        else:
            yield from routes(each, prefix + str(each.pattern))


#: Every route that has somebody's key in its path, or is a page that has it in its query.
KEYED = sorted({route for route in routes() if "<str:token>" in route})
QUERIED = ["/verify-email/", "/verify-phone/", "/reset-password/"]


@pytest.fixture
def written() -> Iterator[io.StringIO]:
    """All that the product's own logging writes, at every level."""
    root, was = logging.getLogger(), logging.getLogger().handlers[:]
    level = root.level
    logs.configure({"level": "DEBUG", "format": "json"})
    out = io.StringIO()
    root.handlers[0].setStream(out)  # type: ignore[attr-defined]
    yield out
    root.handlers[:], root.level = was, level


def long_token() -> str:
    return signing.Signer(salt="x").sign_object([uuid4().hex, "a kind", "email"])


def test_there_are_such_routes() -> None:
    assert len(KEYED) >= 8


@pytest.mark.slow
@pytest.mark.parametrize("route", KEYED)
@pytest.mark.parametrize("method", ["get", "post", "put", "head"])
def test_a_link_that_is_refused_stands_in_no_log(
    db: None, written: io.StringIO, caplog: Any, route: str, method: str
) -> None:
    client = Client(enforce_csrf_checks=True, raise_request_exception=False)
    for token in (KEY, long_token()):
        for path in (f"/{route}", f"/{route.rstrip('/')}/more", f"/{route.upper()}"):
            filled = path.replace("<str:token>", token).replace("<STR:TOKEN>", token)
            getattr(client, method)(f"{filled}?key={KEY}")
        assert token not in written.getvalue()
        # What another handler would be given.
        assert token not in "".join(f"{vars(record)}{record.getMessage()}" for record in caplog.records)
    assert written.getvalue()
    assert KEY not in written.getvalue()


@pytest.mark.parametrize("path", QUERIED)
@pytest.mark.parametrize("method", ["get", "post"])
def test_a_mailed_link_stands_in_no_log(
    stranger: User, written: io.StringIO, as_user: Callable[..., Any], path: str, method: str
) -> None:
    token = token_of(uuid4())
    client = as_user(stranger)
    getattr(client, method)(f"{path}?token={token}", {"token": token, "new_password": "1"})
    client.delete(f"{path}?token={token}")
    assert written.getvalue()
    assert token not in written.getvalue()


@pytest.mark.parametrize(
    ("said", "kept"),
    [
        (f"Not Found: /dating/join/{KEY}/", f"Not Found: /dating/join/{MASK}"),
        (f'"GET /calendars/{KEY}.ics?a=b HTTP/1.1" 404', f'"GET /calendars/{MASK} HTTP/1.1" 404'),
        (f"https://tocsin.example.com/a/acknowledge/{KEY}", f"https://tocsin.example.com/a/acknowledge/{MASK}"),
        (f"/verify-email/?token={KEY}", f"/verify-email/?{MASK}"),
        (f"a?b/verify-email/?token={KEY}", f"a?b/verify-email/?{MASK}"),
        (f"url=https://a.example/x?{KEY}, /y?{KEY}", f"url=https://a.example/x?{MASK} /y?{MASK}"),
        (f"/dating/joins/{KEY * 2}/", f"/dating/joins/{MASK}/"),
        ("/users/0198c7f2-54b1-7d6e-8a53-6f2b1f0c9e11/", "/users/0198c7f2-54b1-7d6e-8a53-6f2b1f0c9e11/"),
        ("Is it there? Yes.", "Is it there? Yes."),
    ],
)  # fmt: skip
def test_what_is_a_key_goes_and_the_rest_stays(said: str, kept: str) -> None:
    assert masked(said) == kept


@pytest.mark.parametrize("path", ["/" * 60_000, "/a" * 30_000, "/?" * 30_000, "/dating/join/" * 5_000])
def test_a_long_path_is_masked_in_no_time(db: None, written: io.StringIO, path: str) -> None:
    """Longer ones the server refuses; tried at each slash, the half of one took ten seconds."""
    began = time.monotonic()
    Client(raise_request_exception=False).get(f"/{path}")
    assert time.monotonic() - began < 5
    assert masked(f"{path}?key={KEY}").count(KEY) == 0


def test_fields_and_tracebacks_are_masked_too(written: io.StringIO) -> None:
    log = structlog.get_logger("a.logger")
    try:
        raise ValueError(f"no answer from https://tocsin.example.com/unsubscribe/{KEY}/")
    except ValueError as error:
        log.exception("it_failed", url=f"/dating/join/{KEY}/", error=str(error))
        logging.getLogger("rq.worker").exception("job failed: %s", f"/reset-password/?token={KEY}")
        logging.getLogger("another").warning("x", extra={"request": SimpleNamespace(path=f"/join/{KEY}")})
    assert written.getvalue().count("\n") == 3
    assert KEY not in written.getvalue()


@pytest.mark.parametrize(
    "sent",
    [
        {"HTTP_HOST": "evil.example"},
        {"CONTENT_TYPE": "application/x-www-form-urlencoded", "data": b"&".join([b"a=1"] * 2000)},
    ],
)
def test_what_a_stranger_sends_is_no_error(
    written: io.StringIO, client: Client, sent: dict[str, Any]
) -> None:
    headers = {name: value for name, value in sent.items() if name.startswith("HTTP_")}
    kind = sent.get("CONTENT_TYPE", "text/plain")
    answer = client.post("/login/", sent.get("data", b""), content_type=kind, **headers)
    assert answer.status_code == 400
    lines = written.getvalue()
    assert "django.security" in lines
    assert '"level": "error"' not in lines


def test_uvicorn_writes_its_lines_by_the_same_way(written: io.StringIO) -> None:
    access = logging.getLogger("uvicorn.access")
    was, propagated = access.handlers[:], access.propagate
    access.handlers, access.propagate = [logging.StreamHandler()], False
    try:
        logs.configure({"level": "INFO", "format": "json"})
        logging.getLogger().handlers[0].setStream(written)  # type: ignore[attr-defined]
        arguments = ("127.0.0.1:1", "GET", f"/dating/join/{KEY}/?a={KEY}", "1.1", 404)
        access.info('%s - "%s %s HTTP/%s" %d', *arguments)
    finally:
        access.handlers, access.propagate = was, propagated
    assert "dating/join" in written.getvalue()
    assert KEY not in written.getvalue()


def test_a_logger_that_has_written_is_still_heard_once_logging_is_configured_again(
    written: io.StringIO,
) -> None:
    logger = structlog.get_logger("used")
    logger.warning("before")
    logs.configure({"level": "INFO", "format": "json"})
    with capture_logs() as heard:
        logger.warning("after")
    assert [each["event"] for each in heard] == ["after"]


def test_no_job_holds_a_link_an_address_or_a_password(
    owner: User, redis: Redis, anonymous: Any, settings: Any, django_capture_on_commit_callbacks: Any
) -> None:
    settings.RESET_ANSWER_S = 0
    body = {"email": "eva@example.com", "password": PASSWORD, "first_name": "Eva", "last_name": "Lima"}
    with django_capture_on_commit_callbacks(execute=True):
        assert anonymous.post("/api/v1/auth/register/", body | {"role": "student"}).status_code == 201
        anonymous.post("/api/v1/auth/password/reset/", {"email": owner.email})
    jobs = [job for name in ("urgent", "default", "slow") for job in django_rq.get_queue(name).jobs]
    assert jobs
    told = "".join(f"{job.description}{job.args}{job.kwargs}{job.meta}" for job in jobs)
    secrets = [token_of(owner.verifications.get().pk), owner.email, body["email"], PASSWORD]
    assert not [secret for secret in secrets if secret in told]
