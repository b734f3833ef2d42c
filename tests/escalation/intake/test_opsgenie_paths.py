"""Opsgenie's alert API over HTTP, behind an origin and behind a prefix."""

import uuid
from typing import Any
from urllib.parse import quote

import pytest

from escalation.models import AlertGroup, AlertOccurrence, IntakeRequest
from tests.escalation.intake.conftest import Make, Sender

PREFIXES = ("", "/integrations/opsgenie")
BODY = {"message": "Disk full", "alias": "disk/7", "priority": "P1", "tags": ["db"]}


class Genie:
    """A client of an integration."""

    def __init__(self, sender: Sender, key: str, prefix: str = "") -> None:
        self.sender, self.prefix = sender, prefix
        self.headers = {"Authorization": f"GenieKey {key}"}

    def ask(self, method: str, path: str, body: Any = b"") -> Any:
        return self.sender.send(f"{self.prefix}/v2/alerts{path}", body, method, **self.headers)

    def result(self, answer: Any) -> dict[str, Any]:
        """What a client learns that asks what came of a request."""
        assert answer.status_code == 202, answer.content
        given = answer.json()
        assert given["result"] == "Request will be processed"
        assert answer["X-Request-Id"] == given["requestId"]
        asked = self.ask("GET", f"/requests/{given['requestId']}")
        assert asked.status_code == 200
        data: dict[str, Any] = asked.json()["data"]
        return data


@pytest.fixture(params=PREFIXES)
def genie(request: Any, integration: Make, sender: Sender) -> Genie:
    return Genie(sender, integration("opsgenie").key, request.param)


@pytest.mark.slow
def test_an_alert_is_created_acknowledged_noted_and_closed_by_its_alias(genie: Genie) -> None:
    created = genie.result(genie.ask("POST", "", BODY))
    group = AlertGroup.objects.get()
    assert (created["action"], created["isSuccess"], created["alias"]) == ("Create", True, "disk/7")
    assert created["alertId"] == str(group.pk)
    named = f"/{quote('disk/7', safe='')}"
    by = "?identifierType=alias"
    for method, action, expected in (
        ("POST", "/acknowledge", "Acknowledge"),
        ("POST", "/notes", "AddNote"),
        ("PUT", "/message", "AddNote"),
        ("POST", "/close", "Close"),
    ):
        body = {"note": "on it", "user": "ana", "message": "Disk very full"}
        done = genie.result(genie.ask(method, f"{named}{action}{by}", body))
        assert (done["action"], done["success"], done["alertId"]) == (expected, True, str(group.pk))
    group.refresh_from_db()
    assert group.state == "resolved"
    said = AlertOccurrence.objects.order_by("pk")
    assert [each.act for each in said] == ["trigger", "acknowledge", "note", "note", "resolve"]
    assert said[1].by == "ana"


@pytest.mark.slow
@pytest.mark.parametrize("path", ["/{}?identifierType=id", "/{}", "/{}/"])
def test_an_alert_is_deleted_by_its_id(genie: Genie, path: str) -> None:
    created = genie.result(genie.ask("POST", "/", BODY))
    done = genie.result(genie.ask("DELETE", path.format(created["alertId"])))
    assert (done["action"], done["success"]) == ("Close", True)
    assert AlertGroup.objects.get().state == "resolved"


def test_what_is_taken_from_an_alert_leaves_the_alert(genie: Genie) -> None:
    created = genie.result(genie.ask("POST", "", BODY))
    done = genie.result(genie.ask("DELETE", f"/{created['alertId']}/tags?tags=db"))
    assert (done["action"], done["success"]) == ("AddNote", True)
    assert AlertGroup.objects.get().state == "open"


def test_an_alert_that_is_not_there_is_202_and_its_request_says_so(genie: Genie) -> None:
    for path in (
        "/none/close?identifierType=alias",
        f"/{uuid.uuid4()}/close",
        "/7/close?identifierType=tiny",
    ):
        done = genie.result(genie.ask("POST", path))
        assert (done["success"], done["alertId"]) == (False, "")
        assert "alert" in done["status"].lower()
    assert not AlertGroup.objects.exists()


def test_the_same_alert_again_is_counted(genie: Genie) -> None:
    first, again = (genie.result(genie.ask("POST", "", BODY)) for _ in range(2))
    assert first["alertId"] == again["alertId"]
    assert AlertGroup.objects.get().occurrences == 2


def test_whoever_has_no_key_gets_401(genie: Genie) -> None:
    created = genie.ask("POST", "", BODY).json()["requestId"]
    for header in ("", "GenieKey", f"GenieKey {'0' * 32}", f"Bearer {genie.headers['Authorization'][9:]}"):
        genie.headers = {"Authorization": header} if header else {}
        for method, path in (
            ("POST", ""), ("POST", "/x/close"), ("DELETE", "/x"), ("GET", f"/requests/{created}"),
        ):  # fmt: skip
            answer = genie.ask(method, path, BODY)
            assert answer.status_code == 401
            assert answer.json()["message"]
            assert answer.json()["requestId"]


def test_nobody_asks_for_the_requests_of_another(genie: Genie, integration: Make) -> None:
    theirs = Genie(genie.sender, integration("opsgenie", name="theirs").key)
    asked = theirs.ask("POST", "", BODY).json()["requestId"]
    for request in (asked, uuid.uuid4()):
        answer = genie.ask("GET", f"/requests/{request}")
        assert (answer.status_code, "message" in answer.json()) == (404, True)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("method", "path", "body", "code"),
    [
        ("POST", "", b"{", 400),
        ("POST", "", b"", 400),
        ("POST", "", [], 422),
        ("POST", "", {"alias": "x"}, 422),
        ("POST", "/x/explode?identifierType=alias", {}, 422),
        ("POST", "/x/notes?identifierType=alias", {}, 422),
        ("POST", "/x/close?identifierType=name", {}, 422),
        ("POST", "/x/close?identifierType=alias", b"{", 400),
    ],
)
def test_what_it_cannot_read_is_refused_and_seen(
    genie: Genie, method: str, path: str, body: Any, code: int
) -> None:
    answer = genie.ask(method, path, body)
    assert answer.status_code == code
    assert answer.json()["message"]
    request = IntakeRequest.objects.get()
    assert (request.status, str(request.pk)) == (code, answer.json()["requestId"])
    assert request.error
    assert not AlertGroup.objects.exists()
