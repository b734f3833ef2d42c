"""The answers of each format: what its clients read, and by what they know whether to send again."""

import json
from collections.abc import Callable
from datetime import UTC, datetime
from functools import partial
from typing import Any

import pytest

from escalation.intake.answer import Answer
from escalation.intake.formats import alertmanager, cloudevents, generic, grafana, opsgenie, pagerduty
from escalation.intake.occurrence import Malformed

ID = "43a29c5c-3dbf-4fa4-9c26-f4f71023e120"
WRONG = Malformed("message is missing or blank.")
ALWAYS = frozenset(range(500, 600))
#: What PagerDuty's clients read of a 400, and Opsgenie's of each answer.
INVALID = {"status": "invalid event", "message": "Event object is invalid"}
OF_ID = {"took": 0.0, "requestId": ID}
ACCEPTED = "Request will be processed"

#: By format: the statuses after which its clients send again. Alertmanager's webhook repeats 5xx only, and
#: Grafana nothing at once, whatever the status.
REPEATED = {
    "alertmanager": ALWAYS,
    "grafana": ALWAYS | {429},
    "pagerduty": ALWAYS | {429},
    "opsgenie": ALWAYS - {501} | {429},
    "cloudevents": ALWAYS | {429},
    "generic": ALWAYS | {429},
}
#: By format: its answers.
ANSWERS: dict[str, dict[str, Callable[[], Answer]]] = {
    **{
        name: {
            "accepted": partial(format_.accepted, 3),
            "malformed": partial(format_.malformed, WRONG),
            "refused": format_.refused,
            "too_many": format_.too_many,
            "unavailable": format_.unavailable,
        }
        for name, format_ in {
            "alertmanager": alertmanager,
            "grafana": grafana,
            "cloudevents": cloudevents,
            "generic": generic,
        }.items()
    },
    "pagerduty": {
        "accepted": partial(pagerduty.accepted, "k"),
        "malformed": partial(pagerduty.malformed, WRONG),
        "refused": pagerduty.refused,
        "change_refused": pagerduty.change_refused,
        "too_many": pagerduty.too_many,
        "unavailable": pagerduty.unavailable,
    },
    "opsgenie": {
        "accepted": partial(opsgenie.accepted, ID),
        "malformed": partial(opsgenie.malformed, WRONG, ID),
        "unreadable": partial(opsgenie.unreadable, ID),
        "refused": partial(opsgenie.refused, ID),
        "not_found": partial(opsgenie.not_found, ID),
        "too_many": partial(opsgenie.too_many, ID),
        "unavailable": partial(opsgenie.unavailable, ID),
    },
}
EACH = [
    pytest.param(name, kind, id=f"{name}-{kind}") for name, answers in ANSWERS.items() for kind in answers
]


@pytest.mark.parametrize(("name", "kind"), EACH)
def test_what_was_not_kept_is_sent_again_and_what_is_wrong_is_not(name: str, kind: str) -> None:
    answer = ANSWERS[name][kind]()
    assert (200 <= answer.status < 300) == (kind == "accepted")
    assert (answer.status in REPEATED[name]) == (kind in ("too_many", "unavailable"))
    assert ("Retry-After" in answer.headers) == (kind in ("too_many", "unavailable"))
    assert json.loads(json.dumps(answer.body))


@pytest.mark.parametrize(
    ("answer", "status", "body"),
    [
        (alertmanager.accepted(3), 200, {"result": "kept", "occurrences": 3}),
        (alertmanager.malformed(WRONG), 400, {"detail": str(WRONG)}),
        (alertmanager.refused(), 401, {"detail": "The key or the signature is wrong."}),
        (pagerduty.accepted("k"), 202, {"status": "success", "message": "Event processed", "dedup_key": "k"}),
        (pagerduty.malformed(WRONG), 400, {**INVALID, "errors": [str(WRONG)]}),
        (pagerduty.refused(), 400, {**INVALID, "errors": ["The routing key is unknown."]}),
        (opsgenie.accepted(ID, took_s=0.1234), 202, {**OF_ID, "took": 0.123, "result": ACCEPTED}),
        (opsgenie.malformed(WRONG, ID), 422, {**OF_ID, "message": str(WRONG)}),
        (opsgenie.unreadable(ID), 400, {**OF_ID, "message": "The body is not JSON."}),
        (opsgenie.refused(ID), 401, {**OF_ID, "message": "The API key is unknown."}),
        (opsgenie.not_found(ID), 404, {**OF_ID, "message": "There is no such request or path."}),
        (cloudevents.malformed(cloudevents.Unsupported("JSON only.")), 415, {"detail": "JSON only."}),
    ],
)
def test_an_answer_is_in_the_words_of_its_format(answer: Answer, status: int, body: dict[str, Any]) -> None:
    assert (answer.status, answer.body) == (status, body)


def test_each_answer_of_opsgenie_names_its_request_in_the_head_too() -> None:
    for make in ANSWERS["opsgenie"].values():
        assert make().headers["X-Request-Id"] == ID


def test_what_came_of_a_request_of_opsgenie() -> None:
    answer = opsgenie.request_status(
        ID, action="Create", status="Created alert", success=True, alert_id="0198c7f2", alias="checkout-7",
        processed_at=datetime(2026, 11, 30, 9, 14, 2, 511_000, tzinfo=UTC),
    )  # fmt: skip
    assert answer.status == 200
    assert answer.body == {
        "data": {
            "success": True, "isSuccess": True, "action": "Create", "processedAt": "2026-11-30T09:14:02.511Z",
            "integrationId": "", "status": "Created alert", "alertId": "0198c7f2", "alias": "checkout-7",
        },
        "took": 0.0,
        "requestId": ID,
    }  # fmt: skip


def test_cloudevents_senders_may_send_from_anywhere() -> None:
    answer = cloudevents.permitted()
    assert (answer.status, answer.body) == (200, None)
    assert answer.headers["WebHook-Allowed-Origin"] == answer.headers["WebHook-Allowed-Rate"] == "*"
    assert "POST" in answer.headers["Allow"]
