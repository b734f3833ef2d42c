"""SPEC 0.3: whatever is sent, the answer is a 4xx that says what was expected, and never a 500."""

import gzip
import json
import tracemalloc
from collections.abc import Callable
from typing import Any

import pytest
from django.db import InterfaceError, OperationalError
from django.test import Client
from rest_framework.test import APIClient

from notifications.models import Alert
from notifications.services import alerts

PATH = "/api/v1/alerts/"
JSON = "application/json"
VALID = {
    "url": "https://a.example/",
    "location": "fr-auchan-larochelle",
    "label": "theft",
    "time_spotted": 1,
    "alert_uuid": "33cbb18c-3e9d-4acc-9667-2fbe7bf29137",
}


@pytest.fixture
def camera(as_machine: Callable[..., APIClient], shop: object) -> APIClient:
    return as_machine("alerts:write")


def valid(**changes: object) -> bytes:
    return json.dumps({**VALID, **changes}).encode()


BODIES = {
    "nothing": b"",
    "blank": b"  ",
    "not JSON": b"{",
    "two values": b"{} {}",
    "a form": b"url=1",
    "not UTF-8": valid(url="PLACE").replace(b"PLACE", b"\xff\xfe"),
    "UTF-16": valid().decode().encode("utf-16"),
    "NaN where nobody looks": valid(extra=float("nan")),
    "Infinity where nobody looks": valid(extra=[float("-inf")]),
    "a float that overflows where nobody looks": valid(extra="PLACE").replace(b'"PLACE"', b"-1e400"),
    "half a surrogate pair where nobody looks": valid(extra="\udc00"),
    "NaN": valid(time_spotted=float("nan")),
    "Infinity": valid(time_spotted=float("inf")),
    "-Infinity": valid(time_spotted=float("-inf")),
    "a float that overflows": valid(time_spotted="PLACE").replace(b'"PLACE"', b"1e400"),
    "an integer of 5,000 digits": valid(time_spotted="PLACE").replace(b'"PLACE"', b"9" * 5000),
    "half a surrogate pair": valid(label="\ud800"),
    "half a surrogate pair for a key": json.dumps({"\udfff": 1}).encode(),
    "a list": b"[]",
    "a string": b'"theft"',
    "null": b"null",
    "lists nested 10,000 deep": b"[" * 10_000 + b"]" * 10_000,
    "lists nested 300,000 deep": b"[" * 300_000 + b"]" * 300_000,
    "objects nested 10,000 deep": b'{"a":' * 10_000 + b"1" + b"}" * 10_000,
    "nested 21 deep": valid(extra="PLACE").replace(b'"PLACE"', b"[" * 20 + b"]" * 20),
}


@pytest.mark.slow
@pytest.mark.parametrize("body", BODIES.values(), ids=BODIES.keys())
def test_a_bad_body_is_refused_in_words_and_changes_nothing(camera: APIClient, body: bytes) -> None:
    refused = camera.post(PATH, body, content_type=JSON)
    assert refused.status_code == 400
    assert refused["Content-Type"] == JSON
    for name, messages in refused.json().items():
        assert (
            isinstance(messages, str) if name == "detail" else all(isinstance(each, str) for each in messages)
        )
    assert not Alert.objects.exists()


def test_a_compressed_body_is_refused_as_that(camera: APIClient) -> None:
    refused = camera.post(PATH, gzip.compress(valid()), content_type=JSON)
    assert refused.status_code == 400
    assert "compressed by gzip" in refused.json()["detail"]


def test_as_deep_as_the_limit_is_taken(camera: APIClient) -> None:
    body = valid(extra="PLACE").replace(b'"PLACE"', b"[" * 19 + b"]" * 19)
    assert camera.post(PATH, body, content_type=JSON).status_code == 201


def test_many_shallow_values_are_not_deep(camera: APIClient) -> None:
    assert camera.post(PATH, valid(extra=[[]] * 1000), content_type=JSON).status_code == 201


def test_a_whole_surrogate_pair_is_one_character(camera: APIClient) -> None:
    assert camera.post(PATH, valid(url="https://a.example/😀"), content_type=JSON).status_code == 201


@pytest.mark.parametrize(
    "content_type",
    [
        "text/plain",
        "application/xml",
        "multipart/form-data; boundary=x",
        "nonsense",
    ],
)
def test_neither_json_nor_a_form_is_refused(camera: APIClient, content_type: str) -> None:
    refused = camera.generic("POST", PATH, valid(), content_type=content_type)
    assert refused.status_code == 415
    assert list(refused.json()) == ["detail"]


@pytest.mark.parametrize(
    "content_type", ["application/json; charset=utf-8", "application/json; charset=klingon"]
)
def test_json_is_utf8_whatever_the_charset_says(camera: APIClient, content_type: str) -> None:
    assert camera.generic("POST", PATH, valid(), content_type=content_type).status_code == 201


def test_a_body_over_the_limit_is_refused(camera: APIClient, settings: Any) -> None:
    settings.REQUEST_MAX_BYTES = len(valid()) - 1
    refused = camera.post(PATH, valid(), content_type=JSON)
    assert refused.status_code == 413
    assert list(refused.json()) == ["detail"]
    settings.REQUEST_MAX_BYTES = len(valid())
    assert camera.post(PATH, valid(), content_type=JSON).status_code == 201


BOMBS = {
    "empty lists": b"[]," * 200_000 + b"[]",
    "empty objects": b"{}," * 200_000 + b"{}",
    "numbers": b"1," * 200_000 + b"1",
}


@pytest.mark.parametrize("values", BOMBS.values(), ids=BOMBS.keys())
def test_more_values_than_the_limit_are_refused_before_they_are_built(
    camera: APIClient, values: bytes
) -> None:
    body = valid(extra=["PLACE"]).replace(b'"PLACE"', values)
    tracemalloc.start()
    try:
        refused = camera.post(PATH, body, content_type=JSON)
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert refused.status_code == 400
    assert refused.json() == {"detail": "The JSON has more than 100000 values."}
    assert peak < len(body) * 8  # the body itself, some times over; its lists would take 60 bytes for each 3


@pytest.mark.parametrize("error", [OperationalError, InterfaceError])
def test_a_database_that_is_away_answers_503_and_when_to_come_back(
    transactional_db: None, camera: APIClient, monkeypatch: pytest.MonkeyPatch, error: type[Exception]
) -> None:
    def away(*args: object) -> None:
        raise error("connection refused")

    monkeypatch.setattr(alerts, "_run", away)
    refused = camera.post(PATH, valid(), content_type=JSON)
    assert refused.status_code == 503
    assert int(refused["Retry-After"]) > 0
    assert "refused" not in refused.json()["detail"]


@pytest.mark.parametrize(
    "path", ["/api/v1/nothing", "/api/", "/webhooks/nothing/", "/preferences/x", "/health/x"]
)
def test_a_path_that_is_not_there_answers_404_in_json(anonymous: APIClient, path: str) -> None:
    missing = anonymous.get(path)
    assert (missing.status_code, missing.json()) == (404, {"detail": "Not found."})


def test_a_page_that_is_not_there_answers_404_in_html(anonymous: APIClient) -> None:
    missing = anonymous.get("/nothing")
    assert missing.status_code == 404
    assert missing["Content-Type"].startswith("text/html")


def test_a_fault_of_ours_answers_500_in_json_and_says_nothing_of_itself(
    camera: APIClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fault(*args: object) -> None:
        raise RuntimeError("the secret inside")

    monkeypatch.setattr(alerts, "_run", fault)
    camera.raise_request_exception = False
    broken = camera.post(PATH, valid(), content_type=JSON)
    assert (broken.status_code, list(broken.json())) == (500, ["detail"])
    assert b"secret" not in broken.content


def test_a_host_that_is_not_ours_is_refused_in_json() -> None:
    refused = Client(SERVER_NAME="evil.example").get("/preferences/")
    assert (refused.status_code, refused.json()) == (400, {"detail": "Bad request."})


def test_methods_that_are_not_there_answer_405_in_json(camera: APIClient) -> None:
    refused = camera.delete(PATH)
    assert (refused.status_code, list(refused.json())) == (405, ["detail"])
