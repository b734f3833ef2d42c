"""What the demo expects, and that it would notice if it did not come true."""

import json
from pathlib import Path
from typing import Any

import pytest

from notifications.demo import Cast, DemoAlert, Outcome, alerts_for, faults_of

ROWS: list[dict[str, Any]] = [
    {"model": "accounts.shop", "pk": "cora", "fields": {"slug": "cora", "name": "Cora"}},
    *(
        {
            "model": "accounts.user",
            "pk": name,
            "fields": {"first_name": name.title(), "last_name": "Roy", "is_active": name != "inactive"},
        }
        for name in ("ana", "ben", "eva", "off", "inactive", "left")
    ),
    *(
        {
            "model": "accounts.membership",
            "pk": number,
            "fields": {"shop": "cora", "user": name, "left_at": "2025-01-01" if name == "left" else None},
        }
        for number, name in enumerate(("ana", "ben", "eva", "off", "inactive", "left"))
    ),
    {"model": "notifications.preference", "pk": "ben", "fields": {"level": "CRITICAL"}},
    *(
        {
            "model": "notifications.contactpoint",
            "pk": f"{name}-inbox",
            "fields": {"user": name, "channel": "inbox", "is_enabled": name != "off", "deleted_at": None},
        }
        for name in ("eva", "off")
    ),
]


@pytest.fixture
def cast(tmp_path: Path) -> Cast:
    fixture = tmp_path / "fixture.json"
    fixture.write_text(json.dumps(ROWS))
    return Cast(fixture)


def alert(label: str) -> DemoAlert:
    return DemoAlert({"alert_uuid": label, "label": label}, shop="cora")


def delivery(
    user: str, channel: str = "third_party", status: str = "sent", reason: str = ""
) -> dict[str, Any]:
    return {
        "id": f"to-{user}",
        "user_id": user,
        "channel": channel,
        "status": status,
        "reason": reason,
        "notification": {"source_id": "theft"},
    }


def outcome_of_a_theft() -> Outcome:
    return Outcome(
        arrived=[{"id": f"to-{user}", "user": user, "at": 10.5} for user in ("ana", "ben")],
        deliveries=[
            delivery("ana"),
            delivery("ben"),
            delivery("eva", "inbox"),
            delivery("off", "inbox", "suppressed", "disabled"),
        ],
    )


def test_expects_whom_the_rules_say(cast: Cast) -> None:
    expected = cast.expect([alert("theft"), alert("normal")])
    assert set(expected.told) == {
        ("theft", "ana", "third_party"),
        ("theft", "ben", "third_party"),
        ("theft", "eva", "inbox"),
        ("normal", "ana", "third_party"),
        ("normal", "eva", "inbox"),
    }
    assert expected.suppressed == {"level": 1, "disabled": 2}


def test_finds_no_fault_where_there_is_none(cast: Cast) -> None:
    outcome = outcome_of_a_theft()
    assert faults_of(cast, cast.expect([alert("theft")]), outcome) == []
    assert outcome.latencies_s({"theft": 10.0}) == [0.5, 0.5]


def test_notices_who_was_forgotten(cast: Cast) -> None:
    outcome = outcome_of_a_theft()
    outcome.arrived.pop()
    (fault,) = faults_of(cast, cast.expect([alert("theft")]), outcome)
    assert fault == "Ben Roy was not told of alert theft by third_party."


def test_notices_who_was_told_twice(cast: Cast) -> None:
    outcome = outcome_of_a_theft()
    outcome.arrived.append(outcome.arrived[0])
    (fault,) = faults_of(cast, cast.expect([alert("theft")]), outcome)
    assert fault.startswith("Ana Roy was told 2 times")


@pytest.mark.parametrize("user", ["left", "inactive"])
def test_notices_who_should_not_have_been_told(cast: Cast, user: str) -> None:
    outcome = outcome_of_a_theft()
    outcome.deliveries.append(delivery(user, "inbox"))
    (fault,) = faults_of(cast, cast.expect([alert("theft")]), outcome)
    assert fault.endswith("and should not have been.")


def test_notices_what_is_no_delivery_of_the_product(cast: Cast) -> None:
    outcome = outcome_of_a_theft()
    outcome.arrived.append({"id": "forged", "user": "ana", "at": 1.0})
    (fault,) = faults_of(cast, cast.expect([alert("theft")]), outcome)
    assert "forged" in fault


def test_alerts_are_for_every_shop_by_both_of_its_names(cast: Cast) -> None:
    alerts = alerts_for(cast, 40, seed=1)
    assert {each.payload["location"] for each in alerts} == {"cora", "Cora"}
    assert {each.payload["label"] for each in alerts} == {"theft", "suspicious", "normal"}
    assert len({each.id for each in alerts}) == 40
